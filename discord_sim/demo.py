"""The world of `--demo`: one bot, and six small servers whose guilds fall on different shards."""

from __future__ import annotations

from discord_sim import DEMO_BOT_ID, DEMO_TOKEN
from discord_sim.chat import Draft
from discord_sim.places import NewChannel, NewMember
from discord_sim.server import DiscordSim

_SERVERS = {
    "Night Owls": ["Has anyone seen the new observatory pictures?", "I stayed up for the meteor shower and saw two"],
    "Bread Bakers": ["My sourdough starter doubled in four hours", "Rye needs more water than you think"],
    "Retro Consoles": ["The cartridge works after I cleaned the contacts", "Which cable do you use for the picture?"],
    "Trail Runners": ["Ten kilometres before breakfast, legs are done", "The hill behind the lake is closed again"],
    "Plant Rescue": ["Does anyone know what these white spots are?", "Move it away from the window and water less"],
    "Board Gamers": ["We need a fourth for Thursday", "The rules say you draw first and then discard"],
}
_MEMBERS = (NewMember("mira", admin=True), NewMember("jonas"), NewMember("aiko"), NewMember("tobi"))
_FIRST_STAMP = 171_798_691_840
"""Guild IDs are this and the next numbers, shifted by 22 bits: neighbours fall on neighbouring shards."""


def add_application(sim: DiscordSim) -> None:
    """The bot alone, for tests that make guilds of their own."""
    sim.world.add_application("Markov", app_id=DEMO_BOT_ID, token=DEMO_TOKEN)


def add_demo(sim: DiscordSim) -> None:
    """The bot's six servers."""
    for number, (name, lines) in enumerate(_SERVERS.items()):
        channels = (NewChannel("general"), NewChannel("off-topic"), NewChannel("after-dark", nsfw=True))
        guild = sim.places.add_guild(name, channels, _MEMBERS, guild_id=(_FIRST_STAMP + number) << 22)
        people = [member.user for member in guild.members.values() if not member.user.bot]
        general = next(iter(guild.channels.values()))
        for place, line in enumerate(lines):
            sim.chat.post(general, people[1 + place], Draft(line))
