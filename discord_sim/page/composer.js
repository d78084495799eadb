// Where one writes: text, files, mentions, and the beginning of commands.

import * as api from "/page/api.js";
import * as commands from "/page/commands.js";
import * as complete from "/page/complete.js";
import { $, fill, h } from "/page/dom.js";
import { icon } from "/page/icons.js";
import { size } from "/page/media.js";
import { editLastOwn, focusLast } from "/page/messages.js";
import { attempt, clear, notice } from "/page/notice.js";
import { channel, changed, guild, isThread, log, on, state, upsert } from "/page/state.js";

const MOST = 2000; // characters
const MOST_FILES = 10;
const TELL = 8000; // ms; typing is forgotten after ten seconds

const drafts = new Map(); // channel id → text
let files = [];
let at = null; // channel id the composer shows
let told = { at: 0 }; // when the others last heard that we write, and where
let sending = Promise.resolve(); // messages go out one after the other

export function start() {
  const box = $("composer");
  box.addEventListener("input", () => { grow(); hints(); tellTyping(); });
  box.addEventListener("keydown", keys);
  box.addEventListener("click", hints);
  box.addEventListener("blur", () => setTimeout(() => document.activeElement !== box && complete.close(), 150));
  box.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) { event.preventDefault(); addFiles(event.clipboardData.files); }
  });
  $("send").addEventListener("click", () => send());
  $("attach-button").addEventListener("click", () => $("attach").click());
  $("attach").addEventListener("change", (event) => {
    addFiles(event.target.files);
    event.target.value = "";
    box.focus();
  });
  dropping();
  on("place composer messages", render);
  on("typing place", typing);
}

function render() {
  const c = channel();
  const box = $("composer");
  if (at !== state.channelId) {
    if (at) drafts.set(at, box.value);
    at = state.channelId;
    box.value = drafts.get(at) ?? "";
    state.replyTo = null;
    complete.close();
    commands.closeForm();
    grow();
  }
  box.placeholder = c ? `Message ${isThread(c) ? "" : "#"}${c.name}` : "Choose a channel first";
  box.disabled = $("send").disabled = $("attach-button").disabled = !c || !state.memberId;
  const m = state.replyTo && log(at).messages.get(state.replyTo);
  $("reply").hidden = !m;
  fill($("reply"), m && ["Replying to ", h("b", {}, m.author?.username), h("button", { type: "button", class: "icon", "aria-label": "Do not reply", onclick: noReply }, icon("close", 16))]);
}

function noReply() {
  state.replyTo = null;
  changed("composer");
  $("composer").focus();
}

function grow() {
  const box = $("composer");
  box.style.height = "auto";
  box.style.height = `${Math.min(box.scrollHeight, innerHeight * 0.4)}px`;
  const length = [...box.value].length;
  $("count").textContent = length > MOST - 200 ? String(MOST - length) : "";
  $("count").classList.toggle("over", length > MOST);
}

// The others see that somebody writes; that they do not is no reason to trouble the one who does.
function tellTyping() {
  const now = Date.now();
  if (!$("composer").value.trim() || slash($("composer")) !== null || (told.channel === at && told.member === state.memberId && now - told.at < TELL)) return;
  told = { at: now, channel: at, member: state.memberId };
  api.postTyping(at, state.memberId).catch(() => {});
}

// ── Sending ──

async function send() {
  const box = $("composer");
  const content = box.value.trim();
  if (!content && !files.length) return;
  if ([...content].length > MOST) { notice(`A message has at most ${MOST} characters.`, { bad: true }); return; }
  const channelId = at;
  told = { at: 0 };
  const reply = state.replyTo;
  const attached = files;
  const payload = { author: state.memberId, content };
  if (reply) payload.reply_to = reply;
  box.value = "";
  drafts.delete(channelId);
  files = [];
  state.replyTo = null;
  uploads();
  grow();
  complete.close();
  changed("composer");
  sending = sending.then(async () => {
    const sent = await attempt(() => api.postMessage(channelId, payload, attached));
    if (sent?.id && log(channelId).loaded) upsert({ channel_id: channelId, ...sent }, { over: false });
    if (sent !== undefined) clear();
    // What could not be sent is not lost.
    if (sent === undefined) {
      if (at !== channelId) drafts.set(channelId, content);
      else if (!box.value && !files.length) {
        box.value = content;
        files = attached;
        state.replyTo = reply;
        uploads();
        grow();
        changed("composer");
      }
    }
  });
  await sending;
}

function keys(event) {
  if (event.isComposing) return;
  if (complete.key(event)) return;
  const box = event.target;
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    // A hasty Enter after "/mark" must choose the command, although the list is still on its way.
    if (slash(box)) hurried();
    else send();
  } else if (event.key === "ArrowUp" && box.value === "" && !event.shiftKey) {
    if (editLastOwn()) event.preventDefault();
  } else if (event.key === "Escape") {
    if (state.replyTo) noReply();
    else focusLast();
  } else if (event.key === "PageUp" || event.key === "PageDown") {
    event.preventDefault();
    $("scroller").scrollBy(0, (event.key === "PageUp" ? -0.8 : 0.8) * $("scroller").clientHeight);
  }
}

