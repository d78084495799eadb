// Slash commands: which there are, and the form for the options of the chosen one.

import * as api from "/page/api.js";
import { $, fill, h } from "/page/dom.js";
import { check, field, read } from "/page/fields.js";
import { runCommand, suggestions } from "/page/interactions.js";
import { attempt, clear, notice } from "/page/notice.js";
import { state } from "/page/state.js";

const FRESH = 5000; // ms; a bot may register its commands at any time

// Sub-commands become entries of their own: "listen add".
function flatten(command) {
  const leaves = (parts, about, options) => {
    const subs = (options ?? []).filter((o) => o.type === 1 || o.type === 2);
    if (!subs.length) return [{ name: parts.join(" "), description: about, options: options ?? [] }];
    return subs.flatMap((s) => leaves([...parts, s.name], s.description, s.options));
  };
  return leaves([command.name], command.description, command.options);
}

export async function commandsOf(guildId) {
  const known = state.commands.get(guildId);
  if (known && Date.now() - known.at < FRESH) return known.list;
  const got = await attempt(() => api.getCommands(guildId));
  if (!got) return known?.list ?? [];
  const list = got.filter((c) => (c.type ?? 1) === 1).flatMap(flatten).sort((a, b) => (a.name < b.name ? -1 : 1));
  state.commands.set(guildId, { list, at: Date.now() });
  return list;
}

// What fits to the typed text best comes first.
export function matching(list, text) {
  const wanted = text.toLowerCase().trimEnd();
  const rank = (c) => (c.name === wanted ? 0 : c.name.startsWith(wanted) ? 1 : c.name.includes(wanted) ? 2
    : wanted && c.description?.toLowerCase().includes(wanted) && !wanted.includes(" ") ? 3 : 9);
  return list.map((c) => [rank(c), c]).filter(([r]) => r < 9).sort((a, b) => a[0] - b[0]).map(([, c]) => c);
}

const FEW = 5; // options that are named, and shown at once

export const asSuggestion = (c) => ({
  value: c.name, title: `/${c.name}`, about: c.description,
  more: c.options.slice(0, FEW).map((o) => (o.required ? o.name : `${o.name}?`)).join(" ") + (c.options.length > FEW ? " …" : ""),
});

// The inputs of a command; those of a long list that nobody needs wait behind a button.
function inputs(command, ask) {
  const all = command.options.map((o) => field(o, ask));
  const rest = all.filter((node, n) => n >= FEW && !command.options[n].required);
  if (rest.length < 2) return all;
  for (const node of rest) node.hidden = true;
  const more = h("button", { type: "button", class: "plain more-options", onclick: () => {
    more.remove();
    for (const node of rest) node.hidden = false;
    rest[0].querySelector("[data-option]").focus();
  } }, `${rest.length} more options`);
  return [...all, more];
}

export const formOpen = () => !$("command-options").hidden;

// Show the form for a command; `left` is called when it is gone again.
export function openForm(command, left) {
  const form = $("command-options");
  const channelId = state.channelId;
  const run = h("button", { type: "submit", class: "primary" }, "Run");
  const close = () => {
    form.hidden = true;
    $("write").hidden = false;
    fill(form);
    left();
  };
  fill(form,
    h("div", { class: "row" }, h("strong", {}, `/${command.name}`), h("span", { class: "about" }, command.description)),
    h("div", { class: "fields" }, inputs(command, (name) => suggestions(channelId, command.name, name, read(form).values))),
    h("div", { class: "row end" },
      h("small", { class: "keys" }, "Enter runs it, Escape leaves"),
      h("button", { type: "button", class: "quiet", onclick: close }, "Cancel"), run));
  form.setAttribute("aria-label", `Options of /${command.name}`);
  form.onsubmit = async (event) => {
    event.preventDefault();
    if (run.disabled || !check(form)) return;
    const { values, files } = read(form);
    run.disabled = true;
    const done = await attempt(async () => { await runCommand(channelId, command.name, values, files); return true; });
    run.disabled = false;
    if (done) {
      clear();
      close();
      form.dispatchEvent(new CustomEvent("ran", { detail: command.name, bubbles: true }));
    }
  };
  form.onkeydown = (event) => {
    if (event.key === "Escape") { event.preventDefault(); close(); }
    // Enter runs the command from a menu or file input too, where a browser would not.
    if (event.key === "Enter" && !event.isComposing && event.target.matches("select, input[type=file]")) { event.preventDefault(); form.requestSubmit(); }
  };
  form.hidden = false;
  $("write").hidden = true;
  (form.querySelector("[data-option]") ?? run).focus();
}

// Close it without a word, as when one goes to another channel.
export function closeForm() {
  if (!formOpen()) return;
  $("command-options").hidden = true;
  $("write").hidden = false;
  fill($("command-options"));
  notice("The command was left behind in the other channel.");
}
