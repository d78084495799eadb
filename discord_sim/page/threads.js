// Threads that begin at a message: a thread has the ID of the message it began at.

import * as api from "/page/api.js";
import { $, fill, h } from "/page/dom.js";
import { check, field, read } from "/page/fields.js";
import { attempt } from "/page/notice.js";
import { channel, go, guild, isThread, state } from "/page/state.js";

const LONGEST = 100; // characters of a name
const HOLDS_THREADS = new Set([0, 5]);

export const threadOf = (m) => {
  const found = guild()?.channels.get(m.id);
  return found && isThread(found) ? found : null;
};

export const mayStart = (m) => !m.only && !threadOf(m) && HOLDS_THREADS.has(channel()?.type);

// Ask for a name, start the thread and go there.
export function startThread(m) {
  const dialog = $("modal");
  const guildId = state.guildId;
  const name = (m.content || "New thread").replace(/<[^>]*>/g, "").replace(/\s+/g, " ").trim().slice(0, 40) || "New thread";
  const form = h("form", { novalidate: true, onsubmit: send },
    h("h2", { id: "modal-title" }, "Start a thread"),
    field({ name: "name", label: "Name", type: 3, required: true, max_length: LONGEST, value: name }),
    h("div", { class: "row end" },
      h("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, "Cancel"),
      h("button", { type: "submit", class: "primary" }, "Start")));

  async function send(event) {
    event.preventDefault();
    if (!check(form)) return;
    const wanted = { id: m.id, parent_id: m.channel_id, owner_id: state.memberId, name: read(form).values.name };
    const made = await attempt(() => api.postThread(guildId, wanted));
    if (!made) return;
    dialog.close();
    guild()?.channels.set(made.id, { ...made, guild_id: guildId });
    go({ channelId: made.id });
    $("composer").focus();
  }

  fill(dialog, form);
  dialog.showModal();
  form.querySelector("input").select();
}
