"""`/mark`: says something in the guild's voice. The command's name is a setting."""

import hikari
import lightbulb

from markov_shard.bot.answers import Answers
from markov_shard.bot.commands.common import GUILD_ONLY, guild_of, say
from markov_shard.bot.injection import generate_injection
from markov_shard.bot.permissions import Permissions


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

        @lightbulb.invoke
        async def invoke(self, ctx: lightbulb.Context, answers: Answers, permissions: Permissions) -> None:
            member = ctx.member
            granted = member.permissions if member else hikari.Permissions.NONE
            roles = member.role_ids if member else ()
            if not permissions.may_generate(int(ctx.user.id), granted, roles):
                await say(ctx, "You need another role to make me talk.", private=True)
                return
            reply = await answers.answer(guild_of(ctx), self.seed)
            await say(ctx, reply.text, tts=self.tts)
            if self.debug and reply.answer is not None:
                answer = reply.answer
                sources = ", ".join(str(source) for source in answer.sources[:10]) or "none"
                await say(
                    ctx,
                    f"score {answer.score}, tries {answer.tries}, order {answer.order},"
                    f" seed used {answer.seed_used or 'none'!r}, source messages {sources}",
                    private=True,
                )

    generate_injection(Mark)
    return Mark
