"""The lightbulb client with this bot's commands, for the shards that run them and the leader that registers them."""

from collections.abc import Mapping
from typing import Any

import lightbulb

from markov_shard.bot.commands.autorespond import autorespond
from markov_shard.bot.commands.forget import forget
from markov_shard.bot.commands.help import Help
from markov_shard.bot.commands.invite import Invite
from markov_shard.bot.commands.listen import listen
from markov_shard.bot.commands.mark import mark_command
from markov_shard.bot.commands.stats import Stats
from markov_shard.bot.commands.train import Train, TrainCancel, TrainStatus
from markov_shard.bot.failures import answer_failure
from markov_shard.bot.releasing import release
from markov_shard.settings import Settings


def build_client(
    app: lightbulb.client.GatewayClientAppT,
    settings: Settings,
    services: Mapping[type[Any], object],
    *,
    register: bool = False,
) -> lightbulb.GatewayEnabledClient:
    """A client whose commands ask for `services`; it registers them with Discord, at its start, only if told to."""
    guilds = [settings.dev_guild_id] if settings.dev_guild_id else []
    client = lightbulb.client_from_app(app, sync_commands=register, default_enabled_guilds=guilds, hooks=[release])
    for kind, service in services.items():
        client.di.registry_for(lightbulb.di.Contexts.DEFAULT).register_value(kind, service)
    commands = (listen, autorespond, Train, TrainStatus, TrainCancel, forget, Stats, Invite, Help)
    for command in (mark_command(settings.slash_command_name), *commands):
        client.register(command)
    client.error_handler(answer_failure)
    return client