async function hurried() {
  const list = commands.matching(await commands.commandsOf(state.guildId), $("composer").value.slice(1));
  if (!complete.isOpen() && list.length && list[0].name.startsWith($("composer").value.slice(1).trim()) && slash($("composer")).trim()) chooseCommand(list[0].name);
  else send();
}

// ── Suggestions ──

const slash = (box) => (/^\/[^\n]*$/.test(box.value) && !files.length ? box.value.slice(1) || " " : null);

async function hints() {
  const box = $("composer");
  const wanted = slash(box);
  if (wanted !== null) {
    const list = await commands.commandsOf(state.guildId);
    if (slash(box) !== wanted || commands.formOpen()) return;
    const fitting = commands.matching(list, wanted.trim());
    complete.suggest(fitting.map(commands.asSuggestion), chooseCommand,
      { empty: list.length || wanted.trim() ? null : "No commands here yet. Is a bot connected?" });
    return;
  }
  const before = box.value.slice(0, box.selectionStart);
  const m = /(?:^|[\s(])([@#])([\p{L}\p{N}_.-]{0,32})$/u.exec(before);
  if (!m) { complete.close(); return; }
  const [, sign, begun] = m;
  const all = sign === "@"
    ? [...guild()?.members.values() ?? []].map((u) => ({ value: `<@${u.id}>`, title: `@${u.username}`, name: u.username, about: u.bot ? "bot" : u.admin ? "admin" : "" }))
    : [...guild()?.channels.values() ?? []].filter((c) => c.type !== 4).map((c) => ({ value: `<#${c.id}>`, title: `#${c.name}`, name: c.name }));
  const lower = begun.toLowerCase();
  const fitting = all.filter((x) => x.name.toLowerCase().includes(lower))
    .sort((a, b) => b.name.toLowerCase().startsWith(lower) - a.name.toLowerCase().startsWith(lower)).slice(0, 8);
  complete.suggest(fitting, (value) => replace(box.selectionStart - begun.length - 1, `${value} `));
}

function replace(from, text) {
  const box = $("composer");
  box.setRangeText(text, from, box.selectionStart, "end");
  box.focus();
  grow();
}

export function insertMention(id) {
  const box = $("composer");
  if (commands.formOpen() || box.disabled) return;
  const space = box.selectionStart > 0 && !/\s$/.test(box.value.slice(0, box.selectionStart)) ? " " : "";
  replace(box.selectionStart, `${space}<@${id}> `);
}

function chooseCommand(name) {
  const command = state.commands.get(state.guildId)?.list.find((c) => c.name === name);
  if (!command) return;
  $("composer").value = "";
  grow();
  complete.close();
  commands.openForm(command, () => $("composer").focus());
}

// ── Files ──

function addFiles(list) {
  files = [...files, ...list];
  if (files.length > MOST_FILES) notice(`A message takes at most ${MOST_FILES} files.`, { bad: true });
  files = files.slice(0, MOST_FILES);
  uploads();
}

function uploads() {
  const list = $("uploads");
  for (const img of list.querySelectorAll("img")) URL.revokeObjectURL(img.src);
  list.hidden = files.length === 0;
  fill(list, files.map((file, n) => h("li", {},
    file.type.startsWith("image/") && h("img", { src: URL.createObjectURL(file), alt: "" }),
    h("span", { class: "name" }, file.name || "pasted file"), h("small", {}, size(file.size)),
    h("button", { type: "button", class: "icon", "aria-label": `Remove ${file.name}`, onclick: () => { files.splice(n, 1); uploads(); $("composer").focus(); } }, icon("close", 16)))));
}

function dropping() {
  const main = $("main");
  const carries = (event) => event.dataTransfer?.types.includes("Files");
  const over = (yes) => main.classList.toggle("dropping", yes);
  main.addEventListener("dragover", (event) => { if (carries(event)) { event.preventDefault(); over(true); } });
  main.addEventListener("dragleave", (event) => { if (!main.contains(event.relatedTarget)) over(false); });
  main.addEventListener("drop", (event) => {
    over(false);
    if (!carries(event)) return;
    event.preventDefault();
    addFiles(event.dataTransfer.files);
    $("composer").focus();
  });
}

function typing() {
  const names = [...state.typing.get(state.channelId)?.keys() ?? []]
    .map((id) => guild()?.members.get(id)?.username ?? (state.bot?.id === id ? state.bot.username : "Someone"));
  $("typing").textContent = names.length === 0 ? "" : names.length > 3 ? "Several people are typing…"
    : `${names.join(", ")} ${names.length === 1 ? "is" : "are"} typing…`;
}
