"""Every REST route the stand-in serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from discord_sim.rest.commands import Commands
from discord_sim.rest.guilds import Guilds
from discord_sim.rest.interactions import InteractionAnswers
from discord_sim.rest.messages import Messages
from discord_sim.rest.users import Users

if TYPE_CHECKING:
    from discord_sim.server import DiscordSim


def rest_routes(sim: DiscordSim) -> list[web.RouteDef]:
    return [
        *Users(sim).routes(),
        *Guilds(sim).routes(),
        *Messages(sim).routes(),
        *Commands(sim).routes(),
        *InteractionAnswers(sim).routes(),
    ]
