"""The sub-commands that `/listen` and `/autorespond` share."""

from collections.abc import Callable
from types import new_class

import lightbulb

from markov_shard.bot.choices import ChannelChoices, Kind, ask_row
from markov_shard.bot.commands.channel_options import channel_options, chosen_channels
from markov_shard.bot.commands.common import guild_of, refuse_non_moderator, refuse_outside_guilds, say
from markov_shard.bot.permissions import Permissions


def add_choosing(group: lightbulb.Group, kind: Kind, what: str) -> None:
    """Registers `add`, `remove`, `list` and `modify`; `what` ends "… the channels …"."""

    @lightbulb.invoke
    async def add(
        self: lightbulb.SlashCommand, ctx: lightbulb.Context, choices: ChannelChoices, permissions: Permissions
    ) -> None:
        if await refuse_non_moderator(ctx, permissions):
            return
        outcome = await choices.add(kind, guild_of(ctx), chosen_channels(self))
        if outcome.text:
            await say(ctx, outcome.text)
        if outcome.question:
            await say(ctx, outcome.question, private=True, components=[ask_row(kind)])

    @lightbulb.invoke
    async def remove(
        self: lightbulb.SlashCommand, ctx: lightbulb.Context, choices: ChannelChoices, permissions: Permissions
    ) -> None:
        if not await refuse_non_moderator(ctx, permissions):
            await say(ctx, (await choices.remove(kind, guild_of(ctx), chosen_channels(self))).text)

    @lightbulb.invoke
    async def show(self: lightbulb.SlashCommand, ctx: lightbulb.Context, choices: ChannelChoices) -> None:
        if not await refuse_outside_guilds(ctx):
            await say(ctx, await choices.list(kind, guild_of(ctx)))

    @lightbulb.invoke
    async def modify(
        self: lightbulb.SlashCommand, ctx: lightbulb.Context, choices: ChannelChoices, permissions: Permissions
    ) -> None:
        if not await refuse_non_moderator(ctx, permissions):
            text, components = await choices.menu(kind, guild_of(ctx), 0)
            await say(ctx, text, private=True, components=components)

    group.register(_command("add", f"Add to the channels {what}", add, options=True))
    group.register(_command("remove", f"Take channels out of those {what}", remove, options=True))
    group.register(_command("list", f"Show the channels {what}", show))
    group.register(_command("modify", f"Choose the channels {what} in a menu", modify))


def _command(
    name: str, description: str, invoke: Callable[..., object], *, options: bool = False
) -> type[lightbulb.SlashCommand]:
    attributes = {"invoke": invoke, **(channel_options() if options else {})}
    return new_class(
        name.title(),
        (lightbulb.SlashCommand,),
        {"name": name, "description": description},
        lambda namespace: namespace.update(attributes),
    )
