"""A bot and a stand-in in one event loop, and a guild to meet it in: what members do, and what they then see."""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from discord_sim import DEMO_BOT_ID, DEMO_TOKEN, permissions
from discord_sim.chat import Draft
from discord_sim.control.acts import Acts
from discord_sim.interaction_shapes import Interaction
from discord_sim.places import NewChannel, NewMember
from discord_sim.rest.bodies import File
from discord_sim.server import DiscordSim
from discord_sim.state import Channel, Guild, Message, Overwrite, User
from markov_shard.bot.registration import register_commands
from markov_shard.bot.service import ShardService, build_bot
from markov_shard.ownership.runner import OwnedShard
from markov_shard.ownership.turns import Turns
from markov_shard.runtime import Runtime, ServiceUrls
from markov_shard.settings import Settings
from markov_shard.shared.connect import connect_redis
from markov_shard.shared.identify import Permit
from markov_shard.store.epochs import take_epoch
from markov_shard.store.pool import Database
from tests.standin import no_limits, stand_in

Json = dict[str, Any]
PATIENCE = 20.0


async def until(found: Callable[[], Any], *, what: str = "") -> Any:
    """The first true value of `found`. Fails when there is none for long."""
    deadline = time.monotonic() + PATIENCE
    while not (value := found()):
        assert time.monotonic() < deadline, f"waited {PATIENCE:.0f} s for {what or 'something'}"
        await asyncio.sleep(0.002)
    return value


class OpenGate:
    """Lets every IDENTIFY pass."""

    @contextlib.asynccontextmanager
    async def permit(self, shard_id: int, *, recovery: bool = True) -> AsyncIterator[Permit]:
        yield Permit()


@dataclass
class Seen:
    """What a member sees after a command or a press: the answer and what followed it."""

    interaction: Interaction

    @property
    def message(self) -> Message:
        """The answer."""
        assert self.interaction.response is not None
        return self.interaction.response

    @property
    def text(self) -> str:
        """The answer's text."""
        return self.message.content

    @property
    def private(self) -> bool:
        """Whether only the member sees it."""
        return self.interaction.ephemeral

    @property
    def more(self) -> list[Message]:
        """What followed."""
        return self.interaction.followups


@dataclass
class Bot:
    """A shard process's inside, connected to a stand-in of its own."""

    sim: DiscordSim
    service: ShardService
    runtime: Runtime
    acts: Acts
    epoch: int
    _names: list[str] = field(default_factory=list)

    @property
    def database(self) -> Database:
        """What it stores."""
        return self.runtime.database

    def guild(self, *channels: str | NewChannel, members: Sequence[str] = ("jonas", "aiko")) -> "Server":
        """A guild of its own for a test: `mira` moderates it; channels are public unless told otherwise."""
        wanted = [NewChannel(item) if isinstance(item, str) else item for item in channels or ("general", "side")]
        people = [NewMember("owner", admin=True), *(NewMember(name) for name in members), NewMember("mira")]
        guild = self.sim.places.add_guild("Test", wanted, people)
        made = Server(self, guild)
        made.role("Moderators", "mira", permissions_=permissions.MANAGE_CHANNELS)
        return made

    async def settle(self) -> None:
        """Waits until everything that was learned is stored."""
        await self.service.learner.flush()

    async def drop(self) -> None:
        """The connection is lost without a farewell, and the process with it; nothing of the last moments is saved."""
        await self.service.hosting.stop_shard(OwnedShard(0, 1, self.epoch), drain=False)


