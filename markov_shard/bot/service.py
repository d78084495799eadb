"""A whole shard process: the bot, the shards it owns, what its guilds learn and answer."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import asdict
from typing import Any

import hikari
import orjson

from markov_shard.bot.catching_up import CatchingUp
from markov_shard.bot.client import build_client
from markov_shard.bot.cpu_work import CpuWork
from markov_shard.bot.fleet_bot import FleetBot
from markov_shard.bot.gateway import IdentifyGate
from markov_shard.bot.hosting import Hosting
from markov_shard.bot.measures import measure_gateway, measure_learning, shard_figures
from markov_shard.bot.reply_times import ReplyTimes
from markov_shard.bot.talking import Talking
from markov_shard.bot.timing import ReplyClock
from markov_shard.bot.trainer import Trainer
from markov_shard.bot.upkeep import Upkeep
from markov_shard.bot.watching import ShardWatch
from markov_shard.errors import MarkovShardError, SettingsError
from markov_shard.flags import first_rollouts
from markov_shard.guilds.image_files import ImageFiles
from markov_shard.guilds.learner import Learner
from markov_shard.guilds.opening import ChainOpener
from markov_shard.guilds.owner import Owner
from markov_shard.guilds.registry import Guilds
from markov_shard.health import Finding, Verdict
from markov_shard.health.metrics import Metrics
from markov_shard.logs import get_logger
from markov_shard.ownership.runner import ShardHealth
from markov_shard.rest import refresh_urls
from markov_shard.rest_limits import measure_rest, rest_budget
from markov_shard.runtime import Runtime
from markov_shard.settings import Settings, reveal
from markov_shard.shared.cdn_urls import CdnUrls
from markov_shard.shared.flags import LiveFlags
from markov_shard.shared.image_cache import ImageCache
from markov_shard.shared.members import read_members
from markov_shard.shared.news import News, listen
from markov_shard.shared.sessions import Sessions
from markov_shard.store.flags import read_flags
from markov_shard.store.messages import drop_attachment
from markov_shard.tasks import end, persist
from markov_shard.training.pool import WorkPool

_log = get_logger(__name__)

INTENTS = (
    hikari.Intents.GUILDS | hikari.Intents.GUILD_MESSAGES | hikari.Intents.DM_MESSAGES | hikari.Intents.MESSAGE_CONTENT
)


def require_token(settings: Settings) -> str:
    """The bot's token. Raises SettingsError without one."""
    token = reveal(settings.token)
    if not token:
        raise SettingsError(
            "setting TOKEN is not set: put the bot's token into .env, or use `markov-shard up` without one"
        )
    return token


def bot_id_of(token: str) -> int:
    """The bot's own ID, which its token begins with. Raises SettingsError."""
    first = token.partition(".")[0]
    try:
        return int(base64.b64decode(first + "=" * (-len(first) % 4)))
    except ValueError:
        raise SettingsError("setting TOKEN is not a Discord bot token: it does not begin with the bot's ID") from None


def build_bot(settings: Settings) -> FleetBot:
    """The hikari bot of the settings, without any shard. Raises SettingsError without a usable token."""
    token = require_token(settings)
    try:
        return FleetBot(
            token,
            banner=None,
            logs=None,
            intents=INTENTS,
            rest_url=settings.rest_url,
            http_settings=hikari.impl.HTTPSettings(force_close_transports=False),  # a reply opens no connection
            loads=orjson.loads,
            dumps=orjson.dumps,
            cache_settings=hikari.impl.CacheSettings(components=hikari.api.CacheComponents.NONE),
        )
    except ValueError:
        raise SettingsError("setting TOKEN is not a Discord bot token (three parts with dots between)") from None


