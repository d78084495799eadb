"""The parts that members meet, put together: answers, commands, buttons, and what they need."""

import random
from collections.abc import Callable, Mapping
from typing import Any

import hikari

from markov_shard.bot.answers import Answers, ObserveStages
from markov_shard.bot.attachments import Attachments
from markov_shard.bot.choices import ChannelChoices
from markov_shard.bot.commands.forget import forget_handler
from markov_shard.bot.components import Components
from markov_shard.bot.cpu_work import CpuWork
from markov_shard.bot.directory import ChannelDirectory
from markov_shard.bot.fleet_bot import FleetBot
from markov_shard.bot.following import Following
from markov_shard.bot.forgetting import Forgetting
from markov_shard.bot.hosting import Hosting
from markov_shard.bot.imitation import Imitation
from markov_shard.bot.limits import Cooldowns
from markov_shard.bot.message_commands import MessageCommands
from markov_shard.bot.permissions import Permissions
from markov_shard.bot.places import Places
from markov_shard.bot.responder import Responder
from markov_shard.bot.sending import Messenger
from markov_shard.bot.timing import Stage
from markov_shard.bot.trainer import Trainer
from markov_shard.guilds.registry import Guilds
from markov_shard.runtime import Runtime
from markov_shard.settings import Settings
from markov_shard.shared.cdn_urls import CdnUrls
from markov_shard.store.pool import Database


class Talking:
    """What answers members in one process."""

    def __init__(
        self,
        runtime: Runtime,
        bot: FleetBot,
        bot_id: int,
        guilds: Guilds,
        hosting: Hosting,
        trainer: Trainer,
        cdn_urls: CdnUrls,
        cpu_work: CpuWork,
        observe: ObserveStages,
        observe_attachment: Callable[[Stage, float], None],
    ) -> None:
        """`observe_attachment` is told how many seconds an attachment's stages took: url, file."""
        settings, database, rng = runtime.settings, runtime.database, random.Random()
        self._permissions = Permissions(settings)
        self._cooldowns = Cooldowns(member=settings.member_cooldown_seconds, channel=settings.channel_cooldown_seconds)
        self._attachments = Attachments(database, guilds, cdn_urls, settings, rng, observe_attachment)
        self._messenger = Messenger(lambda: bot.rest)
        self._places = Places(lambda: bot.rest, bot_id)
        self._choices = ChannelChoices(hosting, database, self._places, self._permissions)
        self._forgetting = Forgetting(runtime, guilds, hosting)
        self.answers = Answers(guilds, hosting, settings, rng, self._attachments, observe)
        self._imitation = Imitation(database, guilds, hosting, self.answers, settings, cpu_work)
        self.following = Following(database, hosting, trainer, self._messenger, lambda: bot.rest)
        commands = MessageCommands(settings, bot_id, trainer, self.following)
        self.responder = Responder(
            settings,
            bot_id,
            database,
            self.answers,
            self._messenger,
            self._attachments,
            self._permissions,
            self._cooldowns,
            fetch_staff=self._fetch_staff,
            commands=commands.by_word(),
        )
        self._components = Components(
            {
                "listen": self._choices.handler("listen"),
                "autorespond": self._choices.handler("autorespond"),
                "forget": forget_handler(self._forgetting, self._permissions),
            }
        )
        bot.event_manager.subscribe(hikari.InteractionCreateEvent, self._components.on_interaction)
        self.services: Mapping[type[Any], object] = {
            Answers: self.answers,
            Attachments: self._attachments,
            ChannelChoices: self._choices,
            Cooldowns: self._cooldowns,
            Database: database,
            Following: self.following,
            Forgetting: self._forgetting,
            Guilds: guilds,
            Hosting: hosting,
            Imitation: self._imitation,
            Messenger: self._messenger,
            Permissions: self._permissions,
            Settings: settings,
            Trainer: trainer,
        }
        """What commands ask for, by type."""

    async def _fetch_staff(self, guild_id: int, directory: ChannelDirectory) -> None:
        directory.staff.note(*await self._places.staff(guild_id))
