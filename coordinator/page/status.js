// Draws /status.json every two seconds. Text is only ever set as text.

function element(name, text = "", attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function megabytes(bytes) {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

function drawShard(shard) {
  const box = element("div", "", { class: `shard ${shard.state}` });
  const latency = shard.latency_ms === null ? "" : ` · ${shard.latency_ms} ms`;
  box.append(element("b", `Shard ${shard.shard_id}`), element("div", shard.state + latency));
  box.append(element("div", shard.owner ?? "nobody"));
  if (shard.error) box.append(element("div", shard.error));
  return box;
}

function drawProcess(process) {
  const row = element("tr");
  const range = process.draining ? "draining" : process.range ?? "–";
  for (const text of [process.name, process.role, range, `${Math.round(process.seconds)} s`, process.url]) {
    row.append(element("td", text));
  }
  return row;
}

function drawList(id, entries) {
  const parts = Object.entries(entries).flatMap(([name, value]) => [element("dt", name), element("dd", String(value))]);
  document.getElementById(id).replaceChildren(...parts);
}

function draw(status) {
  const connected = status.shards.filter((shard) => shard.state === "connected").length;
  document.getElementById("summary").textContent =
    `${connected} of ${status.shards.length} shards connected; led by ${status.leader ?? "nobody"}; last move: ${status.why}`;
  document.getElementById("shards").replaceChildren(...status.shards.map(drawShard));
  document.getElementById("processes").replaceChildren(...status.processes.map(drawProcess));
  const { training, upkeep, dead, jobs } = status.queue;
  drawList("queue", { "waiting or running, training": training, "waiting or running, upkeep": upkeep, "dead letters": dead, ...jobs });
  const { redis, chains } = status.caches;
  drawList("caches", {
    "open chains": `${chains.open} (${megabytes(chains.bytes)})`,
    "Redis memory": `${megabytes(redis.used)} of ${redis.limit ? megabytes(redis.limit) : "no limit"}`,
    "Redis hits / misses": `${redis.hits} / ${redis.misses}`,
    "evicted keys": redis.evicted,
  });
}

async function refresh() {
  try {
    const response = await fetch("/status.json");
    const status = await response.json();
    if (!response.ok) throw new Error(status.message);
    draw(status);
  } catch (error) {
    document.getElementById("summary").textContent = `The fleet cannot be asked: ${error.message}`;
  }
  setTimeout(refresh, 2000);
}

refresh();
