"""What each gateway event does to what a guild's chain knows."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from markov_shard.bot.directory import ChannelDirectory, channel_row
from markov_shard.bot.payloads import is_from_person, stored_message
from markov_shard.guilds.owner import Owner
from markov_shard.guilds.registry import Guilds
from markov_shard.store.channels import ChannelRow, forget_channels, save_channels
from markov_shard.store.guilds import mark_joined, mark_left
from markov_shard.store.pool import Database

Payload = Mapping[str, Any]
FetchChannel = Callable[[int], Awaitable[ChannelRow | None]]
"""Asks Discord for a channel; None when it is gone or hidden."""


class Answering(Protocol):
    """What answers messages; see `bot.responder`. Nothing here blocks."""

    def consider_command(self, guild_id: int, directory: ChannelDirectory, payload: Payload) -> bool:
        """Whether the message is a command to the bot, which is followed and not learned."""

    def consider(self, guild_id: int, directory: ChannelDirectory, payload: Payload) -> None:
        """Answers an ordinary message, where it is to be answered."""

    def consider_direct(self, payload: Payload) -> None:
        """Answers a direct message."""

    def places_changed(self, guild_id: int) -> None:
        """A guild's channels or roles changed."""


_Handler = Callable[[int, ChannelDirectory, int, Payload], Awaitable[None]]


