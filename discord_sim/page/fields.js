// Typed inputs for options: made, checked, read.

import * as complete from "/page/complete.js";
import { h } from "/page/dom.js";
import { guild } from "/page/state.js";

let count = 0;

// An option as Discord describes it → a labelled input. `ask(name)` gives the suggestions for what is typed so far.
export function field(option, ask) {
  const id = `field-${count += 1}`;
  const input = inputFor(option);
  input.id = id;
  input.dataset.option = option.name;
  input.dataset.type = String(option.type);
  if (input.name !== undefined) input.name = option.name;
  if (option.required) {
    input.required = true;
    input.setAttribute("aria-required", "true");
  }
  input.setAttribute("aria-describedby", `${id}-about ${id}-error`);
  input.addEventListener("input", () => { if (input.getAttribute("aria-invalid")) judge(input); });
  if (option.autocomplete) suggesting(input, option.name, ask);
  return h("div", { class: "field" },
    h("label", { for: id }, option.label ?? option.name,
      option.required ? h("span", { class: "required" }, " required") : h("span", { class: "optional" }, " optional")),
    input,
    h("small", { id: `${id}-about` }, [option.description !== "…" && option.description, range(option)].filter(Boolean).join(" ")),
    h("small", { id: `${id}-error`, class: "error", role: "alert" }));
}

function inputFor(o) {
  if (o.autocomplete) return h("input", { type: "text", autocomplete: "off", maxlength: o.max_length ?? 6000, role: "combobox", "aria-autocomplete": "list", "aria-controls": "complete", data: { needs: o.type === 3 ? "" : "number" } });
  if (o.choices?.length) return menu(o.choices.map((c) => [String(c.value), c.name]), o);
  switch (o.type) {
    case 4: return number(o, "1");
    case 10: return number(o, "any");
    case 5: return menu([["true", "True"], ["false", "False"]], o);
    case 6: return menu(people(), o);
    case 7: return menu(channels(o.channel_types), o);
    case 8: return menu(roles(), o);
    case 9: return mentionable(o);
    case 11: return h("input", { type: "file" });
    default: {
      const props = { minlength: o.min_length, maxlength: o.max_length ?? 6000, placeholder: o.placeholder, autocomplete: "off" };
      const input = o.long ? h("textarea", { ...props, rows: "4" }) : h("input", { ...props, type: "text" });
      if (o.value) input.value = o.value;
      return input;
    }
  }
}

const PAUSE = 150; // ms without a key before suggestions are asked for

// What is shown is a choice's name; what counts is its value, for as long as the text stays what was chosen.
function suggesting(input, name, ask) {
  let asked = 0;
  let pause = null;
  const show = async () => {
    const mine = asked += 1;
    const choices = await ask(name).catch(() => []);
    if (mine !== asked || document.activeElement !== input) return;
    complete.suggest(choices.map((c) => ({ value: c, title: c.name, about: String(c.value) === c.name ? "" : String(c.value) })), (c) => {
      input.value = c.name;
      input.choice = c;
      judge(input);
    }, { of: input, empty: "No suggestions for this." });
  };
  const soon = () => { clearTimeout(pause); pause = setTimeout(show, PAUSE); };
  const away = () => { clearTimeout(pause); asked += 1; if (complete.isFor(input)) complete.close(); };
  input.addEventListener("focus", soon);
  input.addEventListener("input", () => { input.choice = null; soon(); });
  input.addEventListener("blur", away);
  input.addEventListener("keydown", (event) => { if (complete.isFor(input) && complete.key(event)) event.stopPropagation(); });
}

const number = (o, step) => h("input", { type: "number", step, min: o.min_value, max: o.max_value, inputmode: step === "1" && !(o.min_value < 0) ? "numeric" : "text", autocomplete: "off" });

function menu(pairs, o) {
  if (o.list) return h("select", { multiple: true, size: String(Math.min(6, pairs.length)) }, pairs.map(([value, text]) => h("option", { value }, text)));
  return h("select", {}, h("option", { value: "" }, "—"), pairs.map(([value, text]) => h("option", { value }, text)));
}

function mentionable(o) {
  const select = menu([], o);
  const group = (label, pairs) => pairs.length && h("optgroup", { label }, pairs.map(([value, text]) => h("option", { value }, text)));
  select.append(...[group("Members", people()), group("Roles", roles())].filter(Boolean));
  return select;
}

export const people = () => [...guild()?.members.values() ?? []].map((m) => [m.id, m.username + (m.bot ? " (bot)" : "")]);
export const roles = () => [["@everyone"].includes(guild()?.roles?.[0]?.name) ? null : guild() && [guild().id, "@everyone"], ...(guild()?.roles ?? []).map((r) => [r.id, r.name])].filter(Boolean);
export const channels = (types) => [...guild()?.channels.values() ?? []]
  .filter((c) => !types?.length || types.includes(c.type)).map((c) => [c.id, (c.type === 4 ? "" : "#") + c.name]);

function range({ type, min_value: min, max_value: max }) {
  if (type !== 4 && type !== 10) return "";
  if (min !== undefined && max !== undefined) return `(${min} to ${max})`;
  if (min !== undefined) return `(${min} or more)`;
  return max !== undefined ? `(${max} or less)` : "";
}

function judge(input) {
  const error = document.getElementById(`${input.id}-error`);
  let text = input.validity.valid ? "" : input.validationMessage || "This value does not fit.";
  if (!text && input.dataset.needs === "number" && input.value && !input.choice && Number.isNaN(Number(input.value))) text = "Please choose one of the suggestions, or write a number.";
  // Browsers judge lengths only of what was typed by hand, and spaces are no answer.
  if (!text && input.required && !input.multiple && !String(input.value).trim()) text = "Please fill this in.";
  if (!text && input.value && input.minLength > 0 && input.value.length < input.minLength) text = `At least ${input.minLength} characters, please.`;
  if (text) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
  error.textContent = text;
  return !text;
}

// Judge all inputs of a form; the first wrong one gets the focus.
export function check(form) {
  const wrong = [...form.querySelectorAll("[data-option]")].filter((input) => !judge(input));
  wrong[0]?.focus();
  return wrong.length === 0;
}

// → { values: {name: value}, files: [] }; what was left empty is left out.
export function read(form) {
  const values = {};
  const files = [];
  for (const input of form.querySelectorAll("[data-option]")) {
    const type = Number(input.dataset.type);
    if (type === 11) {
      if (input.files.length) values[input.dataset.option] = files.push(input.files[0]) - 1;
    } else if (input.multiple) {
      values[input.dataset.option] = [...input.selectedOptions].map((o) => o.value);
    } else if (input.value !== "") {
      values[input.dataset.option] = input.choice ? input.choice.value : typed(type, input.value);
    }
  }
  return { values, files };
}

function typed(type, text) {
  if (type === 4 || type === 10) return Number.isNaN(Number(text)) ? text : Number(text); // half a word asks for suggestions
  if (type === 5) return text === "true";
  return text;
}
