"""`/autorespond`: in which channels the bot answers ordinary messages, and how often."""

from decimal import Decimal

import hikari
import lightbulb

from markov_shard.bot.answers import MOVING
from markov_shard.bot.choices import ChannelChoices
from markov_shard.bot.commands.choosing import add_choosing
from markov_shard.bot.commands.common import GUILD_ONLY, guild_of, refuse_non_moderator, say
from markov_shard.bot.permissions import Permissions
from markov_shard.bot.places import LEARNABLE
from markov_shard.store.channels import set_chance
from markov_shard.store.pool import Database

autorespond = lightbulb.Group("autorespond", "Choose the channels I answer in by myself", contexts=GUILD_ONLY)
add_choosing(autorespond, "autorespond", "I answer in by myself")


@autorespond.register
class AutorespondChance(
    lightbulb.SlashCommand, name="chance", description="Set how many of a channel's messages I answer by myself"
):
    percent = lightbulb.number("percent", "Percent of messages, 0.01 to 100", min_value=0.01, max_value=100.0)
    channel = lightbulb.channel(
        "channel", "The channel (this one if left out)", channel_types=list(LEARNABLE), default=None
    )

    @lightbulb.invoke
    async def invoke(
        self, ctx: lightbulb.Context, choices: ChannelChoices, database: Database, permissions: Permissions
    ) -> None:
        if await refuse_non_moderator(ctx, permissions):
            return
        directory = await choices.directory(guild_of(ctx))
        if directory is None:
            await say(ctx, MOVING, private=True)
            return
        chosen: hikari.PartialChannel | None = self.channel
        channel_id = int(chosen.id) if chosen else directory.with_parent(int(ctx.channel_id))[-1]
        chance = max(round(Decimal(self.percent), 2), Decimal("0.01"))
        async with database.connection() as connection:
            await set_chance(connection, guild_of(ctx), [channel_id], chance)
        directory.set_chance([channel_id], float(chance))
        text = f"I answer {chance.normalize():f}% of the messages in <#{channel_id}>."
        if channel_id not in directory.autoresponding:
            text += " That begins once you add it with `/autorespond add`."
        await say(ctx, text)
