"""A stand-in in the test's own process, its answers checked against Discord's document where that is at hand."""

from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path

import pytest

from discord_sim import DEMO_TOKEN
from discord_sim.client import SimClient
from discord_sim.demo import add_application
from discord_sim.rest.contract import Contract
from discord_sim.rest.limits import RestLimits
from discord_sim.server import DiscordSim
from tests.integration.discord_sim.rest_client import RestClient

OPENAPI = Path(__file__).parents[4] / "shared" / "discord" / "openapi.json"


@cache
def discord_document() -> Contract | None:
    """Discord's own document; None where it does not lie beside the checkout."""
    return Contract.read(OPENAPI) if OPENAPI.is_file() else None


@pytest.fixture
def rest_limits() -> RestLimits:
    """No limits, except in the tests of limits."""
    return RestLimits(buckets=False, global_per_second=None, invalid_in_10_minutes=None)


@pytest.fixture
async def sim(rest_limits: RestLimits) -> AsyncIterator[DiscordSim]:
    made = DiscordSim(rest_limits=rest_limits, contract=discord_document())
    add_application(made)
    async with made.serving():
        yield made
    assert made.violations == []


@pytest.fixture
async def client(sim: DiscordSim) -> AsyncIterator[SimClient]:
    """The control API, as tests and load generators use it."""
    async with SimClient(sim.public_url) as opened:
        yield opened


@pytest.fixture
async def rest(sim: DiscordSim) -> AsyncIterator[RestClient]:
    """Requests of the bot, written by hand."""
    async with RestClient(f"{sim.public_url}/api/v10", DEMO_TOKEN) as opened:
        yield opened


@pytest.fixture
async def place(client: SimClient) -> "Place":
    """A guild with one channel, an owner and a member."""
    members = [{"username": "olga", "admin": True}, {"username": "mira"}]
    made = await client.create_guild("Tests", channels=[{"name": "general"}], members=members)
    by_name = {member["username"]: member["id"] for member in made["members"]}
    return Place(made["id"], made["channels"][0]["id"], by_name["olga"], by_name["mira"], by_name["Markov"])


class Place:
    """IDs as text."""

    def __init__(self, guild: str, channel: str, owner: str, member: str, bot: str) -> None:
        self.guild = guild
        self.channel = channel
        self.owner = owner
        self.member = member
        self.bot = bot
