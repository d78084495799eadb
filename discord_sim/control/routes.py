"""The routes of the control API. IDs are text everywhere; what is wrong with a request comes back as `message`."""

from __future__ import annotations

from aiohttp import web

from discord_sim.control.machinery import MachineryRoutes
from discord_sim.control.messages import MessageRoutes
from discord_sim.control.places import PlaceRoutes
from discord_sim.control.uses import UseRoutes
from discord_sim.parts import Parts


def control_routes(sim: Parts) -> list[web.RouteDef]:
    return [
        *PlaceRoutes(sim).routes(),
        *MessageRoutes(sim).routes(),
        *UseRoutes(sim).routes(),
        *MachineryRoutes(sim).routes(),
    ]
