// What each event of the live socket does to the state.

import { take } from "/page/interactions.js";
import { changed, forget, go, guild, log, me, state, upsert } from "/page/state.js";

let reload = () => {};

export function whenUnsure(action) {
  reload = action;
}

export function event(type, d) {
  const handler = HANDLERS[type];
  if (handler) handler(d);
}

const HANDLERS = {
  MESSAGE_CREATE(d) {
    stopTyping(d.channel_id, d.author?.id);
    // A log not loaded yet will have it when it is; ephemeral ones never come again.
    const ephemeral = (d.flags ?? 0) & 64;
    if (log(d.channel_id).loaded || ephemeral) upsert(ephemeral ? { ...d, only: state.memberId } : d);
    if (d.channel_id !== state.channelId || document.hidden) unread(d);
  },
  MESSAGE_UPDATE(d) {
    if (log(d.channel_id).messages.has(d.id)) upsert(d);
  },
  MESSAGE_DELETE: (d) => forget(d.channel_id, [d.id]),
  MESSAGE_DELETE_BULK: (d) => forget(d.channel_id, d.ids ?? []),
  INTERACTION_UPDATE: take,
  TYPING_START(d) {
    if (d.user_id === state.memberId) return;
    stopTyping(d.channel_id, d.user_id);
    const who = state.typing.get(d.channel_id) ?? new Map();
    state.typing.set(d.channel_id, who);
    who.set(d.user_id, setTimeout(() => stopTyping(d.channel_id, d.user_id), 10000));
    changed("typing");
  },
  CHANNEL_CREATE: putChannel,
  CHANNEL_UPDATE: putChannel,
  CHANNEL_DELETE: dropChannel,
  THREAD_CREATE: putChannel,
  THREAD_UPDATE: putChannel,
  THREAD_DELETE: dropChannel,
  GUILD_CREATE: () => reload(),
  GUILD_UPDATE: () => reload(),
  GUILD_DELETE: () => reload(),
  GUILD_MEMBER_ADD: () => reload(),
  GUILD_MEMBER_UPDATE: () => reload(),
  GUILD_MEMBER_REMOVE: () => reload(),
};

function stopTyping(channelId, userId) {
  const who = state.typing.get(channelId);
  if (!who?.has(userId)) return;
  clearTimeout(who.get(userId));
  who.delete(userId);
  changed("typing");
}

function unread(d) {
  if (d.author?.id === state.memberId) return;
  const mark = state.unread.get(d.channel_id) ?? { count: 0, mentions: 0 };
  mark.count += 1;
  if (d.mention_everyone || d.mentions?.some((u) => u.id === state.memberId)) mark.mentions += 1;
  state.unread.set(d.channel_id, mark);
  changed("guilds");
}

function putChannel(d) {
  const g = state.guilds.get(d.guild_id) ?? guild();
  if (!g || !d.id) return reload();
  g.channels.set(d.id, { ...g.channels.get(d.id), ...d, archived: d.thread_metadata?.archived ?? false });
  return settle();
}

function dropChannel(d) {
  for (const g of state.guilds.values()) g.channels.delete(d.id);
  settle();
}

function settle() {
  const place = [state.channelId, me()?.id];
  go({});
  if (place[0] === state.channelId) changed("guilds");
}
