"""Interactions: a member uses a command, a button, a menu or a modal; the bot answers once, then follows up."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from discord_sim import guild_shapes, shapes
from discord_sim.chat import EPHEMERAL, LOADING, Chat, Draft
from discord_sim.dispatch import Dispatch, Dispatcher
from discord_sim.shapes import MessageShapes
from discord_sim.state import Application, Channel, Guild, Json, Message, User, World

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL = 2, 3, 4, 5
ANSWER_SECONDS = 3.0
TOKEN_SECONDS = 15 * 60.0
_EARLY = 0.01
_COMMAND_MESSAGE, _CONTEXT_MENU_MESSAGE = 20, 23
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
    state: State = "pending"
    response: Message | None = None
    followups: list[Message] = field(default_factory=list)
    ephemeral: bool = False
    modal: Json | None = None
    result: Json | None = None

    @property
    def acknowledged(self) -> bool:
        return self.state in ("deferred", "answered")


class Interactions:
    """All interactions of the last quarter of an hour, by ID and by token."""

    def __init__(self, world: World, chat: Chat, shapes_: MessageShapes, dispatcher: Dispatcher) -> None:
        self._world = world
        self._chat = chat
        self._shapes = shapes_
        self._dispatcher = dispatcher
        self._by_id: dict[int, Interaction] = {}
        self._by_token: dict[str, Interaction] = {}

    def get(self, interaction_id: int) -> Interaction | None:
        return self._by_id.get(interaction_id)

    def by_token(self, token: str) -> Interaction | None:
        """The interaction of a token that is still valid."""
        found = self._by_token.get(token)
        return found if found and self._world.clock.monotonic() - found.begun < TOKEN_SECONDS else None

    def begin(
        self,
        kind: int,
        application: Application,
        channel: Channel,
        user: User,
        data: Json,
        source: Message | None = None,
    ) -> Interaction:
        """Tells the bot of a member's act; it has three seconds to answer.

        Raises ValueError for a user who does not see the channel, or a bot that has left.
        """
        guild = self._world.guild_of(channel)
        if not self._world.permissions(user.id, channel):
            raise ValueError(f"user {user.id} does not see the channel {channel.id}")
        if guild is not None and application.bot.id not in guild.members:
            raise ValueError(f"the bot {application.name!r} is not in the guild")
        interaction = Interaction(
            self._world.ids.next(),
            secrets.token_urlsafe(48),
            kind,
            application,
            guild,
            channel,
            user,
            data,
            self._world.clock.monotonic(),
            source,
        )
        self._forget_old()
        self._by_id[interaction.id] = interaction
        self._by_token[interaction.token] = interaction
        payload = self.payload(interaction)
        self._dispatcher.send(
            Dispatch("INTERACTION_CREATE", payload, guild, channel, application=application.id, live=False)
        )
        asyncio.get_running_loop().call_later(ANSWER_SECONDS, self._expire, interaction)
        return interaction

    def _expire(self, interaction: Interaction) -> None:
        if interaction.state == "pending" and self.is_late(interaction):
            interaction.state = "failed"
            self.changed(interaction)

    def is_late(self, of: Interaction) -> bool:
        """Whether the three seconds for the first answer are over."""
        return self._world.clock.monotonic() - of.begun >= ANSWER_SECONDS - _EARLY

    def expire_due(self) -> None:
        """After the clock was moved: what has waited too long has failed."""
        for interaction in list(self._by_id.values()):
            self._expire(interaction)

    def _forget_old(self) -> None:
        """Interactions whose token is no longer valid, the oldest first, are dropped."""
        now = self._world.clock.monotonic()
        while self._by_id and now - next(iter(self._by_id.values())).begun > 2 * TOKEN_SECONDS:
            old = self._by_id.pop(next(iter(self._by_id)))
            del self._by_token[old.token]
            for message in (old.response, *old.followups):
                if message is not None:
                    self._world.hidden.pop(message.id, None)

    def payload(self, of: Interaction) -> Json:
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
            shape["message"] = self._shapes.message(of.source)
        return shape

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

    # --- the bot's side -------------------------------------------------------------------------------------

    def defer(self, of: Interaction, *, flags: int) -> None:
        """The bot is thinking: a message says so until it is edited."""
        of.ephemeral = bool(flags & EPHEMERAL)
        of.response = self._post(of, Draft(flags=LOADING | (flags & EPHEMERAL)), ephemeral=of.ephemeral)
        self._settle(of, "deferred")

    def answer(self, of: Interaction, draft: Draft) -> Message:
        """The bot answers with a message."""
        of.ephemeral = bool(draft.flags & EPHEMERAL)
        of.response = self._post(of, draft, ephemeral=of.ephemeral)
        self._settle(of, "answered")
        return of.response

    def follow_up(self, of: Interaction, draft: Draft) -> Message:
        """A further message; after a deferral the first one takes the place of the thinking one."""
        if of.state == "deferred" and of.response is not None:
            fields = ("content", "embeds", "components", "attachments")
            self.edit(of, of.response, {name: getattr(draft, name) for name in fields}, draft.allowed_mentions)
            return of.response
        message = self._post(of, draft, ephemeral=bool(draft.flags & EPHEMERAL))
        of.followups.append(message)
        self.changed(of)
        return message

    def edit(self, of: Interaction, message: Message, changes: Json, allowed_mentions: Json | None) -> None:
        self._chat.edit(of.channel, message, changes, allowed_mentions)
        if of.state == "deferred" and message is of.response:
            of.state = "answered"
        self.changed(of)

    def update_source(self, of: Interaction, changes: Json | None, allowed_mentions: Json | None = None) -> None:
        """A component's own message is changed, or will be (`changes` None)."""
        of.response = of.source
        if changes is not None and of.source is not None:
            self._chat.edit(of.channel, of.source, changes, allowed_mentions)
        self._settle(of, "deferred" if changes is None else "answered")

    def show_modal(self, of: Interaction, modal: Json) -> None:
        of.modal = modal
        self._settle(of, "answered")

    def complete(self, of: Interaction, result: Json) -> None:
        of.result = result
        self._settle(of, "answered")

    def delete(self, of: Interaction, message: Message) -> None:
        self._world.hidden.pop(message.id, None)
        self._chat.delete(of.channel, message.id)
        if message in of.followups:
            of.followups.remove(message)
        elif message is of.response:
            of.response = None
        self.changed(of)

    def message(self, of: Interaction, name: str) -> Message | None:
        """`@original`, or a follow-up by its ID."""
        if name == "@original":
            return of.response
        known: Sequence[Message | None] = [of.response, of.source, *of.followups]
        return next((message for message in known if message and str(message.id) == name), None)

    def _post(self, of: Interaction, draft: Draft, *, ephemeral: bool) -> Message:
        draft.application_id = draft.webhook_id = of.application.id
        if of.type == COMMAND and of.response is None:
            draft.type = _COMMAND_MESSAGE if of.data.get("type", 1) == 1 else _CONTEXT_MENU_MESSAGE
        draft.interaction = {
            "id": str(of.id),
            "type": of.type,
            "name": of.data.get("name", ""),
            "user": shapes.user(of.user),
            "authorizing_integration_owners": {"0": str(of.guild.id if of.guild else 0)},
        }
        if of.type == COMPONENT and of.source is not None:
            draft.interaction["interacted_message_id"] = str(of.source.id)
        if not ephemeral:
            return self._chat.post(of.channel, of.application.bot, draft)
        message = self._chat.build(of.channel, of.application.bot, draft)
        self._world.hidden[message.id] = message
        return message

    def _settle(self, of: Interaction, state: State) -> None:
        of.state = state
        self.changed(of)

    def changed(self, of: Interaction) -> None:
        """Shows the member what became of their act."""
        self._dispatcher.send(
            Dispatch("INTERACTION_UPDATE", self.describe(of), of.guild, of.channel, viewer=of.user.id)
        )

    def message_shape(self, message: Message) -> Json:
        return self._shapes.message(message)

    def seen_by(self, user: User, channel: Channel) -> list[Message]:
        """The ephemeral messages of a channel that are this user's, oldest first."""
        mine = (of for of in self._by_id.values() if of.user is user and of.channel is channel)
        messages = (message for of in mine for message in (of.response, *of.followups) if message is not None)
        return sorted({m.id: m for m in messages if m.id in self._world.hidden}.values(), key=lambda m: m.id)

    def describe(self, of: Interaction) -> Json:
        """How an interaction stands, for the control API and the page."""
        return {
            "id": str(of.id),
            "channel_id": str(of.channel.id),
            "user_id": str(of.user.id),
            "type": of.type,
            "command": of.data.get("name"),
            "state": of.state,
            "response": self._shapes.message(of.response) if of.response else None,
            "followups": [self._shapes.message(message) for message in of.followups],
            "ephemeral": of.ephemeral,
            "modal": of.modal,
            "result": of.result,
        }
