"""Everything one stand-in is made of: one world, and what changes, tells, limits and records it."""

from __future__ import annotations

import secrets

from discord_sim.cdn import Cdn
from discord_sim.chat import Chat
from discord_sim.clock import Clock
from discord_sim.control.live import LiveViews
from discord_sim.dispatch import Dispatcher
from discord_sim.faults import Faults, RestFault
from discord_sim.gateway.server import Gateway, GatewayLimits
from discord_sim.interactions import Interactions
from discord_sim.journal import Journal
from discord_sim.places import Places
from discord_sim.replay import Replays
from discord_sim.rest.contract import Contract
from discord_sim.rest.limits import RateLimiter, RestLimits
from discord_sim.roles import Roles
from discord_sim.shapes import MessageShapes
from discord_sim.state import MEMBER_OVERWRITE, Overwrite, World


class Parts:
    """`public_url` is what clients are told; empty: where it listens."""

    def __init__(
        self,
        *,
        public_url: str = "",
        limits: GatewayLimits | None = None,
        rest_limits: RestLimits | None = None,
        clock: Clock | None = None,
        contract: Contract | None = None,
    ) -> None:
        self.public_url = public_url.rstrip("/")
        self.contract = contract
        self.violations: list[str] = []
        """Where answers were not as `contract` says."""
        self.clock = clock or Clock()
        self.world = World(self.clock)
        self.journal = Journal(self.clock)
        self.dispatcher = Dispatcher()
        self.cdn = Cdn(self.world, lambda: self.public_url, secrets.token_bytes(32))
        self.shapes = MessageShapes(self.world, self.cdn)
        self.chat = Chat(self.world, self.shapes, self.dispatcher)
        self.places = Places(self.world, self.dispatcher)
        self.roles = Roles(self.world, self.dispatcher)
        self.gateway = Gateway(self.world, self.dispatcher, self.journal, lambda: self.public_url, limits)
        self.interactions = Interactions(self.world, self.chat, self.shapes, self.dispatcher)
        self.live = LiveViews(self.world, self.dispatcher)
        self.faults = Faults(self.gateway, self._change_for)
        self.replays = Replays(self.world, self.chat, self.shapes, self.gateway, self.journal)
        self.limiter = RateLimiter(self.clock.monotonic, self.clock.wall, rest_limits or RestLimits())
        self.clock.on_advance(self.interactions.expire_due)

    def _change_for(self, fault: RestFault) -> None:
        """What a fault changes in the world: a channel that is gone, or that the bot may do less in."""
        if fault.delete_channel and (channel := self.world.channels.get(int(fault.delete_channel))):
            self.places.delete_channel(channel)
        if fault.deny and (channel := self.world.channels.get(int(fault.deny.channel))):
            guild = self.world.guild_of(channel)
            if guild is not None:
                for bot_id in self.world.applications:
                    self.roles.overwrite(guild, channel, Overwrite(bot_id, MEMBER_OVERWRITE, 0, fault.deny.bits))
