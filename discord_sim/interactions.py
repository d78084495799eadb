"""Interactions: a member uses a command, a button, a menu or a modal; the bot answers once, then follows up."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence

from discord_sim.chat import EPHEMERAL, LOADING, Chat, Draft
from discord_sim.dispatch import Dispatch, Dispatcher
from discord_sim.interaction_shapes import COMMAND, Interaction, InteractionShapes, State
from discord_sim.shapes import MessageShapes
from discord_sim.state import Application, Channel, Json, Message, User, World

ANSWER_SECONDS = 3.0
TOKEN_SECONDS = 15 * 60.0
_EARLY = 0.01
_COMMAND_MESSAGE, _CONTEXT_MENU_MESSAGE = 20, 23


class Interactions:
    """All interactions of the last quarter of an hour, by ID and by token."""

    def __init__(self, world: World, chat: Chat, messages: MessageShapes, dispatcher: Dispatcher) -> None:
        self._world = world
        self._chat = chat
        self.shapes = InteractionShapes(world, messages)
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
        trigger: Interaction | None = None,
    ) -> Interaction:
        """Tells the bot of a member's act; it has three seconds to answer.

        `trigger` is the act that was answered with the modal which is now sent.
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
            trigger,
        )
        self._forget_old()
        self._by_id[interaction.id] = interaction
        self._by_token[interaction.token] = interaction
        payload = self.shapes.event(interaction)
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
        draft.interaction = self.shapes.metadata(of)
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
            Dispatch("INTERACTION_UPDATE", self.shapes.describe(of), of.guild, of.channel, viewer=of.user.id)
        )

    def seen_by(self, user: User, channel: Channel) -> list[Message]:
        """The ephemeral messages of a channel that are this user's, oldest first."""
        mine = (of for of in self._by_id.values() if of.user is user and of.channel is channel)
        messages = (message for of in mine for message in (of.response, *of.followups) if message is not None)
        return sorted({m.id: m for m in messages if m.id in self._world.hidden}.values(), key=lambda m: m.id)
