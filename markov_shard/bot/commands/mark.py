"""`/mark`: says something in the guild's voice, or in a member's. The command's name is a setting."""

import math

import hikari
import lightbulb

from markov_shard.bot.answers import Answers, Reply
from markov_shard.bot.attachments import Attachments
from markov_shard.bot.commands.common import GUILD_ONLY, defer, granted_to, guild_of, refuse_outside_guilds, say
from markov_shard.bot.explaining import explain
from markov_shard.bot.imitation import Imitation
from markov_shard.bot.injection import generate_injection
from markov_shard.bot.limits import Cooldowns
from markov_shard.bot.permissions import Permissions
from markov_shard.bot.responder import NOT_ALLOWED
from markov_shard.bot.sending import with_link
from markov_shard.store.pool import Database


def mark_command(name: str) -> type[lightbulb.SlashCommand]:
    """The command under its configured name."""

    class Mark(
        lightbulb.SlashCommand,
        name=name,
        description="Say something in the voice of this server",
        contexts=GUILD_ONLY,
    ):
        seed = lightbulb.string("seed", "A phrase to start from", default=None, min_length=1, max_length=500)
        tts = lightbulb.boolean("tts", "Have it read out", default=False)
        debug = lightbulb.boolean("debug", "Also show how the answer came about", default=False)
        user = lightbulb.user("user", "Speak like this member, from what they wrote here", default=None)

        @lightbulb.invoke
        async def invoke(
            self,
            ctx: lightbulb.Context,
            answers: Answers,
            imitation: Imitation,
            permissions: Permissions,
            cooldowns: Cooldowns,
            attachments: Attachments,
            database: Database,
        ) -> None:
            if await refuse_outside_guilds(ctx) or await _refuse(ctx, permissions, cooldowns):
                return
            guild_id, channel_id = guild_of(ctx), int(ctx.channel_id)
            chosen: hikari.User | None = self.user
            if chosen is not None:
                await defer(ctx)
                reply = await imitation.answer(guild_id, channel_id, int(chosen.id), self.seed)
            else:
                reply = await answers.answer(guild_id, channel_id, self.seed)
            await _send(ctx, reply, attachments, tts=self.tts)
            if self.debug and reply.answer is not None:
                await say(ctx, await explain(database, guild_id, reply.answer), private=True)

    generate_injection(Mark)
    return Mark


async def _refuse(ctx: lightbulb.Context, permissions: Permissions, cooldowns: Cooldowns) -> bool:
    roles = ctx.member.role_ids if ctx.member else ()
    if not permissions.may_generate(int(ctx.user.id), granted_to(ctx.member), roles):
        await say(ctx, NOT_ALLOWED, private=True)
        return True
    if left := cooldowns.take(int(ctx.user.id), int(ctx.channel_id)):
        await say(ctx, f"Not so fast: ask me again in {math.ceil(left)} s.", private=True)
        return True
    return False


async def _send(ctx: lightbulb.Context, reply: Reply, attachments: Attachments, *, tts: bool) -> None:
    if reply.attachment is None:
        nothing = reply.answer is not None and not reply.answer.text
        await say(ctx, reply.text, tts=tts, private=nothing)
        return
    await defer(ctx)  # fetching the file may take longer than the three seconds for an answer
    file = await attachments.fetch(reply.attachment)
    await say(ctx, reply.text if file else with_link(reply.text, reply.attachment), tts=tts, file=file)
