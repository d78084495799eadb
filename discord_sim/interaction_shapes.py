"""One use of a command or component, and its JSON: for the bot, and for who looks at how it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from discord_sim import guild_shapes, shapes
from discord_sim.shapes import MessageShapes
from discord_sim.state import Application, Channel, Guild, Json, Message, User, World

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL = 2, 3, 4, 5
_BOT_DM = 1

State = Literal["pending", "deferred", "answered", "failed"]


@dataclass(eq=False)
class Interaction:
    """One use, from the member's act to the end of its token."""

    id: int
    token: str
    type: int
    application: Application
    guild: Guild | None
    channel: Channel
    user: User
    data: Json
    begun: float
    source: Message | None = None
    trigger: Interaction | None = None
    state: State = "pending"
    response: Message | None = None
    followups: list[Message] = field(default_factory=list)
    ephemeral: bool = False
    modal: Json | None = None
    result: Json | None = None

    @property
    def acknowledged(self) -> bool:
        return self.state in ("deferred", "answered")


class InteractionShapes:
    def __init__(self, world: World, messages: MessageShapes) -> None:
        self._world = world
        self._messages = messages

    def event(self, of: Interaction) -> Json:
        """INTERACTION_CREATE's data."""
        shape: Json = {
            "id": str(of.id),
            "application_id": str(of.application.id),
            "type": of.type,
            "token": of.token,
            "version": 1,
            "locale": "en-US",
            "channel_id": str(of.channel.id),
            "channel": self.partial_channel(of.channel, of.user.id),
            "app_permissions": str(self._world.permissions(of.application.bot.id, of.channel)),
            "entitlements": [],
            "attachment_size_limit": 10 << 20,
            "data": of.data,
        }
        if of.guild is None:
            shape |= {"user": shapes.user(of.user), "context": _BOT_DM}
            shape["authorizing_integration_owners"] = {"0": "0"}
        else:
            granted = self._world.permissions(of.user.id, of.channel)
            shape |= {
                "guild_id": str(of.guild.id),
                "guild": {"id": str(of.guild.id), "locale": "en-US", "features": []},
                "guild_locale": "en-US",
                "member": {**shapes.member(of.guild.members[of.user.id]), "permissions": str(granted)},
                "authorizing_integration_owners": {"0": str(of.guild.id)},
                "context": 0,
            }
        if of.source is not None:
            shape["message"] = self._messages.message(of.source)
        return shape

    def metadata(self, of: Interaction) -> Json:
        """What a message says of the act that it answers."""
        made: Json = {
            "id": str(of.id),
            "type": of.type,
            "name": of.data.get("name", ""),
            "user": shapes.user(of.user),
            "authorizing_integration_owners": {"0": str(of.guild.id if of.guild else 0)},
        }
        if of.type == COMPONENT and of.source is not None:
            made["interacted_message_id"] = str(of.source.id)
        if of.trigger is not None:
            made["triggering_interaction_metadata"] = self.metadata(of.trigger)
        return made

    def partial_channel(self, channel: Channel, user_id: int) -> Json:
        if channel.guild_id is None:
            return guild_shapes.channel(channel, viewer=user_id)
        return {
            "id": str(channel.id),
            "type": channel.type,
            "name": channel.name,
            "guild_id": str(channel.guild_id),
            "parent_id": str(channel.parent_id) if channel.parent_id else None,
            "nsfw": channel.nsfw,
            "position": channel.position,
            "flags": 0,
            "last_message_id": None,
            "permissions": str(self._world.permissions(user_id, channel)),
        } | (
            {
                "thread_metadata": {
                    "archived": channel.archived,
                    "archive_timestamp": channel.archived_at or self._world.clock.iso(),
                    "auto_archive_duration": 4320,
                    "locked": channel.locked,
                }
            }
            if channel.is_thread
            else {}
        )

    def describe(self, of: Interaction) -> Json:
        """How an interaction stands, for the control API and the page."""
        return {
            "id": str(of.id),
            "channel_id": str(of.channel.id),
            "user_id": str(of.user.id),
            "type": of.type,
            "command": of.data.get("name"),
            "state": of.state,
            "response": self._messages.message(of.response) if of.response else None,
            "followups": [self._messages.message(message) for message in of.followups],
            "ephemeral": of.ephemeral,
            "modal": of.modal,
            "result": of.result,
        }

    def message(self, message: Message) -> Json:
        return self._messages.message(message)
