"""Posting, editing and deleting messages: what changes in the world, and the events that say so."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from discord_sim import guild_shapes, shapes
from discord_sim.dispatch import Dispatch, Dispatcher
from discord_sim.shapes import MessageShapes
from discord_sim.state import Attachment, Channel, Json, Message, User, World

NONCE_SECONDS = 300.0
EPHEMERAL = 1 << 6
LOADING = 1 << 7

_USER = re.compile(r"<@!?(\d{1,20})>")
_ROLE = re.compile(r"<@&(\d{1,20})>")
_EVERYONE = re.compile(r"@(everyone|here)\b")


@dataclass(slots=True)
class Draft:
    """A message about to be posted. `allowed_mentions` None allows all, as Discord does."""

    content: str = ""
    attachments: list[Attachment] = field(default_factory=list)
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    allowed_mentions: Json | None = None
    reply_to: int | None = None
    reply_must_exist: bool = False
    nonce: str | int | None = None
    enforce_nonce: bool = False
    flags: int = 0
    tts: bool = False
    message_id: int | None = None
    type: int | None = None
    webhook_id: int | None = None
    application_id: int | None = None
    interaction: Json | None = None


class Chat:
    """Changes messages and dispatches MESSAGE_CREATE, MESSAGE_UPDATE, MESSAGE_DELETE and MESSAGE_DELETE_BULK."""

    def __init__(self, world: World, shapes_: MessageShapes, dispatcher: Dispatcher) -> None:
        self._world = world
        self._shapes = shapes_
        self._dispatcher = dispatcher
        self._nonces: dict[tuple[int, int, str], tuple[float, Message]] = {}

    def post(self, channel: Channel, author: User, draft: Draft, *, dispatch: bool = True) -> Message:
        """Post, or return the message already posted with this enforced nonce.

        Raises ValueError when `draft.message_id` is taken.
        """
        if draft.enforce_nonce and (known := self._known(channel, author, draft.nonce)):
            return known
        message = self.build(channel, author, draft)
        channel.messages.add(message)
        if channel.archived and not channel.locked:
            self._reopen(channel)
        if draft.nonce is not None:
            self._nonces[author.id, channel.id, str(draft.nonce)] = (self._world.clock.monotonic(), message)
        if dispatch:
            self._message_event("MESSAGE_CREATE", channel, message)
        return message

    def _reopen(self, thread: Channel) -> None:
        """A message in an archived thread opens it again."""
        thread.archived, thread.archived_at = False, self._world.clock.iso()
        data = guild_shapes.channel(thread)
        self._dispatcher.send(Dispatch("THREAD_UPDATE", data, self._world.guild_of(thread), thread))

    def build(self, channel: Channel, author: User, draft: Draft) -> Message:
        """The message of a draft, kept nowhere yet."""
        message = Message(
            draft.message_id or self._world.ids.next(),
            channel.id,
            author,
            draft.content,
            type=draft.type if draft.type is not None else (19 if draft.reply_to is not None else 0),
            flags=draft.flags,
            attachments=draft.attachments,
            embeds=draft.embeds,
            components=draft.components,
            reference=draft.reply_to,
            nonce=draft.nonce,
            tts=draft.tts,
            webhook_id=draft.webhook_id,
            application_id=draft.application_id,
            interaction=draft.interaction,
        )
        self._set_mentions(channel, message, draft.allowed_mentions)
        return message

    def edit(self, channel: Channel, message: Message, changes: Json, allowed_mentions: Json | None = None) -> None:
        """Set the attributes in `changes`, and say so, except of a message that only its reader sees."""
        self._keep(channel, message)
        for name, value in changes.items():
            setattr(message, name, value)
        loading = message.flags & LOADING
        message.flags &= ~LOADING
        if not loading:
            message.edited_at = self._world.clock.iso()
        self._set_mentions(channel, message, allowed_mentions)
        self.changed(channel, message)

    def unfurl(self, channel: Channel, message: Message, embeds: list[Json], *, partial: bool) -> None:
        """A link's preview is added: an update that is no edit, and may (`partial`) hold the embeds alone."""
        self._keep(channel, message)
        message.embeds = embeds
        if partial:
            self._send("MESSAGE_UPDATE", channel, {"id": str(message.id), "embeds": embeds})
        else:
            self.changed(channel, message)

    def changed(self, channel: Channel, message: Message) -> None:
        if message.id in channel.messages:
            self._message_event("MESSAGE_UPDATE", channel, message)

    def delete(self, channel: Channel, message_id: int) -> bool:
        if channel.messages.remove(message_id) is None:
            return False
        self._send("MESSAGE_DELETE", channel, {"id": str(message_id)})
        return True

    def bulk_delete(self, channel: Channel, message_ids: Sequence[int]) -> list[int]:
        """Delete those that exist, with one event."""
        gone = [message_id for message_id in message_ids if channel.messages.remove(message_id) is not None]
        if gone:
            self._send("MESSAGE_DELETE_BULK", channel, {"ids": [str(message_id) for message_id in gone]})
        return gone

    def typing(self, channel: Channel, user: User) -> None:
        data: Json = {"user_id": str(user.id), "timestamp": int(self._world.clock.wall())}
        if (guild := self._world.guild_of(channel)) and (member := guild.members.get(user.id)):
            data["member"] = shapes.member(member)
        self._send("TYPING_START", channel, data)

    def react(self, channel: Channel, message: Message, user: User, emoji: str, *, add: bool) -> None:
        self._keep(channel, message)
        users = message.reactions.setdefault(emoji, [])
        if add == (user.id in users):
            return
        (users.append if add else users.remove)(user.id)
        if not users:
            del message.reactions[emoji]
        data: Json = {
            "user_id": str(user.id),
            "message_id": str(message.id),
            "emoji": shapes.emoji_shape(emoji),
            "burst": False,
            "type": 0,
        }
        guild = self._world.guild_of(channel)
        if add:
            data["message_author_id"] = str(message.author.id)
            if guild is not None and (member := guild.members.get(user.id)):
                data["member"] = shapes.member(member)
        self._send(f"MESSAGE_REACTION_{'ADD' if add else 'REMOVE'}", channel, data)

    def clear_reactions(self, channel: Channel, message: Message, emoji: str | None) -> None:
        """Everybody's reactions go, or those with one emoji."""
        self._keep(channel, message)
        data: Json = {"message_id": str(message.id)}
        if emoji is None:
            message.reactions.clear()
            self._send("MESSAGE_REACTION_REMOVE_ALL", channel, data)
        elif message.reactions.pop(emoji, None) is not None:
            self._send("MESSAGE_REACTION_REMOVE_EMOJI", channel, data | {"emoji": shapes.emoji_shape(emoji)})

    @staticmethod
    def _keep(channel: Channel, message: Message) -> None:
        """A changed message of a generated history is held from now on; an ephemeral one is in no channel."""
        if message.id in channel.messages:
            channel.messages.keep(message)

    def pin(self, channel: Channel, message: Message, *, pinned: bool) -> None:
        if message.pinned != pinned:
            self._keep(channel, message)
            message.pinned = pinned
            self._message_event("MESSAGE_UPDATE", channel, message)
            self._send("CHANNEL_PINS_UPDATE", channel, {"last_pin_timestamp": self._world.clock.iso()})

    def _known(self, channel: Channel, author: User, nonce: str | int | None) -> Message | None:
        now = self._world.clock.monotonic()
        at, message = self._nonces.get((author.id, channel.id, str(nonce)), (now - NONCE_SECONDS, None))
        return message if message is not None and now - at < NONCE_SECONDS else None

    def _message_event(self, event: str, channel: Channel, message: Message) -> None:
        guild = self._world.guild_of(channel)
        data = self._shapes.event(message, channel, guild)
        self._dispatcher.send(Dispatch(event, data, guild, channel, message))

    def _send(self, event: str, channel: Channel, data: Json) -> None:
        guild = self._world.guild_of(channel)
        data["channel_id"] = str(channel.id)
        if guild is not None:
            data["guild_id"] = str(guild.id)
        self._dispatcher.send(Dispatch(event, data, guild, channel))

    def _set_mentions(self, channel: Channel, message: Message, allowed: Json | None) -> None:
        guild = self._world.guild_of(channel)
        parse = {"users", "roles", "everyone"} if allowed is None else set(allowed.get("parse") or ())
        named_users = set() if allowed is None else {str(item) for item in allowed.get("users") or ()}
        named_roles = set() if allowed is None else {str(item) for item in allowed.get("roles") or ()}
        users = [found for found in _USER.findall(message.content) if "users" in parse or found in named_users]
        if message.reference is not None and (allowed is None or allowed.get("replied_user")):
            target = channel.messages.get(message.reference)
            users += [] if target is None else [str(target.author.id)]
        known = (self._world.users.get(int(found)) for found in dict.fromkeys(users))
        message.mentions = [user for user in known if user is not None]
        roles = [found for found in _ROLE.findall(message.content) if "roles" in parse or found in named_roles]
        message.mention_roles = [int(r) for r in dict.fromkeys(roles) if guild is not None and int(r) in guild.roles]
        message.mention_everyone = "everyone" in parse and bool(_EVERYONE.search(message.content))
