"""Which messages the bot answers: mentions, commands with the prefix, and some ordinary ones where it is asked to."""

import asyncio
import contextlib
import hashlib
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

import hikari

from markov_shard.bot.answers import Answers, Reply
from markov_shard.bot.attachments import Attachments
from markov_shard.bot.directory import ChannelDirectory
from markov_shard.bot.explaining import explain
from markov_shard.bot.limits import Cooldowns
from markov_shard.bot.payloads import author_of, mentions, roles_of, written_at
from markov_shard.bot.permissions import Permissions
from markov_shard.bot.sending import File, Messenger, Outgoing, with_link
from markov_shard.bot.timing import owe_reply
from markov_shard.errors import MarkovShardError, ServiceUnavailableError
from markov_shard.logs import get_logger
from markov_shard.settings import Settings
from markov_shard.store.pool import Database
from markov_shard.tasks import end

_log = get_logger(__name__)

Payload = Mapping[str, Any]
FetchStaff = Callable[[int, ChannelDirectory], Awaitable[None]]
"""Asks Discord who moderates a guild, where no event has told."""

MayManage = Callable[["Asked"], Awaitable[bool]]
"""Whether a message's author moderates the guild, or owns the bot."""

OnCommand = Callable[["Asked", MayManage], Awaitable[None]]
"""Does what a message command other than an answer asks for."""

STALE_SECONDS = 30.0
"""A message older than this is a replay: it is learned, not answered."""

_SETTLE_SECONDS = 5.0
"""For how long a process that stops waits for its answers to be sent: a limit of Discord's may be in their way."""

NOT_ALLOWED = "You need another role to make me talk."
ONLY_SERVERS = "I only talk in servers: use `/invite` in one of mine to add me to another."
TROUBLE = "My memory is out of reach right now: please ask again in a moment."


class Asked:
    """A message that wants something of the bot, and how to answer it."""

    def __init__(
        self,
        messenger: Messenger,
        guild_id: int,
        directory: ChannelDirectory,
        payload: Payload,
        text: str,
    ) -> None:
        """`text`: the message without the mention or the prefix."""
        self._messenger = messenger
        self.guild_id = guild_id
        self.directory = directory
        self.payload = payload
        self.text = text
        self.message_id = int(payload["id"])
        self.channel_id = int(payload["channel_id"])
        self.user_id = author_of(payload)

    async def reply(
        self, text: str, *, part: str = "", tts: bool = False, file: File | None = None, quote: bool = True
    ) -> int | None:
        """Answers, at most once for each `part`; returns the answer's message ID, None where the bot may not write."""
        outgoing = Outgoing(text, f"{self.message_id}{part}", self.message_id if quote else None, tts=tts, file=file)
        thread = len(self.directory.with_parent(self.channel_id)) > 1
        return await self._messenger.send(self.guild_id, self.channel_id, outgoing, user_id=self.user_id, thread=thread)


