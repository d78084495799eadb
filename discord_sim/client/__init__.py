"""A client of the control API, for tests and load generators: `async with SimClient(url) as sim`."""

from __future__ import annotations

from discord_sim.client.core import ControlError
from discord_sim.client.machinery import MachineryCalls
from discord_sim.client.messages import MessageCalls
from discord_sim.client.places import PlaceCalls
from discord_sim.client.uses import UseCalls

__all__ = ["ControlError", "SimClient"]


class SimClient(PlaceCalls, MessageCalls, UseCalls, MachineryCalls):
    """Every method raises ControlError when the stand-in refuses, and those that wait TimeoutError.

    IDs are text, as Discord's JSON has them.
    """