class ShardService:
    """What a shard process runs beside its ownership agent, which drives `hosting`."""

    def __init__(
        self, runtime: Runtime, gate: IdentifyGate, *, on_superseded: Callable[[Owner], None] = lambda owner: None
    ) -> None:
        settings = runtime.settings
        self._runtime = runtime
        self.metrics = Metrics()
        self._tasks: set[asyncio.Task[object]] = set()
        flushed = self.metrics.seconds("markov_flush_seconds", "Seconds it took to store what was learned")
        self.flags = LiveFlags(runtime.redis, first_rollouts(settings))
        reply_times = ReplyTimes(
            self.metrics,
            settings.slow_reply_ms / 1000,
            is_monitored=lambda guild_id: self.flags.is_on("performance_monitoring", guild_id),
        )
        self.reply_clock = ReplyClock(reply_times.replied)
        pool_wait = self.metrics.seconds("markov_cpu_work_wait_seconds", "Seconds CPU work waited for the pool")
        self.cpu_work = CpuWork(
            lambda: WorkPool(settings.worker_pool_size, memory_mb=settings.job_memory_limit),
            in_pool=lambda guild_id: self.flags.is_on("worker_pool", guild_id),
            observe_wait=pool_wait.observe,
        )
        self._opener = ChainOpener(
            runtime.database,
            ImageCache(runtime.redis),
            ImageFiles(settings.data_dir / "images", limit=settings.chain_files_limit << 20),
            settings.state_size,
            apart=self.cpu_work,
            on_damaged_file=lambda guild_id: self._spawn(self.guilds.refresh(guild_id)),
        )
        self.trainer = Trainer(runtime)
        self.learner = Learner(
            runtime.database,
            debounce=settings.chain_save_debounce_ms / 1000,
            batch_size=settings.batch_size,
            in_batches=lambda guild_id: self.flags.is_on("batch_optimization", guild_id),
            on_stored=self.trainer.consider_compiling,
            on_flushed=self._flushed,
            on_superseded=on_superseded,
            observe_flush=flushed.observe,
        )
        self.guilds = Guilds(
            runtime.database,
            self._opener,
            self.learner,
            memory_limit=settings.chain_cache_memory_limit << 20,
            from_images=lambda guild_id: self.flags.is_on("markov_store", guild_id),
            on_damaged=lambda guild_id: self._spawn(self.trainer.request_compile(guild_id)),
            on_removed=lambda urls: self._spawn(self.cdn_urls.forget(urls)),
        )
        self.bot = build_bot(settings)
        self.rest_budget = self.bot.rest_budget = rest_budget(settings, runtime.redis)
        self.hosting = Hosting(
            self.bot,
            runtime.database,
            Sessions(runtime.redis),
            self.guilds,
            self.learner,
            gate,
            hikari.Activity(name=settings.activity) if settings.activity else None,
            self.reply_clock,
            on_settled=lambda: self._spawn(self._take_up_everything()),
            responder=lambda: self.talking.responder,
            on_started=lambda shard: self._spawn(self.talking.following.take_up(shard)),
            before_session=lambda shard: self.catching_up.note(shard),  # noqa: PLW0108 - made below
            ignored=settings.ignored_channel_ids,
        )
        self.catching_up = CatchingUp(runtime.database, self.guilds, self.learner, self.hosting, lambda: self.bot.rest)
        self.cdn_urls = CdnUrls(
            runtime.redis,
            lambda urls: refresh_urls(self.bot.rest, urls),
            holder=runtime.name,
            on_gone=self._drop_attachment,
        )
        self.talking = Talking(
            runtime,
            self.bot,
            bot_id_of(require_token(settings)),
            self.guilds,
            self.hosting,
            self.trainer,
            self.cdn_urls,
            self.cpu_work,
            reply_times.answered,
            reply_times.attached,
        )
        self.upkeep = Upkeep(runtime.database, self.guilds, self.hosting, settings)
        self.watch = ShardWatch(
            runtime.name, lambda: self.hosting.connections, lambda: read_members(self._runtime.redis)
        )
        self._measure()
        self._client = build_client(self.bot, settings, self.talking.services)

    def _measure(self) -> None:
        measure_gateway(self.metrics, self.hosting)
        measure_rest(self.metrics, self.rest_budget)
        measure_learning(self.metrics, self.learner, self.guilds, self._opener)
        self.metrics.total("markov_replies", "Events replied to", lambda: self.reply_clock.replies)
        gauge, total = self.metrics.gauge, self.metrics.total
        gauge(
            "markov_cpu_work_waiting", "Pieces of CPU work in the pool or waiting for it", lambda: self.cpu_work.waiting
        )
        totals, urls = self.metrics.totals, self.cdn_urls
        totals("markov_gateway_reconnects", "Connections given up as no good", "sign", lambda: self.watch.reconnects)
        totals("markov_caught_up", "Messages reread after a lost session", "change", lambda: self.catching_up.messages)
        totals("markov_cdn_urls", "Questions for an attachment's URL, by how it was found", "outcome", urls.by_outcome)
        gauge("markov_cdn_url_hit_ratio", "Share of them that needed no refresh of their own", lambda: urls.hit_rate)
        total("markov_cdn_refresh_requests", "Refresh requests sent to Discord", lambda: urls.requests)

    def _flushed(self) -> None:
        self.guilds.trim()
        self._spawn(self.hosting.save_positions())

    async def _drop_attachment(self, guild_id: int, url: str) -> None:
        """Takes a file that is gone out of the guild's messages, if this process still owns the guild."""
        owner = self.hosting.owner_of(guild_id)
        if owner is not None:
            async with self._runtime.database.transaction() as connection:
                await owner.require(connection)
                await drop_attachment(connection, guild_id, url)

    def _spawn(self, work: Coroutine[object, object, object]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Learns, answers and hears news while the block runs. Shards are drained before it ends, by the agent."""
        async with self._runtime.database.connection() as connection:
            known = await read_flags(connection)
        self.flags.take(known.change_id, known.rollouts)  # Redis may have none yet
        await self._client.start()
        async with asyncio.TaskGroup() as group:
            background = [
                group.create_task(self.learner.run(), name="learner"),
                group.create_task(self.flags.follow(), name="flags"),
                group.create_task(self.upkeep.run(), name="upkeep"),
                group.create_task(self.catching_up.run(), name="catching up"),
                group.create_task(self._drop_stale_files(), name="stale image files"),
                group.create_task(self.watch.run(), name="shard watch"),
                group.create_task(listen(self._runtime.redis, on_news=self._on_news, on_gap=self._on_gap), name="news"),
            ]
            try:
                yield
            finally:
                await self.talking.responder.settle()
                self.talking.following.close()
                await end([*background, *self._tasks])
                await self.hosting.closed()
                if self.bot.is_alive:
                    await self.bot.close()
                await self.rest_budget.close()
                self.cpu_work.close()

    async def _on_news(self, news: News) -> None:
        self._spawn(self._take_up(news))

    async def _take_up(self, news: News) -> None:
        try:
            owner = self.hosting.owner_of(news.guild_id)
            if owner is not None and (news.what == "purge" or news.user_id):
                gone = news.user_id
                await self.guilds.discard(news.guild_id, owner, lambda message: not gone or message.author_id == gone)
            await self.guilds.refresh(news.guild_id)
            if news.what in ("removal", "purge"):
                await self._opener.drop_stale_files(news.guild_id)
        except MarkovShardError as error:
            _log.warning("what changed of a guild cannot be taken up", guild=str(news.guild_id), reason=str(error))

    async def _on_gap(self) -> None:
        self._spawn(self._take_up_everything())

    async def _take_up_everything(self) -> None:
        """Takes up what changed while nobody could announce it; while Postgres is away too, tries again."""
        await persist(
            self.guilds.refresh_all,
            on_trouble=lambda error: _log.warning("what changed cannot be taken up yet", reason=str(error)),
        )
        await self._drop_stale_files()

    async def _drop_stale_files(self) -> None:
        try:
            await self._opener.drop_all_stale_files()
        except MarkovShardError as error:
            _log.warning("image files were not looked through", reason=str(error))

    def figures(self) -> Mapping[str, Any]:
        """For the heartbeat."""
        return shard_figures(self.hosting, self.reply_clock, self.learner, self.guilds)

    # --- health ---------------------------------------------------------------------------------------------

    def storage_finding(self) -> Finding:
        """Whether what is learned reaches Postgres."""
        details = {"waiting": self.learner.waiting, "oldest_seconds": round(self.learner.oldest_age, 3)}
        if self.learner.trouble:
            return Finding(Verdict.DEGRADED, f"learned messages wait: {self.learner.trouble}", details)
        return Finding(Verdict.OK, "learned messages are stored", details)

    def shard_findings(self) -> Mapping[int, Finding]:
        """The state of each shard this process owns."""
        hosting, watch = self.hosting, self.watch
        return {
            shard.shard_id: _shard_finding(hosting.shard_health(shard), watch.note(shard)) for shard in hosting.shards
        }


def _shard_finding(health: ShardHealth, note: str | None) -> Finding:
    verdict = Verdict.OK if health.state == "connected" else Verdict.DOWN
    text = health.error or health.state
    return Finding(verdict, f"{text}; {note}" if note else text, asdict(health))
