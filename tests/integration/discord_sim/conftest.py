"""A stand-in in the test's own process, its answers checked against Discord's document where that is at hand."""

from collections.abc import AsyncIterator

import pytest

from discord_sim import DEMO_TOKEN
from discord_sim.client import SimClient
from discord_sim.server import DiscordSim
from tests.integration.discord_sim.rest_client import RestClient
from tests.standin import no_limits, stand_in

GUILDS = (180_000_000_000 << 22, 180_000_000_001 << 22)
"""One on each of two shards."""


@pytest.fixture
async def sim() -> AsyncIterator[DiscordSim]:
    async with stand_in(rest_limits=no_limits()) as made:
        yield made


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


async def two_guilds(client: SimClient) -> list[Place]:
    """A guild on each of two shards, in which the bot may do everything."""
    found = []
    for guild_id in GUILDS:
        people = [{"username": "olga", "admin": True}, {"username": "mira"}]
        made = await client.create_guild("Tests", guild_id=guild_id, channels=[{"name": "general"}], members=people)
        ids = {member["username"]: member["id"] for member in made["members"]}
        bot_role = next(role for role in made["roles"] if role["name"] == "Markov")
        await client.edit_role(made["id"], bot_role["id"], permissions=8)
        found.append(Place(made["id"], made["channels"][0]["id"], ids["olga"], ids["mira"], ids["Markov"]))
    return found