class GuildEvents:
    """Applies one shard's events; the caller keeps the order within a guild."""

    def __init__(
        self, owner: Owner, guilds: Guilds, database: Database, fetch_channel: FetchChannel, responder: Answering
    ) -> None:
        self._owner = owner
        self._responder = responder
        self._guilds = guilds
        self._database = database
        self._fetch_channel = fetch_channel
        self._handlers: dict[str, _Handler] = {
            "MESSAGE_CREATE": self._message,
            "MESSAGE_UPDATE": self._edit,
            "MESSAGE_DELETE": self._delete,
            "MESSAGE_DELETE_BULK": self._bulk_delete,
            "CHANNEL_CREATE": self._channel,
            "CHANNEL_UPDATE": self._channel,
            "CHANNEL_DELETE": self._channel_gone,
            "THREAD_CREATE": self._channel,
            "THREAD_UPDATE": self._channel,  # also of one that was archived when the guild was made known
            "THREAD_LIST_SYNC": self._threads,
            "THREAD_DELETE": self._channel_gone,
            "GUILD_CREATE": self._guild,
            "GUILD_DELETE": self._guild_gone,
            "GUILD_UPDATE": self._guild_changed,
            "GUILD_ROLE_CREATE": self._role,
            "GUILD_ROLE_UPDATE": self._role,
            "GUILD_ROLE_DELETE": self._role_gone,
        }

    def handles(self, name: str) -> bool:
        """Whether an event of that name does anything here."""
        return name in self._handlers

    def take(self, guild_id: int, directory: ChannelDirectory, seq: int, payload: Payload) -> bool:
        """Learns a message if its channel is listened to, and answers it if it is to be answered.

        False, and nothing done, when the channel must be asked for first.
        """
        if not is_from_person(payload):
            return True
        channel_id = int(payload["channel_id"])
        listened = directory.is_listened(channel_id)
        if listened is None:
            return False
        if self._responder.consider_command(guild_id, directory, payload):
            return True
        if listened and int(payload["author"]["id"]) not in directory.opted_out:
            message = stored_message(payload, nsfw=directory.is_nsfw(channel_id))
            if message.content.split():
                self._guilds.learn(guild_id, self._owner, message, seq)
        self._responder.consider(guild_id, directory, payload)
        return True

    def direct(self, payload: Payload) -> None:
        """Answers a message outside of guilds; nothing is learned there."""
        self._responder.consider_direct(payload)

    async def handle(self, name: str, guild_id: int, directory: ChannelDirectory, seq: int, payload: Payload) -> None:
        """Applies an event that `handles` is true for; done when its effect is stored or, for a message, buffered."""
        await self._handlers[name](guild_id, directory, seq, payload)

    async def _message(self, guild_id: int, directory: ChannelDirectory, seq: int, payload: Payload) -> None:
        if not self.take(guild_id, directory, seq, payload):
            row = await self._fetch_channel(int(payload["channel_id"]))
            if row is None:
                return
            await self._note(guild_id, directory, [row])
            self.take(guild_id, directory, seq, payload)

    async def ask(self, guild_id: int, directory: ChannelDirectory, channel_id: int) -> None:
        """Gets to know a channel, and the one it hangs under, where no event has told of them."""
        for _ in range(2):
            unknown = [known for known in directory.with_parent(channel_id) if not directory.knows(known)]
            for known in unknown:
                if (row := await self._fetch_channel(known)) is not None:
                    await self._note(guild_id, directory, [row])

    async def _edit(self, guild_id: int, directory: ChannelDirectory, _: int, payload: Payload) -> None:
        if "content" not in payload or not payload.get("edited_timestamp") or not is_from_person(payload):
            return  # an embed was added, or a bot edited
        nsfw = directory.is_nsfw(int(payload["channel_id"]))
        await self._guilds.edit(guild_id, self._owner, stored_message(payload, nsfw=nsfw))

    async def _delete(self, guild_id: int, _: ChannelDirectory, __: int, payload: Payload) -> None:
        await self._remove(guild_id, [int(payload["id"])])

    async def _bulk_delete(self, guild_id: int, _: ChannelDirectory, __: int, payload: Payload) -> None:
        await self._remove(guild_id, [int(message_id) for message_id in payload["ids"]])

    async def _remove(self, guild_id: int, message_ids: Sequence[int]) -> None:
        await self._guilds.remove(guild_id, self._owner, message_ids)

    async def _channel_gone(self, guild_id: int, directory: ChannelDirectory, _: int, payload: Payload) -> None:
        await self.channel_gone(guild_id, directory, int(payload["id"]))

    async def channel_gone(self, guild_id: int, directory: ChannelDirectory, channel_id: int) -> None:
        """A channel or thread was deleted, and so what was said there and in its threads."""
        gone = directory.forget(channel_id)
        await self._guilds.remove_channels(guild_id, self._owner, gone)
        async with self._database.connection() as connection:
            await forget_channels(connection, guild_id, gone)

    async def _channel(self, guild_id: int, directory: ChannelDirectory, _: int, payload: Payload) -> None:
        self._responder.places_changed(guild_id)
        await self._note(guild_id, directory, [channel_row(payload)])

    async def _threads(self, guild_id: int, directory: ChannelDirectory, _: int, payload: Payload) -> None:
        await self._note(guild_id, directory, [channel_row(entry) for entry in payload["threads"]])

    async def _guild(self, guild_id: int, directory: ChannelDirectory, _: int, payload: Payload) -> None:
        rows = [channel_row(entry) for key in ("channels", "threads") for entry in payload.get(key, ())]
        async with self._database.connection() as connection:
            await mark_joined(connection, guild_id)
        await self._note(guild_id, directory, rows)
        directory.staff.note_guild(payload)
        directory.complete = True

    async def _guild_changed(self, guild_id: int, directory: ChannelDirectory, _: int, payload: Payload) -> None:
        directory.staff.note_guild(payload)

    async def _role(self, guild_id: int, directory: ChannelDirectory, _: int, payload: Payload) -> None:
        directory.staff.note_role(payload["role"])
        self._responder.places_changed(guild_id)

    async def _role_gone(self, guild_id: int, directory: ChannelDirectory, _: int, payload: Payload) -> None:
        directory.staff.drop_role(int(payload["role_id"]))
        self._responder.places_changed(guild_id)

    async def _guild_gone(self, guild_id: int, _: ChannelDirectory, __: int, payload: Payload) -> None:
        if not payload.get("unavailable"):  # an outage is not a removal
            async with self._database.connection() as connection:
                await mark_left(connection, guild_id)

    async def _note(self, guild_id: int, directory: ChannelDirectory, rows: Sequence[ChannelRow]) -> None:
        """Takes channels in, and keeps those that a resume in another process would need to know.

        What was said in a channel before it became age-restricted answers only in such channels from then on. That is
        done before it is noted down for good, so that a process that dies in between does it again.
        """
        restricted = [row.channel_id for row in rows if row.nsfw and directory.is_open(row.channel_id)]
        for row in rows:
            directory.note(row)
        for channel_id in restricted:
            there = [channel_id, *directory.threads_of(channel_id)]
            await self._guilds.restrict_channels(guild_id, self._owner, there)
        kept = [row for row in rows if row.channel_id in restricted or directory.has_settings(row.channel_id)]
        if kept:
            async with self._database.connection() as connection:
                await save_channels(connection, guild_id, kept)
