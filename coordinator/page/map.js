// The fleet as a map: a card a process, a cell a shard, coloured by health. A card opens to the figures of its shards.

import { element, keyed, setClass, setHidden, setText } from "/page/dom.js";
import { bytes, owns, span } from "/page/words.js";

const MARKS = { failed: "×", connecting: "…", unowned: "?", stopped: "–", connected: "" };

const isMany = (status) => status.shards.length > 128;

function describe(shard) {
  const latency = shard.latency_ms === null ? "" : `, ${shard.latency_ms} ms`;
  return `shard ${shard.shard_id}: ${shard.state}${latency}${shard.error ? `, ${shard.error}` : ""}`;
}

function drawCells(parent, shards) {
  keyed(
    parent,
    shards,
    (shard) => shard.shard_id,
    () => element("i"),
    (cell, shard) => {
      setClass(cell, `cell ${shard.state}`);
      setText(cell, MARKS[shard.state] ?? "");
      const text = describe(shard);
      if (cell.title !== text) cell.title = text;
    },
  );
}

function drawRows(body, shards) {
  keyed(
    body,
    shards,
    (shard) => shard.shard_id,
    () => element("tr", {}, ...Array.from({ length: 6 }, () => element("td"))),
    (row, shard) => {
      const age = shard.last_event_age;
      const texts = [
        shard.shard_id,
        shard.error ? `${shard.state}: ${shard.error}` : shard.state,
        shard.latency_ms === null ? "–" : `${shard.latency_ms} ms`,
        age === null || age === undefined ? "–" : `${span(age)} ago`,
        `${shard.resumes} / ${shard.identifies}`,
        shard.epoch,
      ];
      texts.forEach((text, n) => setText(row.children[n], String(text)));
    },
  );
}

function makeCard(actions) {
  const summary = element(
    "summary",
    {},
    element("b", { class: "name" }),
    element("span", { class: "owns" }),
    element("span", { class: "cells" }),
    element("span", { class: "small" }),
  );
  const head = element("tr");
  for (const title of ["shard", "state", "latency", "last event", "resumed / identified", "epoch"]) head.append(element("th", {}, title));
  const drain = element("button", { type: "button", class: "drain" }, "Drain");
  const inside = element(
    "div",
    { class: "inside" },
    element("p", { class: "facts" }),
    element("div", { class: "wide" }, element("table", {}, element("thead", {}, head), element("tbody"))),
    drain,
  );
  const card = element("details", { class: "card" }, summary, inside);
  drain.addEventListener("click", () => actions.drain(card.dataset.key, card.classList.contains("draining")));
  return card;
}

function drawCard(card, process, shards, signed, status) {
  const bad = shards.some((shard) => shard.state === "failed");
  const good = shards.every((shard) => shard.state === "connected");
  setClass(card, `card ${process.role} ${process.draining ? "draining" : bad ? "bad" : good ? "good" : "busy"}`);
  const many = isMany(status);
  setText(card.querySelector(".name"), process.name);
  setText(card.querySelector(".owns"), process.role === "shard" ? owns(process, many) : process.role);
  drawCells(card.querySelector(".cells"), shards);
  const waits = many ? "" : process.waiting ? ` · ${process.waiting} unsaved` : "";
  const works = process.jobs.length ? ` · ${process.jobs.length} job${process.jobs.length > 1 ? "s" : ""}` : "";
  setText(card.querySelector(".small"), `${bytes(process.memory)} · lag ${process.lag_ms} ms${waits}${works}`);
  const drain = card.querySelector(".drain");
  setText(drain, process.draining ? "Bring back" : "Drain");
  setHidden(drain, !signed.includes("drain") || process.role !== "shard");
  if (!card.open) return;
  const url = process.url ? `${process.url}/healthz` : "no address";
  setText(card.querySelector(".facts"), `${process.role}, up ${span(process.seconds)}, answers at ${url}`);
  drawRows(card.querySelector("tbody"), shards);
  setHidden(card.querySelector(".wide"), process.role !== "shard");
}

export function drawMap(map, others, status, signed, actions) {
  const mine = new Map(status.processes.map((process) => [process.name, []]));
  const nobody = [];
  for (const shard of status.shards) (mine.get(shard.owner) ?? nobody).push(shard);
  const shardProcesses = status.processes.filter((process) => process.role === "shard");
  const first = (process) => mine.get(process.name)[0]?.shard_id ?? Number.MAX_SAFE_INTEGER;
  shardProcesses.sort((a, b) => first(a) - first(b) || a.name.localeCompare(b.name));
  const cards = [...shardProcesses];
  if (nobody.length) cards.push({ name: "nobody", role: "shard", range: "shards without an owner", jobs: [], errors: [], seconds: 0, lag_ms: 0, url: "", waiting: 0, memory: null });
  map.classList.toggle("many", isMany(status));
  // As many columns as the longest range has shards, so that each card has its cells in one row, or in two equal ones.
  const longest = Math.max(1, ...shardProcesses.map((process) => mine.get(process.name).length));
  map.style.setProperty("--cells", String(longest > 32 ? Math.ceil(longest / Math.ceil(longest / 32)) : longest));
  const draw = (card, process) => drawCard(card, process, process.name === "nobody" ? nobody : mine.get(process.name), process.name === "nobody" ? [] : signed, status);
  keyed(map, cards, (process) => process.name, () => makeCard(actions), draw);
  keyed(others, status.processes.filter((process) => process.role !== "shard"), (process) => process.name, () => makeCard(actions), draw);
}

// Discord's rule: (guild_id >> 22) % shard_count.
export function findGuild(text, status) {
  if (!/^[0-9]{15,20}$/.test(text) || !status?.shard_count) return "";
  const shardId = Number((BigInt(text) >> 22n) % BigInt(status.shard_count));
  const shard = status.shards.find((each) => each.shard_id === shardId);
  return shard ? `shard ${shardId}, ${shard.owner ?? "nobody"}, ${shard.state}` : "";
}
