// The list of suggestions above the composer. The focus stays in the text that asked for it; arrow keys choose.

import { $, fill, h } from "/page/dom.js";

let items = [];
let at = 0;
let take = () => {};
let owner = null; // the text the suggestions are for

export const isOpen = () => !$("complete").hidden;
export const isFor = (text) => isOpen() && owner === text;

// items: [{ title, more?, about?, value }]; with none, `empty` is said instead, if given.
export function suggest(list, onTake, { empty, of = $("composer") } = {}) {
  owner?.removeAttribute("aria-activedescendant");
  owner = of;
  items = list;
  take = onTake;
  at = 0;
  const box = $("complete");
  box.hidden = !items.length && !empty;
  fill(box, items.length ? items.map(entry) : empty && h("p", { class: "empty", role: "option", "aria-disabled": "true", "aria-selected": "false" }, empty));
  mark();
}

export function close() {
  suggest([], () => {});
}

function entry(item, n) {
  return h("div", {
    role: "option", id: `suggestion-${n}`, class: "suggestion", data: { value: item.value },
    onmousedown: (event) => event.preventDefault(), // keeps the focus in the text
    onclick: () => choose(n),
    onmousemove: () => { if (at !== n) { at = n; mark(); } },
  }, h("span", { class: "title" }, item.title), item.more && h("span", { class: "more" }, item.more), item.about && h("span", { class: "about" }, item.about));
}

function mark() {
  [...$("complete").querySelectorAll(".suggestion")].forEach((node, n) => {
    node.setAttribute("aria-selected", String(n === at));
    if (n === at) node.scrollIntoView({ block: "nearest" });
  });
  if (items.length) owner.setAttribute("aria-activedescendant", `suggestion-${at}`);
  else owner.removeAttribute("aria-activedescendant");
}

function choose(n) {
  const item = items[n];
  const run = take;
  close();
  if (item) run(item.value);
}

// Gives true if the key was meant for the list.
export function key(event) {
  if (!isOpen()) return false;
  if (event.key === "Escape") close();
  else if (!items.length) return false;
  else if (event.key === "ArrowDown") { at = (at + 1) % items.length; mark(); }
  else if (event.key === "ArrowUp") { at = (at + items.length - 1) % items.length; mark(); }
  else if ((event.key === "Enter" && !event.shiftKey) || event.key === "Tab") choose(at);
  else return false;
  event.preventDefault();
  return true;
}
