// The message list: rows kept by id, the scroll position, and what one can do with a message.

import * as api from "/page/api.js";
import { componentsOf } from "/page/components.js";
import { $, add, avatar, fill, h, hidden } from "/page/dom.js";
import { icon } from "/page/icons.js";
import { busy, dismiss, rows } from "/page/interactions.js";
import { markdown } from "/page/markdown.js";
import { attachment, embed } from "/page/media.js";
import { attempt } from "/page/notice.js";
import { mayStart, startThread, threadOf } from "/page/threads.js";
import { canWriteIn, channel, changed, flush, forget, go, guild, isThread, log, me, on, state, upsert, userName, visible } from "/page/state.js";

const PAGE = 50;
const KEEP = 400; // rows kept while one reads at the end
const LOADING = 128;
const EPHEMERAL = 64;
const TALK = new Set([undefined, 0, 19, 20, 23]);

const shown = new Map(); // row id → { node, mark }
let shownChannel = null;
let pinned = true; // reading at the end: stay there
let used = null; // a button or menu that had the focus and waits for its answer: { row, part }
let active = null; // id of the row that has the Tab key's stop

export function start() {
  on("messages place members", render);
  const scroller = $("scroller");
  scroller.addEventListener("scroll", () => {
    pinned = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 60;
    if (pinned) $("jump").hidden = true;
    if (scroller.scrollTop < 300) older();
  }, { passive: true });
  // Pictures that arrive late and a keyboard that opens must not push the end out of sight.
  const keep = new ResizeObserver(() => { if (pinned) toEnd(); });
  keep.observe($("messages"));
  keep.observe(scroller);
  $("jump").addEventListener("click", () => { toEnd(); $("composer").focus(); });
  $("messages").addEventListener("keydown", keys);
  $("messages").addEventListener("focusin", (event) => setActive(event.target.closest("[data-message-id]")?.dataset.messageId));
}

function toEnd() {
  const scroller = $("scroller");
  scroller.scrollTop = scroller.scrollHeight;
  pinned = true;
  $("jump").hidden = true;
}

// Fetch the newest messages of a channel, once, or again to fill a gap.
export async function load(channelId, { again = false } = {}) {
  const l = log(channelId);
  if (l.loading || (l.loaded && !again)) return;
  l.loading = attempt(() => api.getMessages(channelId, { limit: PAGE }));
  const got = await l.loading;
  l.loading = null;
  if (!got) return;
  if (again) {
    // Anything older that we hold may be out of date as well; start over, but keep what is only ours.
    for (const [id, m] of l.messages) if (!m.only) l.messages.delete(id);
  }
  l.loaded = true;
  l.complete = got.length < PAGE;
  for (const m of got) upsert({ ...m, channel_id: m.channel_id ?? channelId }, { over: again });
  changed("messages");
}

async function older() {
  const channelId = state.channelId;
  const l = channelId && log(channelId);
  if (!l || !l.loaded || l.complete || l.loading) return;
  const first = visible(channelId).find((m) => !m.only);
  if (!first) return;
  $("older").hidden = false;
  l.loading = attempt(() => api.getMessages(channelId, { before: first.id, limit: PAGE }));
  const got = await l.loading;
  l.loading = null;
  $("older").hidden = true;
  if (!got) return;
  if (got.length < PAGE) l.complete = true;
  for (const m of got) upsert({ ...m, channel_id: m.channel_id ?? channelId }, { over: false });
  changed("messages");
}

