// Puts the page together: where we are (kept in the address), the live socket, the drawers, the keys.

import * as api from "/page/api.js";
import * as channels from "/page/channels.js";
import { commandsOf } from "/page/commands.js";
import * as composer from "/page/composer.js";
import { $, fill, h } from "/page/dom.js";
import { event, whenUnsure } from "/page/events.js";
import { draw } from "/page/icons.js";
import { follow, listen } from "/page/live.js";
import * as members from "/page/members.js";
import * as messages from "/page/messages.js";
import { attempt } from "/page/notice.js";
import { channel, changed, go, log, on, recall, remember, state, takeState } from "/page/state.js";

// ── Where we are: #/guild/channel/member ──

function fromAddress() {
  const [, guildId, channelId, memberId] = location.hash.split("/");
  return { guildId: guildId || recall("guild"), channelId: channelId || null, memberId: memberId || recall("member") };
}

function arrived() {
  if (!state.guildId) return;
  const place = `#/${state.guildId}/${state.channelId ?? ""}/${state.memberId ?? ""}`;
  if (location.hash !== place) history.replaceState(null, "", place);
  remember("guild", state.guildId);
  const c = channel();
  fill($("channel-name"), c && [h("span", { class: "sign", "aria-hidden": "true" }, channels.sign(c)), " ", c.name, c.nsfw && h("span", { class: "nsfw" }, "18+")]);
  if (state.channelId) messages.load(state.channelId);
  follow(state.memberId);
}

async function begin() {
  const got = await attempt(api.getState);
  if (!got) {
    $("guild-name").textContent = "No server yet";
    setTimeout(begin, 2000);
    return;
  }
  takeState(got);
  go(fromAddress());
}

let refreshing = null;

// Something changed that is simplest to ask for anew; many such events make one request.
function refresh() {
  refreshing ??= setTimeout(async () => {
    refreshing = null;
    const got = await attempt(api.getState);
    if (!got) return;
    takeState(got);
    go({});
  }, 300);
}

// After a lost connection all we hold may be out of date.
function caughtUp() {
  refresh();
  for (const [id, l] of state.logs) if (id !== state.channelId) l.loaded = false;
  if (state.channelId && log(state.channelId).loaded) messages.load(state.channelId, { again: true });
}

// ── Drawers ──

const narrow = matchMedia("(max-width: 760px)");
const wide = matchMedia("(min-width: 1100px)");

function drawer(id, button, isDrawer) {
  const node = $(id);
  const set = (open) => {
    node.classList.toggle("open", open);
    $(button).setAttribute("aria-expanded", String(open));
    const away = isDrawer() && !open;
    node.inert = away;
    $("shade").hidden = !document.querySelector("#nav.open, #members.open") || !(narrow.matches || isDrawer());
  };
  $(button).addEventListener("click", () => {
    set(!node.classList.contains("open"));
    if (node.classList.contains("open")) node.querySelector("[aria-current], button")?.focus();
  });
  set(false);
  return set;
}

const setNav = drawer("nav", "open-nav", () => narrow.matches);
const setMembers = drawer("members", "open-members", () => !wide.matches);
const closeDrawers = () => { setNav(false); setMembers(false); };
narrow.addEventListener("change", closeDrawers);
wide.addEventListener("change", closeDrawers);
$("shade").addEventListener("click", closeDrawers);

// ── Hint and help ──

async function hint() {
  $("hint").hidden = true;
  if (!state.guildId || recall("hint") === "seen") return;
  const list = await commandsOf(state.guildId);
  const mark = list.some((c) => c.name === "mark");
  fill($("hint-text"), h("b", {}, "New here? "), "Write something, then ", h("kbd", {}, mark ? "/mark" : "/"), mark ? "." : " to see the commands.");
  $("hint").hidden = recall("hint") === "seen";
}

const hintSeen = () => { remember("hint", "seen"); $("hint").hidden = true; };
$("hint-close").addEventListener("click", () => { hintSeen(); $("composer").focus(); });
document.addEventListener("ran", hintSeen);

const KEYS = [
  ["Enter", "send"], ["Shift + Enter", "new line"], ["↑ in an empty line", "edit your last message"],
  ["/", "commands"], ["@ and #", "mention members and channels"], ["Alt + ↑ / ↓", "channel above or below"],
  ["Escape", "from writing to the messages (↑ ↓) and back"], ["R, E, T, Delete", "reply to, edit, thread or delete the chosen message"],
  ["Page Up / Down", "scroll the messages"], ["Ctrl + /", "this list"],
];

function help() {
  fill($("help"), h("h2", { id: "help-title" }, "Keyboard shortcuts"),
    h("dl", { class: "keys" }, KEYS.map(([key, what]) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)))),
    h("form", { method: "dialog", class: "row end" }, h("button", { class: "primary" }, "Close")));
  $("help").showModal();
}

$("open-help").addEventListener("click", help);

// ── Keys for the whole page ──

addEventListener("keydown", (e) => {
  if (document.querySelector("dialog[open]")) return;
  if (e.altKey && (e.key === "ArrowUp" || e.key === "ArrowDown")) {
    e.preventDefault();
    channels.step(e.key === "ArrowUp" ? -1 : 1);
  } else if (e.key === "/" && (e.ctrlKey || e.metaKey)) {
    e.preventDefault();
    help();
  } else if (e.key === "Escape" && document.querySelector("#nav.open, #members.open")) {
    const button = document.querySelector("#nav.open") ? $("open-nav") : $("open-members");
    closeDrawers();
    button.focus();
  }
});

document.querySelector("[data-skip]").addEventListener("click", (e) => { e.preventDefault(); $("composer").focus(); });

// ── Start ──

const coarse = matchMedia("(pointer: coarse)");
const write = () => { if (!coarse.matches) $("composer").focus(); };

draw();
channels.start((how) => {
  if (how !== "guild") closeDrawers();
  if (how === "channel") setTimeout(write, 50);
});
members.start((id) => { closeDrawers(); composer.insertMention(id); }, () => changed("messages"));
messages.start();
composer.start();
whenUnsure(refresh);
listen({ event, back: caughtUp });
on("place", arrived);
on("place guilds", hint);
addEventListener("hashchange", () => go(fromAddress()));
addEventListener("visibilitychange", () => {
  if (!document.hidden && state.unread.delete(state.channelId)) changed("guilds");
});
begin().then(write);
