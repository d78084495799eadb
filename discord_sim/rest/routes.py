"""Every REST route the stand-in serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from discord_sim.rest.channels import Channels
from discord_sim.rest.commands import Commands
from discord_sim.rest.guilds import Guilds
from discord_sim.rest.interactions import InteractionAnswers
from discord_sim.rest.messages import Messages
from discord_sim.rest.users import Users
from discord_sim.rest.webhooks import Webhooks

if TYPE_CHECKING:
    from discord_sim.server import DiscordSim


def rest_routes(sim: DiscordSim) -> list[web.RouteDef]:
    webhooks = Webhooks(sim)
    return [
        *Users(sim).routes(),
        *Guilds(sim).routes(),
        *Channels(sim).routes(),
        *webhooks.routes(),
        *Messages(sim).routes(),
        *Commands(sim).routes(),
        *InteractionAnswers(sim, webhooks).routes(),
    ]