function render() {
  const list = $("messages");
  const scroller = $("scroller");
  const switched = shownChannel !== state.channelId;
  if (switched) {
    for (const { node } of shown.values()) node.remove();
    shown.clear();
    shownChannel = state.channelId;
    pinned = true;
    active = null;
  }
  if (!state.channelId) return;
  // Filling a channel is not news; only what comes later is read out.
  $("log").setAttribute("aria-live", switched || !log(state.channelId).loaded ? "off" : "polite");
  trim();

  const wanted = [...visible(state.channelId).map((m) => ({ id: m.id, m })), ...rows(state.channelId).map((i) => ({ id: `i-${i.id}`, i }))];
  const ids = new Set(wanted.map((w) => w.id));
  const heightBefore = scroller.scrollHeight;
  const topBefore = scroller.scrollTop;
  const firstBefore = list.firstElementChild?.dataset.messageId;
  const lastBefore = list.lastElementChild?.dataset.messageId;

  for (const [id, row] of shown) {
    if (ids.has(id)) continue;
    const beside = row.node.nextElementSibling ?? row.node.previousElementSibling;
    if (row.node.contains(document.activeElement)) (beside?.dataset.messageId ? beside : $("composer")).focus();
    row.node.remove();
    shown.delete(id);
  }

  const focusedRow = document.activeElement?.closest?.("[data-message-id]")?.dataset.messageId;
  const focusedPart = document.activeElement?.dataset?.customId;
  let previous = null;
  let place = list.firstElementChild;
  for (const w of wanted) {
    const follows = w.m ? continues(previous, w.m) : false;
    const day = w.m && (!previous || dayOf(previous) !== dayOf(w.m)) ? dayOf(w.m) : "";
    // Whatever makes a difference to how the row looks; if nothing did, the row stays as it is.
    const mark = [w.m ?? w.i.state, follows, day, state.editing === w.id, state.memberId, w.m && busy(w.id), w.m?.message_reference && reference(w.m), w.m && threadOf(w.m)?.name];
    const known = shown.get(w.id);
    if (!known || mark.some((part, n) => part !== known.mark[n])) {
      const editing = state.editing === w.id && known?.mark[3];
      const node = editing ? known.node : w.m ? row(w.m, follows, day) : thinking(w.i);
      if (known && node !== known.node) {
        if (place === known.node) place = node;
        known.node.replaceWith(node);
        if (focusedRow === w.id && state.editing !== w.id) {
          const wanted = focusedPart ?? (used?.row === w.id ? used.part : null);
          const part = wanted && node.querySelector(`[data-custom-id="${CSS.escape(wanted)}"]:enabled`);
          used = wanted && !part ? { row: w.id, part: wanted } : null;
          (part || node).focus({ preventScroll: true });
        }
      }
      shown.set(w.id, { node, mark });
    }
    const { node } = shown.get(w.id);
    if (place === node) place = place.nextElementSibling;
    else list.insertBefore(node, place);
    if (w.m) previous = w.m;
  }

  beginning();
  const end = wanted.at(-1)?.id;
  if (!shown.has(active)) setActive(end);
  else setActive(active);
  if (switched || pinned) toEnd();
  else if (firstBefore && wanted[0]?.id !== firstBefore) scroller.scrollTop = topBefore + scroller.scrollHeight - heightBefore;
  if (!pinned && end !== lastBefore) $("jump").hidden = false;
  if (scroller.scrollHeight <= scroller.clientHeight + 300) older();
  const editor = state.editing && list.querySelector(".editor");
  if (editor && !editor.contains(document.activeElement) && !editor.dataset.begun) {
    editor.dataset.begun = "1";
    const area = editor.querySelector("textarea");
    area.focus();
    area.setSelectionRange(area.value.length, area.value.length);
  }
}

function trim() {
  const l = log(state.channelId);
  if (!pinned || l.messages.size <= KEEP + PAGE) return;
  const all = visible(state.channelId);
  for (const m of all.slice(0, all.length - KEEP)) l.messages.delete(m.id);
  l.complete = false;
}

function beginning() {
  const l = log(state.channelId);
  const box = $("beginning");
  box.hidden = !l.complete || !channel();
  if (box.hidden) return;
  const thread = isThread(channel());
  fill(box, h("strong", {}, `${thread ? "" : "#"}${channel().name}`), h("p", {}, l.messages.size ? `This is where the ${thread ? "thread" : "channel"} begins.` : "Nothing has been written here yet. Say hello!"));
}

const time = (m) => new Date(m.timestamp);
const dayOf = (m) => time(m).toDateString();

function continues(previous, m) {
  return Boolean(previous) && previous.author?.id === m.author?.id && previous.only === m.only && TALK.has(previous.type) && TALK.has(m.type)
    && !m.message_reference && !(m.interaction_metadata ?? m.interaction) && dayOf(previous) === dayOf(m) && time(m) - time(previous) < 7 * 60000;
}

function clock(m, { full } = {}) {
  const date = time(m);
  if (Number.isNaN(date.getTime())) return null;
  const hours = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const today = date.toDateString() === new Date().toDateString();
  return h("time", { datetime: date.toISOString(), title: date.toLocaleString() }, full && !today ? `${date.toLocaleDateString()} ${hours}` : hours);
}

export const own = (m) => m.author?.id === state.memberId && !m.only && TALK.has(m.type);
const mayDelete = (m) => !m.only && (own(m) || me()?.admin || guild()?.owner_id === state.memberId);
const mentionsMe = (m) => m.mention_everyone || m.mentions?.some((u) => u.id === state.memberId);

function reference(m) {
  return m.referenced_message ?? log(state.channelId).messages.get(m.message_reference?.message_id) ?? null;
}

