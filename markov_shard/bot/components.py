"""Buttons and menus: what was asked with them lies in the message itself, so that they outlive a restart."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import hikari

from markov_shard.errors import MarkovShardError
from markov_shard.logs import get_logger

_log = get_logger(__name__)

Handler = Callable[["Pressed"], Awaitable[None]]
TROUBLE = "My memory is out of reach right now: please try that again in a moment."

_ALREADY_ANSWERED = 40060
_UNKNOWN = 10062


class Pressed:
    """A use of a button or menu; `words` are the parts of its custom ID after the first."""

    def __init__(self, interaction: hikari.ComponentInteraction, words: Sequence[str]) -> None:
        self.interaction = interaction
        self.words = words
        self._waits = False

    @property
    def guild_id(self) -> int:
        """Components are only ever put into guilds."""
        assert self.interaction.guild_id is not None
        return int(self.interaction.guild_id)

    @property
    def user_id(self) -> int:
        """Who used it."""
        return int(self.interaction.user.id)

    async def wait(self) -> None:
        """Says that the answer takes a while; `update` gives it then."""
        await self.interaction.create_initial_response(hikari.ResponseType.DEFERRED_MESSAGE_UPDATE)
        self._waits = True

    async def finish(self, text: str) -> None:
        """After `wait`: puts a text in the place of message and components."""
        await self.interaction.edit_initial_response(text, components=[], user_mentions=False, role_mentions=False)

    async def fail(self, text: str) -> None:
        """Says why nothing was done; message and components stay, to be tried again."""
        if self._waits:
            await self.say_more(text)
        else:
            await self.say(text)

    async def update(self, text: str, components: Sequence[hikari.api.ComponentBuilder] = ()) -> None:
        """Changes the message that holds the component."""
        await self.interaction.create_initial_response(
            hikari.ResponseType.MESSAGE_UPDATE, text, components=components, user_mentions=False, role_mentions=False
        )

    async def say(self, text: str, components: Sequence[hikari.api.ComponentBuilder] = ()) -> None:
        """Answers with a message that only its reader sees."""
        await self.interaction.create_initial_response(
            hikari.ResponseType.MESSAGE_CREATE,
            text,
            flags=hikari.MessageFlag.EPHEMERAL,
            components=components or hikari.UNDEFINED,
            user_mentions=False,
            role_mentions=False,
        )

    async def say_more(self, text: str, components: Sequence[hikari.api.ComponentBuilder] = ()) -> None:
        """Follows up, for its reader only."""
        await self.interaction.execute(
            text,
            flags=hikari.MessageFlag.EPHEMERAL,
            components=components or hikari.UNDEFINED,
            user_mentions=False,
            role_mentions=False,
        )


class Components:
    """Finds the handler of a component by the first word of its custom ID, `word:…`."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers

    async def on_interaction(self, event: hikari.InteractionCreateEvent) -> None:
        """hikari's listener."""
        interaction = event.interaction
        if not isinstance(interaction, hikari.ComponentInteraction):
            return
        word, *rest = interaction.custom_id.split(":")
        handler = self._handlers.get(word)
        if handler is None or interaction.guild_id is None:
            return
        pressed = Pressed(interaction, rest)
        try:
            try:
                await handler(pressed)
            except MarkovShardError as error:
                _log.warning("a component could not be followed", custom_id=word, reason=str(error))
                await pressed.fail(TROUBLE)
        except hikari.HikariError as error:
            if not is_replay(error):
                _log.warning("a component could not be answered", custom_id=word, reason=str(error).splitlines()[0])


def is_replay(error: BaseException | None) -> bool:
    """Whether Discord says that an interaction was answered before, or that it is too late to."""
    return isinstance(error, hikari.ClientHTTPResponseError) and error.code in (_ALREADY_ANSWERED, _UNKNOWN)


def buttons(*wanted: tuple[str, str, hikari.ButtonStyle]) -> hikari.api.MessageActionRowBuilder:
    """A row of buttons: custom ID, label and style of each."""
    row = hikari.impl.MessageActionRowBuilder()
    for custom_id, label, style in wanted:
        row.add_interactive_button(style, custom_id, label=label)  # type: ignore[arg-type]
    return row
