// The form an application opens over the page.

import { $, add, fill, h } from "/page/dom.js";
import { check, field, read } from "/page/fields.js";
import { attempt } from "/page/notice.js";

export function openModal(modal, submit) {
  const dialog = $("modal");
  const inputs = [...gather(modal.components ?? [])];
  const close = () => dialog.close();
  const form = h("form", { novalidate: true, onsubmit: send },
    h("h2", { id: "modal-title" }, modal.title ?? "Form"),
    inputs.map(([component, label, description]) => (component.type === 10
      ? h("p", {}, component.content)
      : field(asOption(component, label, description)))),
    h("div", { class: "row end" },
      h("button", { type: "button", class: "quiet", onclick: close }, "Cancel"),
      h("button", { type: "submit", class: "primary" }, "Submit")));

  async function send(event) {
    event.preventDefault();
    if (!check(form)) return;
    const values = {};
    for (const [name, value] of Object.entries(read(form).values)) values[name] = value;
    for (const [component] of inputs) {
      const name = component.custom_id;
      if (component.type === 4) values[name] ??= "";
      else if (values[name] !== undefined) values[name] = [values[name]].flat(); // menus give a list, of one too
    }
    const done = await attempt(async () => { await submit(values); return true; });
    if (done) close();
  }

  fill(dialog, form);
  if (!dialog.open) dialog.showModal();
  form.querySelector("input, textarea, select")?.focus();
}

// Text inputs stand in action rows (1); newer forms have labels (18) around any kind of input.
function* gather(components) {
  for (const c of components) {
    if (c.type === 18) yield [c.component, c.label, c.description];
    else if (c.type === 1) for (const inner of c.components ?? []) yield [inner, inner.label];
    else yield [c, c.label];
  }
}

function asOption(c, label, description) {
  const common = { name: c.custom_id, label: label ?? c.custom_id, description, required: c.required ?? true };
  if (c.type === 4) {
    return { ...common, type: 3, long: c.style === 2, min_length: c.min_length, max_length: c.max_length, value: c.value, placeholder: c.placeholder };
  }
  if (c.type === 3) return { ...common, type: 3, list: c.max_values > 1, choices: (c.options ?? []).map((o) => ({ name: o.label, value: o.value })) };
  return { ...common, type: { 5: 6, 6: 8, 7: 9, 8: 7 }[c.type] ?? 3, channel_types: c.channel_types };
}
