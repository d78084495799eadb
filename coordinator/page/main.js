// Asks for /status.json every two seconds, while somebody looks, and draws it.

import { byId, setHidden, setText } from "/page/dom.js";
import { actions, say, signedActs, start } from "/page/control.js";
import { drawMap, findGuild } from "/page/map.js";
import { drawCaches, drawFaults, drawFigures, drawFlags, drawHappened, drawIdentifies, drawQueue } from "/page/panels.js";
import { span } from "/page/words.js";

const EVERY = 2000;
let latest = null;

function drawSummary(status) {
  const number = (role, one, many) => {
    const found = status.processes.filter((process) => process.role === role).length;
    return `${found} ${found === 1 ? one : many}`;
  };
  const leader = status.leader ? `led by ${status.leader}` : "led by nobody";
  setText(byId("summary"), `${number("shard", "shard process", "shard processes")}, ${number("worker", "worker", "workers")}; ${leader}; last move: ${status.why}`);
}

function drawFound() {
  setText(byId("found"), findGuild(byId("guild").value.trim(), latest));
}

function draw() {
  const status = latest;
  const old = status.trouble && status.processes ? ` Shown is what was ${span(Date.now() / 1000 - status.at)} ago.` : "";
  setText(byId("trouble"), status.trouble ? `${status.trouble}.${old}` : "");
  setHidden(byId("trouble"), !status.trouble);
  document.body.classList.toggle("stale", Boolean(status.trouble));
  if (status.history) drawHappened(status.happened);
  if (!status.processes) return;
  const signed = signedActs();
  drawSummary(status);
  drawFaults(status);
  drawFigures(status);
  drawMap(byId("map"), byId("others"), status, signed, actions);
  drawIdentifies(status.identifies);
  drawQueue(status.queue);
  drawCaches(status.caches);
  drawFlags(status.flags, signed, actions);
  drawFound();
}

async function refresh() {
  try {
    const response = await fetch("/status.json");
    latest = await response.json();
  } catch (error) {
    latest = { ...latest, trouble: `This coordinator does not answer: ${error.message}` };
  }
  draw();
}

async function forEver() {
  if (!document.hidden) await refresh();
  setTimeout(forEver, EVERY);
}

document.addEventListener("visibilitychange", () => document.hidden || refresh());
byId("map").addEventListener("toggle", () => latest?.processes && draw(), true);
byId("others").addEventListener("toggle", () => latest?.processes && draw(), true);
byId("guild").addEventListener("input", drawFound);
byId("find").addEventListener("submit", (event) => event.preventDefault());
start().catch((error) => say(error.message, true));
forEver();
