"""Choosing channels, for `/listen` and `/autorespond` alike: adding, removing, listing, and a menu in pages."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import hikari

from markov_shard.bot.answers import MOVING
from markov_shard.bot.components import Handler, Pressed, buttons
from markov_shard.bot.directory import ChannelDirectory
from markov_shard.bot.hosting import Hosting
from markov_shard.bot.permissions import Permissions
from markov_shard.bot.places import Place, Places
from markov_shard.store.channels import ChannelRow, save_channels, set_autorespond, set_listening
from markov_shard.store.pool import Database

Kind = Literal["listen", "autorespond"]

PAGE = 25
"""Choices of a select menu at most."""
_LISTED_TEXT = 1900
"""Characters of a list of channels, which leaves room for what stands around it."""
_MENTION = re.compile(r"<#(\d+)>")


@dataclass(frozen=True)
class Words:
    """How the bot talks about a choice of channels."""

    added: str
    removed: str
    listed: str
    none: str
    ask: str


WORDS: Mapping[Kind, Words] = {
    "listen": Words(
        "From now on I learn from {} and the threads there.",
        "I no longer learn from {}. What I learned there stays; `/forget channel` removes it.",
        "I learn from:",
        "I learn from no channel yet: use `/listen add`.",
        "Choose the channels I learn from.",
    ),
    "autorespond": Words(
        "From now on I answer messages in {} by myself.",
        "I no longer answer messages in {} by myself.",
        "I answer messages by myself in:",
        "I answer messages by myself in no channel yet: use `/autorespond add`.",
        "Choose the channels in which I answer messages by myself.",
    ),
}


@dataclass(frozen=True)
class Outcome:
    """What to tell the member: what was done, and a question about channels that not everybody sees."""

    text: str
    question: str = ""


class ChannelChoices:
    """Follows and stores what moderators choose; the caller has made sure that they may."""

    def __init__(self, hosting: Hosting, database: Database, places: Places, permissions: Permissions) -> None:
        self._hosting = hosting
        self._database = database
        self._places = places
        self._permissions = permissions

    async def directory(self, guild_id: int) -> ChannelDirectory | None:
        """The guild's channels as they are set; None when this process does not own the guild."""
        intake = self._hosting.intake_of(guild_id)
        return await intake.directory(guild_id) if intake else None

    async def add(self, kind: Kind, guild_id: int, channel_ids: Collection[int], *, asked: bool = False) -> Outcome:
        """Adds channels; with `asked`, those too that not everybody sees. Raises hikari's errors."""
        directory = await self.directory(guild_id)
        if directory is None:
            return Outcome(MOVING)
        places = await self._places.of(guild_id)
        refused: dict[str, list[int]] = {}
        private: list[int] = []
        wanted: list[int] = []
        for channel_id in dict.fromkeys(channel_ids):
            place = places.get(channel_id)
            refusal = _refusal(kind, directory, channel_id, place)
            if refusal is not None:
                refused.setdefault(refusal, []).append(channel_id)
            elif kind == "listen" and place is not None and not place.public and not asked:
                private.append(channel_id)
            else:
                wanted.append(channel_id)
        lines = [text.format(_mentions(channels)) for text, channels in refused.items()]
        if wanted:
            await self._apply(kind, guild_id, directory, wanted, places, on=True)
            lines.insert(0, WORDS[kind].added.format(_mentions(wanted)))
        return Outcome("\n".join(lines), _question(private))

    async def remove(self, kind: Kind, guild_id: int, channel_ids: Collection[int]) -> Outcome:
        """Removes channels, those that are gone too."""
        directory = await self.directory(guild_id)
        if directory is None:
            return Outcome(MOVING)
        wanted = list(dict.fromkeys(channel_ids))
        await self._apply(kind, guild_id, directory, wanted, {}, on=False)
        return Outcome(WORDS[kind].removed.format(_mentions(wanted)))

    async def list(self, kind: Kind, guild_id: int) -> str:
        """The chosen channels, in words."""
        directory = await self.directory(guild_id)
        if directory is None:
            return MOVING
        chosen = sorted(_chosen(kind, directory))
        if not chosen:
            return WORDS[kind].none
        lines, size = [WORDS[kind].listed], 0
        for place, channel_id in enumerate(chosen):
            line = f"- <#{channel_id}>{_chance(kind, directory, channel_id)}"
            size += len(line) + 1
            if size > _LISTED_TEXT:
                lines.append(f"and {len(chosen) - place} more; `/{kind} modify` shows them all")
                break
            lines.append(line)
        return "\n".join(lines)

    async def menu(
        self, kind: Kind, guild_id: int, page: int
    ) -> tuple[str, Sequence[hikari.api.MessageActionRowBuilder]]:
        """A page of the guild's channels to choose from, preset to what is chosen. Raises hikari's errors."""
        directory = await self.directory(guild_id)
        if directory is None:
            return MOVING, ()
        places = list((await self._places.of(guild_id)).values())
        if not places:
            return "There is no channel here that I could use.", ()
        pages = -(-len(places) // PAGE)
        page = min(max(page, 0), pages - 1)
        shown = places[page * PAGE : (page + 1) * PAGE]
        row = hikari.impl.MessageActionRowBuilder()
        menu = row.add_text_menu(f"{kind}:menu:{page}", placeholder="No channel", min_values=0, max_values=len(shown))
        for place in shown:
            menu.add_option(
                f"#{place.name}"[:100],
                str(place.channel_id),
                is_default=place.channel_id in _chosen(kind, directory),
                description=_description(place),
            )
        if pages == 1:
            return WORDS[kind].ask, [row]
        turning = buttons(
            (f"{kind}:page:{page - 1}", "Previous", hikari.ButtonStyle.SECONDARY),
            (f"{kind}:page:{page + 1}", "Next", hikari.ButtonStyle.SECONDARY),
        )
        for place_of_button, disabled in enumerate((page == 0, page == pages - 1)):
            turning.components[place_of_button].set_is_disabled(disabled)
        return f"{WORDS[kind].ask} Page {page + 1} of {pages}: only the channels shown here change.", [row, turning]

    def handler(self, kind: Kind) -> Handler:
        """For `Components`: what buttons and menus of a kind do."""

        async def handle(pressed: Pressed) -> None:
            member = pressed.interaction.member
            granted = member.permissions if member else hikari.Permissions.NONE
            if not self._permissions.may_manage(pressed.user_id, granted):
                await pressed.say("Only moderators may do that (Manage Channels, Kick Members or Move Members).")
                return
            match list(pressed.words):
                case ["yes"]:
                    wanted = [int(found) for found in _MENTION.findall(pressed.interaction.message.content or "")]
                    outcome = await self.add(kind, pressed.guild_id, wanted, asked=True)
                    await pressed.update(outcome.text or "Nothing changed.")
                case ["no"]:
                    await pressed.update("Left as it was.")
                case ["page", number]:
                    await pressed.update(*await self.menu(kind, pressed.guild_id, int(number)))
                case ["menu", number]:
                    await self._chosen_in_menu(kind, pressed, int(number))

        return handle

    async def _chosen_in_menu(self, kind: Kind, pressed: Pressed, page: int) -> None:
        """Makes the channels that the menu showed what was chosen; others are left alone."""
        directory = await self.directory(pressed.guild_id)
        if directory is None:
            await pressed.say(MOVING)
            return
        shown, wanted = _shown(pressed.interaction), {int(value) for value in pressed.interaction.values}
        before = _chosen(kind, directory) & shown
        lines, question = [], ""
        if gone := sorted(before - wanted):
            lines.append((await self.remove(kind, pressed.guild_id, gone)).text)
        if new := sorted((wanted & shown) - before):
            outcome = await self.add(kind, pressed.guild_id, new)
            lines.append(outcome.text)
            question = outcome.question
        _, components = await self.menu(kind, pressed.guild_id, page)
        await pressed.update("\n".join(filter(None, lines)) or "Nothing changed.", components)
        if question:
            await pressed.say_more(question, [ask_row(kind)])

    async def _apply(
        self,
        kind: Kind,
        guild_id: int,
        directory: ChannelDirectory,
        channel_ids: Sequence[int],
        places: Mapping[int, Place],
        *,
        on: bool,
    ) -> None:
        """Stores a choice, and follows it at once."""
        rows = [
            ChannelRow(
                channel_id,
                nsfw=places[channel_id].nsfw if channel_id in places else directory.is_nsfw(channel_id),
            )
            for channel_id in channel_ids
        ]
        async with self._database.transaction() as connection:
            if kind == "listen":
                await set_listening(connection, guild_id, rows, listen=on)
            else:
                await set_autorespond(connection, guild_id, channel_ids, autorespond=on)
                if on:
                    await save_channels(connection, guild_id, rows)
        if on:
            for row in rows:
                directory.note(row)
        if kind == "listen":
            directory.set_listened(channel_ids, listen=on)
        else:
            directory.set_autorespond(channel_ids, autorespond=on)


def ask_row(kind: Kind) -> hikari.api.MessageActionRowBuilder:
    """The buttons under a question about channels that not everybody sees."""
    return buttons(
        (f"{kind}:yes", "Learn from it anyway", hikari.ButtonStyle.DANGER),
        (f"{kind}:no", "Leave it", hikari.ButtonStyle.SECONDARY),
    )


def _chosen(kind: Kind, directory: ChannelDirectory) -> frozenset[int]:
    return directory.listened if kind == "listen" else directory.autoresponding


def _chance(kind: Kind, directory: ChannelDirectory, channel_id: int) -> str:
    chance = directory.chance_of(channel_id)
    return f", {chance:g}% of them" if kind == "autorespond" and chance != 100 else ""


def _refusal(kind: Kind, directory: ChannelDirectory, channel_id: int, place: Place | None) -> str | None:
    """Why a channel cannot be added, in words; `{}` is where it, and others of the same fate, are named."""
    if place is None:
        return "There is no channel {} here that I could use."
    if kind == "listen" and directory.is_ignored(channel_id):
        return "I never learn from {}: my operator has excluded it."
    missing = place.missing_to_read if kind == "listen" else place.missing_to_write
    return f"I cannot use {{}}: the permission **{missing}** is missing for me there." if missing else None


def _question(private: Iterable[int]) -> str:
    mentioned = _mentions(list(private))
    if not mentioned:
        return ""
    return (
        f"⚠️ Not everybody here can see {mentioned}. If I learn there, its words will be heard in other channels. "
        "Shall I learn from it anyway?"
    )


def _mentions(channel_ids: Sequence[int]) -> str:
    return ", ".join(f"<#{channel_id}>" for channel_id in channel_ids)


def _description(place: Place) -> hikari.UndefinedOr[str]:
    notes = ["not everybody sees it"] if not place.public else []
    notes += ["age-restricted"] if place.nsfw else []
    return ", ".join(notes) or hikari.UNDEFINED


def _shown(interaction: hikari.ComponentInteraction) -> frozenset[int]:
    """The channels that the menu offered."""
    return frozenset(
        int(option.value)
        for row in interaction.message.components
        if isinstance(row, hikari.ActionRowComponent)
        for part in row.components
        if isinstance(part, hikari.TextSelectMenuComponent)
        for option in part.options
    )
