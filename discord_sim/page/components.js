// Buttons, menus and the other parts below a message.

import { h } from "/page/dom.js";
import * as fields from "/page/fields.js";
import { busy, pressComponent } from "/page/interactions.js";
import { markdown } from "/page/markdown.js";
import { attachment } from "/page/media.js";
import { attempt } from "/page/notice.js";

const KINDS = { 1: "primary", 2: "secondary", 3: "success", 4: "danger", 5: "link" };

export function component(c, message) {
  switch (c.type) {
    case 1: return h("div", { class: "components", role: "group" }, (c.components ?? []).map((inner) => component(inner, message)));
    case 2: return button(c, message);
    case 3: return select(c, message, (c.options ?? []).map((o) => [o.value, o.label + (o.description ? ` — ${o.description}` : ""), o.default]));
    case 5: return select(c, message, fields.people());
    case 6: return select(c, message, fields.roles());
    case 7: return select(c, message, [...fields.people(), ...fields.roles()]);
    case 8: return select(c, message, fields.channels(c.channel_types));
    case 9: return h("div", { class: "section" }, h("div", {}, (c.components ?? []).map((inner) => component(inner, message))), c.accessory && component(c.accessory, message));
    case 10: return h("div", { class: "text" }, markdown(c.content, message.mentions));
    case 11: return attachment({ filename: c.description ?? "picture.png", url: c.media?.url, content_type: "image/*" });
    case 12: return h("div", {}, (c.items ?? []).map((i) => attachment({ filename: i.description ?? "picture.png", url: i.media?.url, content_type: i.media?.content_type ?? "image/*" })));
    case 13: return attachment({ filename: c.name ?? "file", url: c.file?.url, size: c.size });
    case 14: return h("hr", {});
    case 17: {
      const box = h("div", { class: "embed" }, (c.components ?? []).map((inner) => component(inner, message)));
      if (c.accent_color) box.style.setProperty("--bar", `#${c.accent_color.toString(16).padStart(6, "0")}`);
      return box;
    }
    default: return null;
  }
}

function label(c) {
  return [c.emoji?.id ? `:${c.emoji.name}:` : c.emoji?.name, c.label].filter(Boolean).join(" ") || "…";
}

function button(c, message) {
  if (c.style === 5) return h("a", { class: "button link", href: /^https?:/.test(c.url) ? c.url : undefined, target: "_blank", rel: "noopener noreferrer" }, label(c), " ↗");
  return h("button", {
    type: "button", class: `button ${KINDS[c.style] ?? "secondary"}`, disabled: c.disabled || busy(message.id),
    data: { customId: c.custom_id }, onclick: () => send(c, message),
  }, label(c));
}

const send = (c, message, values) => attempt(() => pressComponent(message, c.custom_id, values));

function select(c, message, options) {
  const disabled = c.disabled || busy(message.id);
  const name = c.placeholder ?? "Choose…";
  const chosen = new Set((c.default_values ?? []).map((d) => d.id));
  const few = c.min_values ?? 1;
  const many = c.max_values ?? 1;
  if (few === 1 && many === 1) {
    const menu = h("select", { "aria-label": name, disabled, data: { customId: c.custom_id } },
      h("option", { value: "" }, name),
      options.map(([value, text, on]) => h("option", { value, selected: Boolean(on) || chosen.has(value) }, text)));
    menu.addEventListener("change", () => menu.value !== "" && send(c, message, [menu.value]));
    // In a closed menu an arrow key would choose (and so send) at once; open it instead.
    menu.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
      event.stopPropagation();
      if (!menu.showPicker) return;
      event.preventDefault();
      try { menu.showPicker(); } catch { /* not allowed just now */ }
    });
    return menu;
  }
  return several(c, message, options, { name, disabled, few, many, chosen });
}

// A menu that takes several values: a list to tick, then "Choose".
function several(c, message, options, { name, disabled, few, many, chosen }) {
  const boxes = options.map(([value, text, on]) => {
    const box = h("input", { type: "checkbox", value, checked: Boolean(on) || chosen.has(value), disabled });
    return h("label", {}, box, " ", text);
  });
  const ticked = () => [...list.querySelectorAll("input:checked")].map((box) => box.value);
  const done = h("button", { type: "button", class: "button primary", disabled, onclick: () => send(c, message, ticked()) }, "Choose");
  const list = h("div", { class: "ticks", role: "group", "aria-label": name }, boxes, done);
  const now = h("span", {});
  const judge = () => {
    const names = options.filter((option, n) => boxes[n].firstChild.checked).map(([, text]) => text);
    done.disabled = disabled || names.length < few || names.length > many;
    now.textContent = names.length > 3 ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more` : names.join(", ") || name;
  };
  list.addEventListener("change", judge);
  judge();
  return h("details", { class: "several", data: { customId: c.custom_id } },
    h("summary", {}, now, h("small", {}, few === many ? ` choose ${few}` : ` choose ${few} to ${many}`)), list);
}

export const componentsOf = (message) => (message.components ?? []).map((c) => component(c, message)).filter(Boolean);
