"""`/stats`: what the bot knows of the guild, in figures."""

import lightbulb

from markov_shard.bot.answers import MOVING
from markov_shard.bot.commands.common import GUILD_ONLY, guild_of, refuse_outside_guilds, say
from markov_shard.bot.hosting import Hosting
from markov_shard.bot.payloads import written_at
from markov_shard.chain import Chain
from markov_shard.guilds.registry import Guilds
from markov_shard.store.guilds import read_guild
from markov_shard.store.messages import first_message
from markov_shard.store.pool import Database


class Stats(lightbulb.SlashCommand, name="stats", description="Show what I have learned here", contexts=GUILD_ONLY):
    @lightbulb.invoke
    async def invoke(self, ctx: lightbulb.Context, hosting: Hosting, guilds: Guilds, database: Database) -> None:
        if await refuse_outside_guilds(ctx):
            return
        guild_id = guild_of(ctx)
        owner = hosting.owner_of(guild_id)
        if owner is None:
            await say(ctx, MOVING, private=True)
            return
        chain = await guilds.chain(guild_id, owner)
        if not chain.messages:
            await say(ctx, "I have learned nothing here yet: use `/listen add` or `/train`.", private=True)
            return
        async with database.connection() as connection:
            first = await first_message(connection, guild_id, (await read_guild(connection, guild_id)).generation)
        lines = [f"**Messages learned:** {chain.messages:,}"]
        if isinstance(chain, Chain):
            lines.append(f"**Vocabulary:** {chain.vocabulary:,} different words")
        lines.append(f"**Size:** {_bytes(guilds.memory_of(guild_id))}")
        if first is not None:
            lines.append(f"**Since:** <t:{written_at(first):.0f}:D>")
        await say(ctx, "\n".join(lines))


def _bytes(size: float) -> str:
    for unit in ("bytes", "KB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
