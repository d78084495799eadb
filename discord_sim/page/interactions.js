// Interactions this member started: told to the server, followed until answered, shown.
// The live socket reports on them; asking again now and then covers what it may have missed.

import * as api from "/page/api.js";
import { trouble } from "/page/notice.js";
import { openModal } from "/page/modal.js";
import { changed, log, state, upsert } from "/page/state.js";

const AUTOCOMPLETE = 4;

const waiting = (i) => i.state === "pending" || i.state === "deferred";

export async function runCommand(channelId, command, options, files) {
  const user = state.memberId;
  const started = await api.postCommand(channelId, { user, command, options }, files);
  track(started, { kind: "command", name: command, channelId, user });
}

export async function pressComponent(message, customId, values) {
  const user = state.memberId;
  const payload = { user, custom_id: customId };
  if (values) payload.values = values;
  const started = await api.postComponent(message.id, payload);
  track(started, { kind: "component", channelId: message.channel_id, messageId: message.id, user });
}

// What the application suggests for the option `focused` of a command, [{ name, value }]; nothing if it is silent.
export async function suggestions(channelId, command, focused, options) {
  const { id } = await api.postAutocomplete(channelId, { user: state.memberId, command, focused, options });
  for (let i; ;) {
    i = await api.getInteraction(id);
    if (i.state !== "pending") return i.result?.choices ?? [];
    await new Promise((wake) => setTimeout(wake, 60));
  }
}

async function submitModal(interaction, values) {
  const user = state.memberId;
  const started = await api.postModal(interaction.id, { user, values });
  if (started?.id) track(started, { kind: "modal", channelId: interaction.channelId, name: interaction.name, user });
}

function track(started, about) {
  const early = state.interactions.get(started.id); // the socket may have been quicker than the answer
  const i = { state: "pending", ...about, ...early, ...about, id: started.id, mine: true };
  state.interactions.set(i.id, i);
  if (state.interactions.size > 100) state.interactions.delete(state.interactions.keys().next().value);
  if (early?.last) take(early.last);
  else if (started.state) take(started);
  changed("messages");
  poll(i.id, 0);
}

function poll(id, n) {
  setTimeout(async () => {
    const i = state.interactions.get(id);
    if (!i || !waiting(i) || n > 900) return;
    try {
      take(await api.getInteraction(id));
    } catch (error) {
      if (error.status === 404) take({ id, state: "failed" });
    }
    poll(id, n + 1);
  }, Math.min(500 + 250 * n, 2000));
}

// The shape of GET /sim/interactions/{id}, from the socket or from asking.
export function take(d) {
  if (d.type === AUTOCOMPLETE) return; // whoever asked for suggestions waits for them itself
  const i = state.interactions.get(d.id) ?? { id: d.id, channelId: d.channel_id };
  state.interactions.set(d.id, i);
  i.last = d;
  const owner = d.user_id ?? d.user?.id ?? i.user;
  if (!i.mine && !owner) return; // not ours, or not yet known to be
  if (owner) i.user = owner;
  const before = i.state;
  i.state = d.state ?? i.state;
  i.ephemeral = d.ephemeral ?? i.ephemeral;
  i.name ??= d.command ?? d.name;
  i.channelId ??= d.channel_id;
  if (d.modal && !i.modalShown && i.mine && i.user === state.memberId) {
    i.modalShown = true;
    openModal(d.modal, (values) => submitModal(i, values));
  }
  showAnswers(i, d);
  if (i.state === "failed" && before !== "failed" && i.kind === "component") trouble("This interaction failed: the application did not respond.");
  changed("messages");
}

function showAnswers(i, d) {
  // A message changed by its own button or menu.
  if (d.response?.type === 7 && d.response.data && i.messageId) {
    const held = log(i.channelId).messages.get(i.messageId);
    if (held) upsert({ ...held, ...d.response.data, id: i.messageId, flags: held.flags });
    return;
  }
  const answers = [];
  const first = asMessage(d.response);
  if (first) answers.push([first, d.ephemeral || Boolean((first.flags ?? 0) & 64)]);
  for (const f of d.followups ?? []) {
    const message = asMessage(f);
    if (message) answers.push([message, Boolean((message.flags ?? 0) & 64)]);
  }
  answers.forEach(([message, ephemeral], n) => {
    const full = {
      attachments: [], embeds: [], components: [], timestamp: i.since ??= new Date().toISOString(),
      author: state.bot, ...message, channel_id: message.channel_id ?? i.channelId,
    };
    if (ephemeral) {
      const id = message.id ?? `${i.id}-${n}`;
      upsert({ ...full, id, sort: message.id ?? i.id, only: i.user, flags: (message.flags ?? 0) | 64, interaction: { id: i.id, name: i.name, user: { id: i.user } } });
    } else if (message.id && log(full.channel_id).loaded) {
      upsert(full, { over: false });
    }
  });
}

// Either a message, or the callback the application sent: {type, data}.
function asMessage(response) {
  if (!response) return null;
  if (response.message?.id) return response.message;
  if (response.data && response.id === undefined) return response.type === 4 ? response.data : null;
  return ["content", "embeds", "components", "attachments"].some((k) => response[k]?.length) ? response : null;
}

// Rows for what has no message of its own: "… is thinking", "did not respond".
export function rows(channelId) {
  const answered = new Set([...log(channelId).messages.values()].map((m) => (m.interaction_metadata ?? m.interaction)?.id));
  return [...state.interactions.values()].filter((i) => i.mine && i.kind !== "component" && !i.dismissed
    && i.channelId === channelId && i.user === state.memberId && !answered.has(i.id)
    && (i.state === "failed" || i.state === "pending" || (i.state === "deferred" && !i.modalShown)));
}

export function dismiss(i) {
  i.dismissed = true;
  changed("messages");
}

// Whether someone waits for the outcome of a button or menu of this message.
export const busy = (messageId) => [...state.interactions.values()]
  .some((i) => i.kind === "component" && i.messageId === messageId && i.state === "pending");