@dataclass
class Server:
    """One guild, as its members use it."""

    bot: Bot
    guild: Guild

    @property
    def id(self) -> int:
        return self.guild.id

    @property
    def first(self) -> str:
        """The name of the first channel."""
        return next(iter(self.guild.channels.values())).name

    def channel(self, name: str) -> Channel:
        return next(channel for channel in self.guild.channels.values() if channel.name == name)

    def user(self, name: str) -> User:
        found = self.bot.sim.world.find_user(name)
        assert found is not None
        return found

    def thread(self, name: str, under: str) -> Channel:
        """A new thread in a channel."""
        new = NewChannel(name, type=11, parent_id=self.channel(under).id)
        return self.bot.sim.places.add_channel(self.guild, new)

    def member(self, name: str, *, user_id: int | None = None) -> User:
        """Somebody joins."""
        return self.bot.sim.places.add_member(self.guild, NewMember(name, id=user_id)).user

    def role(self, name: str, *users: str, role_id: int | None = None, permissions_: int = 0) -> int:
        """A new role that some members have."""
        role = self.bot.sim.roles.add(self.guild, name, permissions_, role_id=role_id)
        for user in users:
            self.bot.sim.roles.give(self.guild, self.guild.members[self.user(user).id], role.id)
        return role.id

    def deny(self, channel: str, bits: int, *, who: int = DEMO_BOT_ID) -> None:
        """Takes permissions in a channel away from the bot, or from another member or role."""
        kind = 0 if who in self.guild.roles else 1
        self.bot.sim.roles.overwrite(self.guild, self.channel(channel), Overwrite(who, kind, 0, bits))

    def allow(self, channel: str, bits: int, *, who: int = DEMO_BOT_ID) -> None:
        """Grants them."""
        kind = 0 if who in self.guild.roles else 1
        self.bot.sim.roles.overwrite(self.guild, self.channel(channel), Overwrite(who, kind, bits, 0))

    # --- acting ---------------------------------------------------------------------------------------------

    def write(
        self,
        text: str,
        *,
        user: str = "jonas",
        channel: str = "general",
        files: Sequence[tuple[str, bytes]] = (),
        message_id: int | None = None,
    ) -> Message:
        """A member writes a message."""
        where = self.channel(channel)
        stored = [self.bot.sim.cdn.store(where.id, name, data) for name, data in files]
        return self.bot.sim.chat.post(where, self.user(user), Draft(text, attachments=stored, message_id=message_id))

    async def use(
        self,
        command: str,
        *,
        by: str = "jonas",
        at: str = "general",
        files: Sequence[tuple[str, bytes]] = (),
        more: int = 0,
        **options: Any,
    ) -> Seen:
        """A member uses a slash command; returns once it is answered, and followed by `more` messages."""
        given = {name.replace("_", "-"): value for name, value in options.items()}
        uploaded = {place: File(name, "", data) for place, (name, data) in enumerate(files)}
        interaction = self.bot.acts.command(self.channel(at), self.user(by), command, given, uploaded)
        return await self._answered(interaction, f"an answer to /{command}", more)

    async def press(
        self,
        message: Message,
        custom_id: str,
        *,
        by: str = "mira",
        values: Sequence[object] | None = None,
        more: int = 0,
    ) -> Seen:
        """A member uses a button or menu."""
        chosen = None if values is None else [str(value) for value in values]
        interaction = self.bot.acts.component(message.id, self.user(by), custom_id, chosen)
        return await self._answered(interaction, f"an answer to {custom_id}", more)

    async def _answered(self, interaction: Interaction, what: str, more: int) -> Seen:
        await until(
            lambda: interaction.state in ("answered", "failed") and len(interaction.followups) >= more, what=what
        )
        assert interaction.state == "answered", f"no {what} within three seconds"
        return Seen(interaction)

    # --- seeing ---------------------------------------------------------------------------------------------

    def said(self, channel: str = "general") -> list[Message]:
        """What the bot has written in a channel, interactions' answers left out, oldest first."""
        page = self.channel(channel).messages.page(1000)
        return [m for m in reversed(page) if m.author.id == DEMO_BOT_ID and m.interaction is None]

    def answer_to(self, message: Message, part: str = "") -> Message | None:
        """The bot's answer to a message, if it is there."""
        page = self.bot.sim.world.channels[message.channel_id].messages.page(1000)
        return next((m for m in page if m.author.id == DEMO_BOT_ID and m.nonce == f"{message.id}{part}"), None)

    async def reply_to(self, message: Message, part: str = "") -> Message:
        """The bot's answer to a message, once it is there."""
        found: Message = await until(lambda: self.answer_to(message, part), what=f"an answer to {message.content!r}")
        return found

    async def is_ignored(self, message: Message) -> bool:
        """Whether the bot leaves a message unanswered: it has answered a later one, and not this."""
        await self.passed()
        return self.answer_to(message) is None

    async def passed(self, *, user: str = "owner") -> None:
        """Waits until the bot has dealt with everything before: a later message, in the last channel, is answered."""
        channels = [channel for channel in self.guild.channels.values() if not channel.is_thread]
        await self.reply_to(self.write("!mark help", user=user, channel=channels[-1].name))
        await self.bot.service.talking.responder.settle()

    async def learned(self, *texts: str, channel: str = "general", user: str = "jonas") -> list[Message]:
        """Members write, where the bot listens; returns once that is stored."""
        sent = [self.write(text, user=user, channel=channel) for text in texts]
        await self.stored(sent[-1])
        return sent

    async def stored(self, message: Message) -> None:
        """Waits until a message is in Postgres."""
        deadline = time.monotonic() + PATIENCE
        while not await self.rows(message_id=message.id):
            assert time.monotonic() < deadline, f"{message.content!r} was not stored"
            await self.bot.settle()
            await asyncio.sleep(0.002)

    async def rows(self, **where: int) -> list[Json]:
        """Stored messages of the guild."""
        conditions = "".join(f" AND {name} = {value}" for name, value in where.items())
        async with self.bot.database.connection() as connection:
            found = await connection.fetch(f"SELECT * FROM messages WHERE guild_id = $1{conditions}", self.id)
        return [dict(row) for row in found]

    async def listening(self, *channels: str) -> None:
        """A moderator chooses the channels to learn from, all of them by default."""
        names = channels or tuple(channel.name for channel in self.guild.channels.values())
        await self.use("listen add", by="mira", **self.channels(*names))

    def channels(self, *names: str) -> dict[str, int]:
        """Channels as options of `/listen add` and the like."""
        options = ["channel", *(f"channel{number}" for number in range(2, 26))]
        return {option: self.channel(name).id for option, name in zip(options, names, strict=False)}