function row(m, follows, day) {
  const ephemeral = Boolean(m.only || (m.flags ?? 0) & EPHEMERAL);
  const kind = ["message", follows && "follows", ephemeral && "ephemeral", mentionsMe(m) && "mentioned", m.author?.bot && "by-bot"].filter(Boolean).join(" ");
  const name = m.author?.username ?? "someone";
  const node = h("li", { class: kind, tabindex: "-1", data: { messageId: m.id, author: m.author?.id ?? "" } });
  if (day) add(node, h("div", { class: "day", role: "separator" }, time(m).toLocaleDateString([], { weekday: "long", year: "numeric", month: "long", day: "numeric" })));
  add(node, above(m));
  add(node, follows ? h("span", { class: "gutter" }, clock(m)) : avatar(m.author?.id, name));
  const body = h("div", { class: "body" });
  add(body, h("div", { class: follows ? "sr" : "head" },
    h("span", { class: "author" }, name),
    m.author?.bot && h("span", { class: "tag" }, "BOT"),
    !follows && clock(m, { full: true })));
  if (state.editing === m.id) add(body, editor(m));
  else add(body, content(m));
  if (m.attachments?.length) add(body, h("div", { class: "attachments" }, m.attachments.map(attachment)));
  add(body, (m.embeds ?? []).map((e) => embed(e, m.mentions)));
  add(body, componentsOf(m));
  if (m.reactions?.length) add(body, h("div", { class: "reactions" }, m.reactions.map((r) => h("span", {}, `${r.emoji?.name ?? "?"} ${r.count}`))));
  if (threadOf(m)) add(body, threadLink(threadOf(m)));
  if (ephemeral) add(body, h("div", { class: "only" }, icon("eye", 15), " Only you can see this · ", h("button", { type: "button", class: "plain dismiss", onclick: () => forget(m.channel_id, [m.id]) }, "Dismiss")));
  add(node, body);
  if (!ephemeral) add(node, tools(m));
  return node;
}

function content(m) {
  if ((m.flags ?? 0) & LOADING) return h("div", { class: "thinking" }, dots(), `${m.author?.username ?? "The application"} is thinking…`);
  const text = h("div", { class: "text content" });
  if (m.type === 7) add(text, h("em", {}, "joined the server."));
  else if (m.type === 6) add(text, h("em", {}, "pinned a message."));
  else if (m.type === 18) add(text, h("em", {}, "started a thread: "), m.content);
  else add(text, markdown(m.content, m.mentions));
  if (m.edited_timestamp && m.content) add(text, h("small", { class: "edited", title: new Date(m.edited_timestamp).toLocaleString() }, " (edited)"));
  return text.childNodes.length ? text : null;
}

// The line above a message: what it answers.
function above(m) {
  const cause = m.interaction_metadata ?? m.interaction;
  const command = state.interactions.get(cause?.id)?.name ?? m.interaction?.name ?? m.interaction_metadata?.name;
  if (cause && command) {
    const who = userName(cause.user?.id) ?? cause.user?.username ?? "Someone";
    return h("div", { class: "above" }, h("b", {}, who), " used ", h("code", {}, `/${command}`));
  }
  if (m.type === 18 || !(m.message_reference || m.referenced_message)) return null;
  const to = reference(m);
  if (!to) return h("div", { class: "above" }, h("em", {}, "The message this answers is not here any more."));
  const summary = to.content || (to.attachments?.length ? "an attachment" : to.embeds?.length ? "an embed" : "…");
  return h("button", { type: "button", class: "above plain", tabindex: "-1", onclick: () => jumpTo(to.id) },
    hidden("In reply to "), h("b", {}, to.author?.username ?? "someone"), " ", plainText(summary).slice(0, 140));
}

