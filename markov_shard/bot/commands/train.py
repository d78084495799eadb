"""`/train`: teach the guild's chain from an attached file or from its channels' history."""

import asyncio
import contextlib

import hikari
import lightbulb

from markov_shard.bot.commands.common import GUILD_ONLY, guild_of, refuse_non_moderator, say
from markov_shard.bot.permissions import Permissions
from markov_shard.bot.trainer import Trainer
from markov_shard.errors import JobError


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
    async def invoke(self, ctx: lightbulb.Context, trainer: Trainer, permissions: Permissions) -> None:
        if await refuse_non_moderator(ctx, permissions):
            return
        attachment: hikari.Attachment | None = self.json
        try:
            job_id = await trainer.request(
                guild_of(ctx), url=attachment.url if attachment else None, clean=self.clean, user_id=int(ctx.user.id)
            )
        except JobError as error:
            await say(ctx, f"I cannot start that: {error}", private=True)
            return
        what = f"`{attachment.filename}`" if attachment else "the history of the channels I learn from"
        how = "and forget the rest once it is complete" if self.clean else "and keep what I know"
        await say(ctx, f"Job {job_id}: I learn {what} {how}.")
        await self._follow(ctx, trainer, job_id)

    async def _follow(self, ctx: lightbulb.Context, trainer: Trainer, job_id: int) -> None:
        """Keeps the answer up to date while the interaction's token lives (15 minutes)."""
        with contextlib.suppress(TimeoutError, hikari.HikariError):
            async with asyncio.timeout(14 * 60):
                async for text in trainer.progress(guild_of(ctx), job_id):
                    await ctx.interaction.edit_initial_response(text)