@contextlib.asynccontextmanager
async def running_bot(database_url: str, redis_url: str, folder: Path, **settings: Any) -> AsyncIterator[Bot]:
    """A bot with one shard, connected; `settings` are those that a test needs to differ."""
    async with stand_in(rest_limits=no_limits()) as sim, await Database.open(database_url, size=8) as database:
        redis = await connect_redis(redis_url, name="tests")
        chosen = Settings(
            token=DEMO_TOKEN,
            rest_url=f"{sim.public_url}/api/v10",
            data_dir=folder,
            **{"min_score": 1, "attachment_chance": 0, "answer_budget_ms": 1000, "max_tries": 100, **settings},
        )
        await register_commands(build_bot(chosen), chosen)
        runtime = Runtime(chosen, "test-shard", ServiceUrls(database_url, redis_url), database, redis)
        async with database.transaction() as connection:
            epoch = await take_epoch(connection, 1, 0, "test-shard")
        service = ShardService(runtime, OpenGate())
        service.hosting.take_turns(Turns(shard_count=1))
        async with service.running():
            await service.hosting.start_shard(OwnedShard(0, 1, epoch))
            yield Bot(sim, service, runtime, Acts(sim.world, sim.cdn, sim.interactions), epoch)
            await service.hosting.stop_shard(OwnedShard(0, 1, epoch), drain=True)
        await redis.aclose()


def links(text: str) -> list[tuple[int, int, int]]:
    """Guild, channel and message of the message links in a text."""
    return [
        (int(guild), int(channel), int(message))
        for guild, channel, message in re.findall(r"discord\.com/channels/(\d+)/(\d+)/(\d+)", text)
    ]
