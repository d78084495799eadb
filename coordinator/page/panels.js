// Queue, caches, flags, and what happened.

import { byId, element, keyed, setClass, setHidden, setText } from "/page/dom.js";
import { drawFigure, makeFigure } from "/page/sparkline.js";
import { bytes, clock, ranges, rate, share, span } from "/page/words.js";

function drawList(id, entries) {
  keyed(
    byId(id),
    Object.entries(entries),
    ([name]) => name,
    ([name]) => element("div", {}, element("dt", {}, name), element("dd")),
    (row, [, value]) => setText(row.lastChild, String(value)),
  );
}

// What an operator has to know first, one line a cause.
function faultsOf({ leader, shards, queue }) {
  const found = [];
  if (!leader) found.push("No coordinator leads: nothing is placed anew until one does.");
  const causes = new Map();
  for (const shard of shards) {
    if (shard.state !== "failed" && shard.state !== "unowned") continue;
    const why = shard.state === "failed" ? `failed: ${shard.error ?? "no reason is known"}` : "served by nobody";
    const cause = causes.get(why) ?? { ids: [], owners: new Set() };
    causes.set(why, cause);
    cause.ids.push(shard.shard_id);
    if (shard.owner) cause.owners.add(shard.owner);
  }
  for (const [why, { ids, owners }] of causes) {
    const where = owners.size ? ` of ${[...owners].slice(0, 3).join(", ")}${owners.size > 3 ? ` and ${owners.size - 3} more` : ""}` : "";
    found.push(`Shard${ids.length > 1 ? "s" : ""} ${ranges(ids)}${where} ${why}`);
  }
  if (queue.dead) found.push(`${queue.dead} job${queue.dead > 1 ? "s" : ""} among the dead letters: markov-shard jobs list says why`);
  return found;
}

export function drawFaults(status) {
  const faults = faultsOf(status);
  setHidden(byId("faults-part"), !faults.length);
  keyed(byId("faults"), faults, (text) => text, (text) => element("li", {}, text), () => {});
}

export function drawFigures(status) {
  const { history } = status;
  const last = history.at(-1);
  const of = (name) => history.map((point) => point[name]);
  const all = status.shards.length;
  const figures = [
    { title: "shards connected", text: `${last?.connected ?? 0} of ${all}`, values: of("connected"), bad: last && last.connected < all },
    { title: "replies a second", text: rate(last?.replies ?? 0), values: of("replies") },
    { title: "learned a second", text: rate(last?.learned ?? 0), values: of("learned") },
    { title: "events a second", text: rate(last?.events ?? 0), values: of("events") },
    { title: "jobs waiting or at work", text: String(last?.queue ?? 0), values: of("queue") },
    { title: "gateway latency, median", text: `${last?.latency_ms ?? 0} ms`, values: of("latency_ms") },
  ];
  keyed(byId("figures"), figures, (f) => f.title, (f) => makeFigure(f.title), (child, f) => drawFigure(child, f.text, f.values, Boolean(f.bad)));
}

export function drawIdentifies(budget) {
  const text = budget ? `${budget.remaining} of ${budget.total} IDENTIFYs left, new in ${span(budget.reset_after_ms / 1000)}` : "";
  setText(byId("identifies"), text);
}

export function drawQueue({ lanes, dead, jobs }) {
  const entries = {};
  for (const [lane, { depth, oldest_seconds: oldest }] of Object.entries(lanes)) {
    entries[lane] = depth ? `${depth}, the oldest ${span(oldest)} old` : "empty";
  }
  entries["dead letters"] = dead;
  for (const [state, number] of Object.entries(jobs ?? {}).sort()) entries[`${state}, ever`] = number;
  drawList("queue", entries);
}

export function drawCaches({ redis, chains }) {
  drawList("caches", {
    "chains in memory": `${chains.open}, ${bytes(chains.bytes)}`,
    "found in memory": share(chains.hits, chains.misses),
    "Redis memory": `${bytes(redis.used)} of ${redis.limit ? bytes(redis.limit) : "no limit"}`,
    "Redis reads that hit": share(redis.hits, redis.misses),
    "keys evicted": redis.evicted,
  });
}

export function drawFlags(flags, signed, actions) {
  setHidden(byId("flags-part"), !flags?.length);
  keyed(
    byId("flags"),
    flags ?? [],
    (flag) => flag.flag,
    (flag) => {
      const field = element("input", { type: "number", min: "0", max: "100", step: "0.01", "aria-label": `${flag.flag}, percent of guilds` });
      const set = element("button", { type: "button" }, "Set");
      set.addEventListener("click", () => field.reportValidity() && actions.setFlag(flag.flag, field.value));
      return element("li", {}, element("b", {}, flag.flag), element("progress", { max: "100" }), element("span"), element("span", { class: "set" }, field, set));
    },
    (row, flag) => {
      const [, bar, text, set] = row.children;
      bar.value = Number(flag.percentage);
      const forced = flag.forced.length ? ` and ${flag.forced.length} guild${flag.forced.length > 1 ? "s" : ""} by name` : "";
      setText(text, `${flag.percentage} % of guilds${forced}`);
      setHidden(set, !signed.includes("set-flag"));
      const field = set.firstChild;
      if (document.activeElement !== field && !field.value) field.value = flag.percentage;
    },
  );
}

export function drawHappened(happened) {
  keyed(
    byId("happened"),
    happened.length ? happened.slice(0, 40) : [{ at: 0, kind: "none", text: "Nothing since this coordinator started." }],
    (event) => `${event.at} ${event.text}`,
    (event) => element("li", {}, element("time"), element("span", {}, event.text)),
    (row, event) => {
      setClass(row, event.kind);
      setText(row.firstChild, event.at ? clock(event.at) : "");
    },
  );
}