const plainText = (text) => text.replace(/<@!?(\d+)>/g, (all, id) => `@${userName(id) ?? "member"}`).replace(/[*_~`|]+/g, "").replace(/\s+/g, " ");

function jumpTo(id) {
  const row = shown.get(id);
  if (!row) return;
  row.node.scrollIntoView({ block: "center" });
  row.node.focus({ preventScroll: true });
}

function tools(m) {
  const tool = (action, label, text, run) => h("button", { type: "button", class: `tool ${action}`, "aria-label": label, title: label, data: { action }, onclick: run }, text);
  return h("div", { class: "tools", role: "group", "aria-label": "Message actions" },
    tool("reply", "Reply", icon("reply", 18), () => reply(m)),
    mayStart(m) && tool("thread", "Start a thread", icon("thread", 18), () => startThread(m)),
    own(m) && tool("edit", "Edit", icon("edit", 18), () => edit(m)),
    mayDelete(m) && tool("delete", "Delete", icon("delete", 18), () => remove(m)));
}

const threadLink = (thread) => h("button", { type: "button", class: "thread-link", onclick: () => { go({ channelId: thread.id }); $("composer").focus(); } },
  icon("thread", 16), h("span", {}, thread.name), h("small", {}, "thread"));

const dots = () => h("span", { class: "dots", "aria-hidden": "true" }, h("i", {}), h("i", {}), h("i", {}));

// The row of an interaction that has no message (yet).
function thinking(i) {
  const failed = i.state === "failed";
  const bot = state.bot ?? { id: "0", username: "The application" };
  return h("li", { class: `message pending ${i.ephemeral || failed ? "ephemeral" : ""}`, tabindex: "-1", data: { messageId: `i-${i.id}` } },
    i.name && h("div", { class: "above" }, h("b", {}, userName(i.user) ?? "You"), " used ", h("code", {}, `/${i.name}`)),
    avatar(bot.id, bot.username),
    h("div", { class: "body" },
      h("div", { class: "head" }, h("span", { class: "author" }, bot.username), h("span", { class: "tag" }, "BOT")),
      failed ? h("div", { class: "error" }, "The application did not respond.") : h("div", { class: "thinking" }, dots(), `${bot.username} is thinking…`),
      (failed || i.ephemeral) && h("div", { class: "only" }, icon("eye", 15), " Only you can see this",
        failed && [" · ", h("button", { type: "button", class: "plain dismiss", onclick: () => dismiss(i) }, "Dismiss")])));
}

// ── Doing things ──

export function reply(m) {
  if (!canWriteIn(channel())) return;
  state.replyTo = m.id;
  changed("composer");
  $("composer").focus();
}

export function edit(m) {
  state.editing = m.id;
  changed("messages");
  flush(); // at once, for whoever types on without waiting
}

export function editLastOwn() {
  const last = visible(state.channelId).filter(own).at(-1);
  if (last) edit(last);
  return Boolean(last);
}

export const focusLast = () => $("messages").lastElementChild?.focus();

async function remove(m) {
  await attempt(async () => {
    await api.deleteMessage(m.channel_id, m.id);
    forget(m.channel_id, [m.id]);
  });
}

function editor(m) {
  const area = h("textarea", { "aria-label": "Edit message", value: m.content, rows: "1", maxlength: "4000" });
  const grow = () => { area.style.height = "auto"; area.style.height = `${area.scrollHeight + 2}px`; };
  area.addEventListener("input", grow);
  requestAnimationFrame(grow);
  const leave = () => {
    state.editing = null;
    changed("messages");
    $("composer").focus();
  };
  const save = async () => {
    const text = area.value.trim();
    if (text === m.content) return leave();
    if (!text && !m.attachments?.length) return leave();
    const saved = await attempt(() => api.editMessage(m.channel_id, m.id, text));
    if (!saved) return area.focus();
    if (saved.id) upsert(saved);
    return leave();
  };
  area.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Escape") leave();
    else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      save();
    }
  });
  return h("div", { class: "editor" }, area,
    h("small", {}, "Escape to ", h("button", { type: "button", class: "plain", onclick: leave }, "cancel"), " · Enter to ", h("button", { type: "button", class: "plain", onclick: save }, "save")));
}

// ── Keyboard ──

function setActive(id) {
  if (!id || !shown.has(id)) return;
  if (active !== id) shown.get(active)?.node.setAttribute("tabindex", "-1");
  active = id;
  shown.get(id).node.setAttribute("tabindex", "0");
}

function keys(event) {
  const node = event.target;
  if (!node.matches?.("[data-message-id]") || event.ctrlKey || event.metaKey || event.altKey) return;
  const m = log(state.channelId).messages.get(node.dataset.messageId);
  const move = { ArrowUp: node.previousElementSibling, ArrowDown: node.nextElementSibling ?? $("composer"), Home: $("messages").firstElementChild, End: $("messages").lastElementChild }[event.key];
  if (move) move.focus();
  else if (event.key === "Escape") $("composer").focus();
  else if (m && event.key === "r") reply(m);
  else if (m && event.key === "e" && own(m)) edit(m);
  else if (m && event.key === "t" && mayStart(m)) startThread(m);
  else if (m && event.key === "Delete" && m.only) forget(m.channel_id, [m.id]);
  else if (m && event.key === "Delete" && mayDelete(m)) remove(m);
  else return;
  event.preventDefault();
}
