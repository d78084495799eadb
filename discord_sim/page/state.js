// What the page knows, and who wants to hear when it changes.

export const state = {
  bot: null,
  guilds: new Map(), // id → guild with channels: Map, members: Map
  guildId: null,
  channelId: null,
  memberId: null,
  logs: new Map(), // channel id → { messages: Map, gone: Set, loaded, complete, loading }
  unread: new Map(), // channel id → { count, mentions }
  typing: new Map(), // channel id → Map(user id → timeout)
  commands: new Map(), // guild id → { list, at }
  interactions: new Map(), // id → what this page knows of an interaction it started
  replyTo: null,
  editing: null,
};

const listeners = new Map();
const due = new Set();

export function on(topics, listener) {
  for (const topic of topics.split(" ")) {
    if (!listeners.has(topic)) listeners.set(topic, new Set());
    listeners.get(topic).add(listener);
  }
}

// Listeners run a moment later, once for all changes made in between.
export function changed(...topics) {
  if (due.size === 0) setTimeout(flush, 16);
  for (const topic of topics) due.add(topic);
}

export function flush() {
  const calls = new Set();
  for (const topic of due) for (const listener of listeners.get(topic) ?? []) calls.add(listener);
  due.clear();
  for (const call of calls) call();
}

export const guild = () => state.guilds.get(state.guildId);
export const channel = () => guild()?.channels.get(state.channelId);
export const me = () => guild()?.members.get(state.memberId);
export const isThread = (c) => c.type >= 10 && c.type <= 12;
export const canWriteIn = (c) => [0, 2, 5, 10, 11, 12, 13].includes(c.type);

export function takeState({ bot, guilds }) {
  state.bot = bot ?? null;
  state.guilds = new Map(guilds.map((g) => [g.id, {
    ...g,
    channels: new Map((g.channels ?? []).map((c) => [c.id, c])),
    members: new Map((g.members ?? []).map((m) => [m.id, m])),
    roles: g.roles ?? [],
  }]));
  changed("guilds", "members");
}

// Choose where we are; what is not given, or not there, falls back to something sensible.
export function go({ guildId = state.guildId, channelId = state.channelId, memberId = state.memberId }) {
  const g = state.guilds.get(guildId) ?? state.guilds.values().next().value;
  state.guildId = g?.id ?? null;
  const open = g ? [...g.channels.values()].filter(canWriteIn) : [];
  const remembered = recall(`channel:${state.guildId}`);
  const wanted = open.find((c) => c.id === channelId) ?? open.find((c) => c.id === remembered)
    ?? open.find((c) => !isThread(c)) ?? open[0];
  state.channelId = wanted?.id ?? null;
  const people = g ? [...g.members.values()].filter((m) => !m.bot) : [];
  state.memberId = (people.find((m) => m.id === memberId) ?? people[0])?.id ?? null;
  if (state.channelId) {
    remember(`channel:${state.guildId}`, state.channelId);
    state.unread.delete(state.channelId);
  }
  changed("place", "guilds", "members", "messages");
}

export function log(channelId) {
  if (!state.logs.has(channelId)) {
    state.logs.set(channelId, { messages: new Map(), gone: new Set(), loaded: false, complete: false, loading: null });
  }
  return state.logs.get(channelId);
}

// Ids are decimal strings of up to 20 digits; the longer one is the later one.
export const byId = (a, b) => a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);

export function upsert(message, { over = true } = {}) {
  const l = log(message.channel_id);
  const known = l.messages.get(message.id);
  if (l.gone.has(message.id) || (known && !over)) return;
  l.messages.set(message.id, known ? { ...known, ...message } : message);
  changed("messages");
}

export function forget(channelId, ids) {
  const l = log(channelId);
  for (const id of ids) {
    l.messages.delete(id);
    l.gone.add(id);
    if (state.editing === id) state.editing = null;
    if (state.replyTo === id) state.replyTo = null;
  }
  changed("messages", "composer");
}

// Ephemeral rows belong to the member who caused them.
export function visible(channelId) {
  return [...log(channelId).messages.values()]
    .filter((m) => !m.only || m.only === state.memberId)
    .sort((a, b) => byId(a.sort ?? a.id, b.sort ?? b.id));
}

export function userName(id, users = []) {
  return users.find((u) => u.id === id)?.username ?? guild()?.members.get(id)?.username
    ?? (state.bot?.id === id ? state.bot.username : null);
}

export function recall(key) {
  try { return localStorage.getItem(`discord-sim:${key}`); } catch { return null; }
}

export function remember(key, value) {
  try { localStorage.setItem(`discord-sim:${key}`, value); } catch { /* private mode: we just forget */ }
}
