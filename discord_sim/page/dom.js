// Building DOM nodes. Nothing on this page ever turns a string into markup.

const PROPERTIES = new Set(["value", "checked", "disabled", "hidden", "multiple", "selected", "open", "required"]);

export function h(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else if (name === "data") Object.assign(node.dataset, value);
    else if (PROPERTIES.has(name)) node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  add(node, children);
  return node;
}

export function add(node, ...children) {
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export function fill(node, ...children) {
  node.replaceChildren();
  return add(node, children);
}

export const $ = (id) => document.getElementById(id);

// A round badge with a person's initials, in a colour of their own.
export function avatar(id, name) {
  let hash = 7;
  for (const c of String(id)) hash = (hash * 31 + c.charCodeAt(0)) % 3600;
  const node = h("span", { class: "avatar", "aria-hidden": "true" }, initials(name));
  node.style.setProperty("--hue", String((hash * 47) % 360));
  return node;
}

export function initials(name) {
  const words = String(name ?? "?").split(/[\s_.-]+/).filter(Boolean);
  const letters = words.length > 1 ? [...words[0]][0] + [...words[1]][0] : [...(words[0] ?? "?")].slice(0, 2).join("");
  return letters.toUpperCase();
}

export const hidden = (text) => h("span", { class: "sr" }, text);

// Arrow keys walk among the buttons of a list that is one stop of the Tab key's way.
export function arrows(container, selector) {
  container.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity }[event.key];
    if (step === undefined) return;
    const items = [...container.querySelectorAll(selector)];
    const at = items.indexOf(document.activeElement);
    if (at < 0) return;
    event.preventDefault();
    items[Math.max(0, Math.min(items.length - 1, at + step))]?.focus();
  });
}
