// The small live region where the page says what went wrong (or right).

import { $, fill, h } from "/page/dom.js";
import { icon } from "/page/icons.js";

let timer;

export function notice(text, { bad = false } = {}) {
  const box = $("notice");
  clearTimeout(timer);
  box.classList.toggle("bad", bad);
  fill(box, text, h("button", { type: "button", class: "icon", "aria-label": "Dismiss", onclick: clear }, icon("close", 16)));
  timer = setTimeout(clear, bad ? 12000 : 5000);
}

export function clear() {
  fill($("notice"));
}

export const trouble = (error) => notice(error?.message ?? String(error), { bad: true });

// Run something that may fail; say so if it does. Gives undefined then.
export async function attempt(action) {
  try {
    return await action();
  } catch (error) {
    trouble(error);
    return undefined;
  }
}
