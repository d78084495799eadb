// The server list and the channel list.

import { $, arrows, fill, h, hidden, initials } from "/page/dom.js";
import { canWriteIn, byId, go, guild, isThread, on, state } from "/page/state.js";

let went = () => {};

export function start(onGo) {
  went = onGo;
  on("guilds place", render);
  arrows($("guilds"), "button");
  arrows($("channels"), "button");
}

function render() {
  const focused = document.activeElement?.dataset?.go;
  guildList();
  channelList();
  if (focused) document.querySelector(`[data-go="${CSS.escape(focused)}"]`)?.focus();
}

function guildList() {
  fill($("guilds"), [...state.guilds.values()].slice(0, 500).map((g) => {
    const marks = [...g.channels.keys()].map((id) => state.unread.get(id)).filter(Boolean);
    const mentions = marks.reduce((sum, mark) => sum + mark.mentions, 0);
    const here = g.id === state.guildId;
    return h("button", {
      type: "button", class: `guild ${marks.length && !here ? "unread" : ""}`, title: g.name, data: { guildId: g.id, go: `g${g.id}` },
      "aria-current": here ? "true" : undefined, onclick: () => { go({ guildId: g.id, channelId: null }); went("guild"); },
    }, h("span", { "aria-hidden": "true" }, initials(g.name)), hidden(g.name + (marks.length ? ", unread" : "")),
    mentions > 0 && h("span", { class: "count" }, String(mentions), hidden(" mentions")));
  }));
}

// Categories with their channels, each with its threads.
function channelList() {
  const g = guild();
  $("guild-name").textContent = g?.name ?? "No server";
  document.title = g ? `${g.channels.get(state.channelId)?.name ?? ""} · ${g.name}` : "Discord stand-in";
  if (!g) return fill($("channels"), h("p", { class: "empty" }, "There are no servers yet."));
  const all = [...g.channels.values()].sort((a, b) => (a.position ?? 0) - (b.position ?? 0) || byId(a.id, b.id));
  const inside = (id) => all.filter((c) => !isThread(c) && c.type !== 4 && (c.parent_id ?? null) === id);
  const categories = all.filter((c) => c.type === 4);
  const known = new Set(categories.map((c) => c.id));
  const loose = all.filter((c) => !isThread(c) && c.type !== 4 && !known.has(c.parent_id));
  const list = (channels) => h("ul", {}, channels.map((c) => h("li", {}, item(c), threads(c, all))));
  return fill($("channels"), list(loose), categories.map((c) => [h("h3", {}, c.name), list(inside(c.id))]));
}

function threads(parent, all) {
  const mine = all.filter((c) => isThread(c) && c.parent_id === parent.id && (!c.archived || c.id === state.channelId));
  return mine.length > 0 && h("ul", { class: "threads" }, mine.map((c) => h("li", {}, item(c))));
}

export const sign = (c) => (isThread(c) ? "↳" : { 2: "♪", 5: "!", 13: "♪", 15: "≡", 16: "≡" }[c.type] ?? "#");

function item(c) {
  const here = c.id === state.channelId;
  const mark = here ? null : state.unread.get(c.id);
  return h("button", {
    type: "button", class: `channel ${mark ? "unread" : ""} ${isThread(c) ? "thread" : ""}`, disabled: !canWriteIn(c),
    data: { channelId: c.id, go: `c${c.id}`, ...(c.nsfw && { nsfw: "true" }) },
    "aria-current": here ? "page" : undefined, onclick: () => { go({ channelId: c.id }); went("channel"); },
  }, h("span", { class: "sign", "aria-hidden": "true" }, sign(c)),
  h("span", { class: "name" }, c.name), isThread(c) && hidden(" (thread)"),
  c.nsfw && h("span", { class: "nsfw", title: "Age-restricted" }, h("span", { "aria-hidden": "true" }, "18+"), hidden("age-restricted")),
  mark && hidden("unread"),
  mark?.mentions > 0 && h("span", { class: "count" }, String(mark.mentions), hidden(" mentions")));
}

// Alt+↑ and Alt+↓: the channel above or below.
export function step(by) {
  const ids = [...$("channels").querySelectorAll("button:not(:disabled)")].map((b) => b.dataset.channelId);
  const next = ids[(ids.indexOf(state.channelId) + by + ids.length) % ids.length];
  if (next) { go({ channelId: next }); went("step"); }
}