class Responder:
    """Decides at once, without a database call, and answers in a task of its own."""

    def __init__(
        self,
        settings: Settings,
        bot_id: int,
        database: Database,
        answers: Answers,
        messenger: Messenger,
        attachments: Attachments,
        permissions: Permissions,
        cooldowns: Cooldowns,
        *,
        fetch_staff: FetchStaff,
        commands: Mapping[str, OnCommand],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`commands`: what `!mark WORD` does, by word."""
        self._bot_id = bot_id
        self._prefix = settings.message_command_prefix
        self._response_channels = settings.response_channel_ids
        self._database = database
        self._answers = answers
        self._messenger = messenger
        self._attachments = attachments
        self._permissions = permissions
        self._cooldowns = cooldowns
        self._fetch_staff = fetch_staff
        self._commands = commands
        self._clock = clock
        self._own_mention = re.compile(rf"<@!?{bot_id}>")
        self._tasks: set[asyncio.Task[None]] = set()

    # --- deciding -------------------------------------------------------------------------------------------

    def consider_command(self, guild_id: int, directory: ChannelDirectory, payload: Payload) -> bool:
        """Whether the message is a command with the prefix, which is not learned; it is followed then."""
        content: str = payload["content"]
        size = len(self._prefix)
        if content[:size].casefold() != self._prefix.casefold():
            return False
        if len(content) > size and not content[size].isspace():
            return False
        if self._is_fresh(payload):
            asked = Asked(self._messenger, guild_id, directory, payload, content[size:].strip())
            self._spawn(self._follow(asked))
        return True

    def consider(self, guild_id: int, directory: ChannelDirectory, payload: Payload) -> None:
        """Answers an ordinary message if it mentions the bot, or if its channel's dice say so."""
        channel_id = int(payload["channel_id"])
        mentioned = payload.get("mentions") and mentions(payload, self._bot_id)
        if mentioned and self._may_answer_in(directory, channel_id):
            if self._is_fresh(payload) and self._messenger.may_send(guild_id, channel_id):
                text = self._own_mention.sub("", payload["content"]).strip()
                asked = Asked(self._messenger, guild_id, directory, payload, text)
                self._spawn(self._answer(asked, text, prompt=True))
            return
        chance = directory.autorespond_chance(channel_id)
        if not chance or dice(int(payload["id"])) >= chance:
            return
        if self._is_fresh(payload) and self._messenger.may_send(guild_id, channel_id):
            asked = Asked(self._messenger, guild_id, directory, payload, payload["content"])
            self._spawn(self._chime_in(asked))

    def consider_direct(self, payload: Payload) -> None:
        """Tells a person who writes to the bot directly where it talks."""
        author = payload.get("author") or {}
        if author.get("bot") or payload.get("type", 0) not in (0, 19) or not self._is_fresh(payload):
            return
        if not self._cooldowns.take(author_of(payload), int(payload["channel_id"])):
            outgoing = Outgoing(ONLY_SERVERS, str(payload["id"]))
            self._spawn(self._send_direct(int(payload["channel_id"]), outgoing))

    def places_changed(self, guild_id: int) -> None:
        """Channels or roles changed, and with them, maybe, where the bot may write."""
        self._messenger.forget_troubles(guild_id)

    def _may_answer_in(self, directory: ChannelDirectory, channel_id: int) -> bool:
        allowed = self._response_channels
        return not allowed or not allowed.isdisjoint(directory.with_parent(channel_id))

    def _is_fresh(self, payload: Payload) -> bool:
        return self._clock() - written_at(int(payload["id"])) < STALE_SECONDS

    # --- answering ------------------------------------------------------------------------------------------

    async def _follow(self, asked: Asked) -> None:
        """Does what a command asks for: a word of `commands`, else an answer that starts from the words after it."""
        word, _, rest = asked.text.partition(" ")
        if not self._messenger.may_send(asked.guild_id, asked.channel_id):
            return
        if (command := self._commands.get(word.casefold())) is not None:
            asked.text = rest.strip()
            try:
                await command(asked, self.may_manage)
            except ServiceUnavailableError as error:
                _log.warning("a command cannot be followed now", guild=str(asked.guild_id), reason=str(error))
                await asked.reply(TROUBLE)
            return
        wanted: set[str] = set()
        while word.casefold() in ("debug", "tts"):
            wanted.add(word.casefold())
            word, _, rest = rest.strip().partition(" ")
        await self._answer(asked, f"{word} {rest}".strip(), debug="debug" in wanted, tts="tts" in wanted)

    async def may_manage(self, asked: Asked) -> bool:
        """Whether a message's author moderates the guild, or owns the bot."""
        if not asked.directory.staff.known:
            await self._fetch_staff(asked.guild_id, asked.directory)
        staff = asked.directory.staff.includes(asked.guild_id, asked.user_id, roles_of(asked.payload))
        granted = hikari.Permissions.ADMINISTRATOR if staff else hikari.Permissions.NONE
        return self._permissions.may_manage(asked.user_id, granted)

    async def _may_generate(self, asked: Asked) -> bool:
        roles = roles_of(asked.payload)
        if self._permissions.may_generate(asked.user_id, hikari.Permissions.NONE, roles):
            return True
        return await self.may_manage(asked)

    async def _answer(
        self, asked: Asked, seed: str, *, prompt: bool = False, debug: bool = False, tts: bool = False
    ) -> None:
        if not await self._may_generate(asked):
            await asked.reply(NOT_ALLOWED)
            return
        if self._cooldowns.take(asked.user_id, asked.channel_id):
            return
        try:
            reply = await self._answers.answer(asked.guild_id, asked.channel_id, seed or None, prompt=prompt)
        except MarkovShardError as error:
            _log.warning("a message cannot be answered now", guild=str(asked.guild_id), reason=str(error))
            reply = Reply(TROUBLE)
        await self._send(asked, reply, tts=tts)
        if debug and reply.answer is not None:
            await asked.reply(await explain(self._database, asked.guild_id, reply.answer), part="d")

    async def _chime_in(self, asked: Asked) -> None:
        """Answers an ordinary message; where there is nothing to say, or nobody may have it, silence is right."""
        if not await self._may_generate(asked) or self._cooldowns.take(asked.user_id, asked.channel_id):
            return
        reply = await self._answers.answer(asked.guild_id, asked.channel_id, asked.text or None, prompt=True)
        if reply.answer is not None and reply.answer.text:
            await self._send(asked, reply, quote=False)

    async def _send(self, asked: Asked, reply: Reply, *, tts: bool = False, quote: bool = True) -> None:
        text, file = reply.text, None
        if reply.attachment is not None:
            file = await self._attachments.fetch(reply.attachment)
            text = text if file else with_link(text, reply.attachment)
        await asked.reply(text, tts=tts, file=file, quote=quote)

    async def _send_direct(self, channel_id: int, outgoing: Outgoing) -> None:
        await self._messenger.send(0, channel_id, outgoing)

    # --- tasks ----------------------------------------------------------------------------------------------

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        owe_reply()
        task = asyncio.create_task(self._guarded(work), name="answering a message")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except MarkovShardError as error:
            _log.warning("a message could not be answered", reason=str(error))
        except hikari.HikariError as error:
            _log.warning("an answer could not be sent", reason=(str(error).splitlines() or [type(error).__name__])[0])
        except Exception:  # noqa: BLE001 - one odd message must not go unheard of
            _log.exception("a message could not be answered")

    async def settle(self) -> None:
        """Waits until every answer under way is sent, but for no longer than a process that stops has."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SETTLE_SECONDS):
                while self._tasks:
                    await asyncio.wait(self._tasks)
        if self._tasks:
            _log.warning("answers are given up: they could not be sent in time", answers=len(self._tasks))
            await end(list(self._tasks))


def dice(message_id: int) -> float:
    """0 to 100, the same for a message however often it is seen."""
    digest = hashlib.blake2b(message_id.to_bytes(8, "big"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64 * 100
