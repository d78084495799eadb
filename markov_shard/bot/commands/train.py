"""`/train`, `/train-status` and `/train-cancel`: teach the guild's chain from a file or from its channels' history."""

import hikari
import lightbulb

from markov_shard.bot.commands.common import GUILD_ONLY, guild_of, refuse_non_moderator, refuse_outside_guilds, say
from markov_shard.bot.following import Following
from markov_shard.bot.permissions import Permissions
from markov_shard.bot.progress import progress_embed
from markov_shard.bot.trainer import Trainer
from markov_shard.errors import JobError

NO_TRAINING = "I am not being trained here. `/train` begins."


def announced(job_id: int, filename: str | None, *, clean: bool) -> str:
    """What a member is told when a training is queued; what a clean one replaces is said first of all."""
    what = f"`{filename[:100]}`" if filename else "the history of the channels I learn from"
    if clean:
        how = "**What I know now is replaced** by it once it is complete; `clean: False` would keep it."
    else:
        how = "I keep what I know."
    return f"Job {job_id}: I learn {what}. {how} `/train-status` shows how it goes, `/train-cancel` ends it."


class Train(
    lightbulb.SlashCommand,
    name="train",
    description="Teach me from an attached JSON file, or from the history of the channels I learn from",
    contexts=GUILD_ONLY,
):
    clean = lightbulb.boolean(
        "clean", "Forget what I knew first, once the new is complete (default: yes)", default=True
    )
    json = lightbulb.attachment("json", "A JSON file of messages, or a DiscordChatExporter export", default=None)

    @lightbulb.invoke
    async def invoke(
        self,
        ctx: lightbulb.Context,
        trainer: Trainer,
        following: Following,
        permissions: Permissions,
    ) -> None:
        if await refuse_non_moderator(ctx, permissions):
            return
        attachment: hikari.Attachment | None = self.json
        guild_id = guild_of(ctx)
        try:
            job_id = await trainer.request(
                guild_id, url=attachment.url if attachment else None, clean=self.clean, user_id=int(ctx.user.id)
            )
        except JobError as error:
            await say(ctx, f"I cannot start that: {error}", private=True)
            return
        await say(ctx, announced(job_id, attachment.filename if attachment else None, clean=self.clean))
        following.begin(guild_id, job_id, int(ctx.channel_id), interaction=ctx.interaction)


class TrainStatus(
    lightbulb.SlashCommand, name="train-status", description="Show how my training goes", contexts=GUILD_ONLY
):
    @lightbulb.invoke
    async def invoke(self, ctx: lightbulb.Context, trainer: Trainer) -> None:
        if await refuse_outside_guilds(ctx):
            return
        progress = await trainer.status(guild_of(ctx))
        if progress is None:
            await say(ctx, NO_TRAINING, private=True)
        else:
            await ctx.respond(embed=progress_embed(progress))


class TrainCancel(
    lightbulb.SlashCommand, name="train-cancel", description="End my training (moderators)", contexts=GUILD_ONLY
):
    @lightbulb.invoke
    async def invoke(self, ctx: lightbulb.Context, trainer: Trainer, permissions: Permissions) -> None:
        if await refuse_non_moderator(ctx, permissions):
            return
        try:
            said = await trainer.cancel(guild_of(ctx), by=f"user {ctx.user.id}")
        except JobError as error:
            await say(ctx, f"That cannot be cancelled: {error}", private=True)
            return
        await say(ctx, f"{said[0].upper()}{said[1:]}." if said else NO_TRAINING, private=said is None)
