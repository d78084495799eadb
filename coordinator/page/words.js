// Numbers and times as people read them.

export function bytes(number) {
  if (number === null || number === undefined) return "–";
  return number < 2 ** 30 ? `${(number / 2 ** 20).toFixed(0)} MiB` : `${(number / 2 ** 30).toFixed(2)} GiB`;
}

export function rate(number) {
  return number >= 100 ? number.toFixed(0) : number >= 10 ? number.toFixed(1) : number.toFixed(2);
}

export function span(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

export function share(part, rest) {
  return part + rest ? `${((100 * part) / (part + rest)).toFixed(1)} %` : "–";
}

export function clock(at) {
  return new Date(at * 1000).toLocaleTimeString([], { hour12: false });
}

// 4, 5, 6 and 9 → `4–6, 9`; of many runs the first five.
export function ranges(ids) {
  const runs = [];
  for (const id of ids) {
    const last = runs.at(-1);
    if (last && id === last[1] + 1) last[1] = id;
    else runs.push([id, id]);
  }
  const named = runs.slice(0, 5).map(([first, last]) => (first === last ? `${first}` : `${first}–${last}`)).join(", ");
  return runs.length > 5 ? `${named} and ${runs.length - 5} more ranges` : named;
}

// `shards 4-7 of 16`, as the document gives it, without the shard count that all have in common.
export function owns(process, short = false) {
  if (process.draining) return "draining";
  return process.range?.replace(short ? /^shards | of \d+$/g : / of \d+$/, "") ?? "nothing yet";
}
