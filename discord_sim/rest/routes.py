"""Every REST route the stand-in serves."""

from __future__ import annotations

from aiohttp import web

from discord_sim.parts import Parts
from discord_sim.rest.channels import Channels
from discord_sim.rest.commands import Commands
from discord_sim.rest.guilds import Guilds
from discord_sim.rest.interactions import InteractionAnswers
from discord_sim.rest.messages import Messages
from discord_sim.rest.users import Users
from discord_sim.rest.webhooks import Webhooks


def rest_routes(sim: Parts) -> list[web.RouteDef]:
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
