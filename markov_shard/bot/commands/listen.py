"""`/listen`: which channels the bot learns from."""

import hikari
import lightbulb

from markov_shard.bot.commands.common import GUILD_ONLY, guild_of, refuse_non_moderator, say
from markov_shard.bot.hosting import Hosting
from markov_shard.bot.permissions import Permissions
from markov_shard.store.channels import ChannelRow, set_listening
from markov_shard.store.pool import Database

_LEARNABLE = (hikari.ChannelType.GUILD_TEXT, hikari.ChannelType.GUILD_NEWS, hikari.ChannelType.GUILD_FORUM)

listen = lightbulb.Group("listen", "Choose the channels I learn from", contexts=GUILD_ONLY)


async def _change(
    ctx: lightbulb.Context, channel: hikari.PartialChannel, hosting: Hosting, database: Database, *, learn: bool
) -> bool:
    """Stores the choice and follows it at once; False when the guild is just changing its owner."""
    guild_id = guild_of(ctx)
    intake = hosting.intake_of(guild_id)
    if intake is None:
        await say(ctx, "I am just moving house: please ask again in a few seconds.", private=True)
        return False
    directory = await intake.directory(guild_id)
    row = ChannelRow(int(channel.id), nsfw=directory.is_nsfw(int(channel.id)))
    async with database.connection() as connection:
        await set_listening(connection, guild_id, [row], listen=learn)
    directory.set_listened([row.channel_id], listen=learn)
    return True


@listen.register
class ListenAdd(lightbulb.SlashCommand, name="add", description="Learn from a channel and its threads"):
    channel = lightbulb.channel("channel", "The channel", channel_types=_LEARNABLE)

    @lightbulb.invoke
    async def invoke(
        self, ctx: lightbulb.Context, hosting: Hosting, database: Database, permissions: Permissions
    ) -> None:
        if await refuse_non_moderator(ctx, permissions):
            return
        if await _change(ctx, self.channel, hosting, database, learn=True):
            await say(ctx, f"I learn from <#{self.channel.id}> and its threads from now on.")


@listen.register
class ListenRemove(lightbulb.SlashCommand, name="remove", description="Stop learning from a channel"):
    channel = lightbulb.channel("channel", "The channel", channel_types=_LEARNABLE)

    @lightbulb.invoke
    async def invoke(
        self, ctx: lightbulb.Context, hosting: Hosting, database: Database, permissions: Permissions
    ) -> None:
        if await refuse_non_moderator(ctx, permissions):
            return
        if await _change(ctx, self.channel, hosting, database, learn=False):
            await say(ctx, f"I no longer learn from <#{self.channel.id}>. What I learned there stays.")


@listen.register
class ListenList(lightbulb.SlashCommand, name="list", description="Show the channels I learn from"):
    @lightbulb.invoke
    async def invoke(self, ctx: lightbulb.Context, hosting: Hosting) -> None:
        intake = hosting.intake_of(guild_of(ctx))
        channels = sorted((await intake.directory(guild_of(ctx))).listened) if intake else []
        named = "\n".join(f"- <#{channel_id}>" for channel_id in channels[:80])
        await say(ctx, f"I learn from:\n{named}" if channels else "I learn from no channel yet: use `/listen add`.")
