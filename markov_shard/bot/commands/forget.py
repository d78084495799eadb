"""`/forget`: removes what was learned of a member, a channel or the server, and shows a member what is stored."""

import hikari
import lightbulb

from markov_shard.bot.commands.common import (
    GUILD_ONLY,
    NOT_A_MODERATOR,
    defer,
    granted_to,
    guild_of,
    refuse_non_moderator,
    refuse_outside_guilds,
    say,
)
from markov_shard.bot.components import Handler, Pressed, buttons
from markov_shard.bot.forgetting import Forgetting, NotOwnedError
from markov_shard.bot.permissions import Permissions

forget = lightbulb.Group("forget", "Remove what I have learned", contexts=GUILD_ONLY)

GONE = "Answers no longer use them; old copies are removed within minutes."


@forget.register
class ForgetMe(lightbulb.SlashCommand, name="me", description="Remove everything you wrote, and learn no more of you"):
    keep_learning = lightbulb.boolean(
        "keep-learning", "Remove what I have, but go on learning from you (default: no)", default=False
    )

    @lightbulb.invoke
    async def invoke(self, ctx: lightbulb.Context, forgetting: Forgetting) -> None:
        if await refuse_outside_guilds(ctx):
            return
        await defer(ctx, private=True)
        try:
            count = await forgetting.member(guild_of(ctx), int(ctx.user.id), never_again=not self.keep_learning)
        except NotOwnedError as error:
            await say(ctx, str(error), private=True)
            return
        after = "" if self.keep_learning else " I learn nothing more from you here; `/forget undo` takes that back."
        done = f"{_messages(count)} of yours removed. {GONE}" if count else "I had stored nothing of yours here."
        await say(ctx, done + after, private=True)


@forget.register
class ForgetUndo(lightbulb.SlashCommand, name="undo", description="Let me learn from you again"):
    @lightbulb.invoke
    async def invoke(self, ctx: lightbulb.Context, forgetting: Forgetting) -> None:
        if await refuse_outside_guilds(ctx):
            return
        if await forgetting.undo(guild_of(ctx), int(ctx.user.id)):
            await say(ctx, "I learn from you again from now on. What was removed stays removed.", private=True)
        else:
            await say(ctx, "You had not asked me to forget you here; nothing changed.", private=True)


@forget.register
class ForgetUser(lightbulb.SlashCommand, name="user", description="Remove everything a member wrote (moderators)"):
    user = lightbulb.user("user", "The member, or somebody who was one")

    @lightbulb.invoke
    async def invoke(self, ctx: lightbulb.Context, permissions: Permissions) -> None:
        if not await refuse_non_moderator(ctx, permissions):
            await _ask(ctx, f"Remove everything that <@{self.user.id}> wrote?", f"user:{self.user.id}")


@forget.register
class ForgetChannel(
    lightbulb.SlashCommand, name="channel", description="Remove everything said in a channel (moderators)"
):
    channel = lightbulb.channel("channel", "The channel, its threads included")

    @lightbulb.invoke
    async def invoke(self, ctx: lightbulb.Context, permissions: Permissions) -> None:
        if not await refuse_non_moderator(ctx, permissions):
            text = f"Remove everything that was said in <#{self.channel.id}> and its threads?"
            await _ask(ctx, text, f"channel:{self.channel.id}")


@forget.register
class ForgetServer(
    lightbulb.SlashCommand, name="server", description="Remove everything I have learned here (moderators)"
):
    @lightbulb.invoke
    async def invoke(self, ctx: lightbulb.Context, permissions: Permissions) -> None:
        if not await refuse_non_moderator(ctx, permissions):
            await _ask(ctx, "Remove **everything** I have learned in this server? This cannot be undone.", "server")


@forget.register
class ForgetExport(lightbulb.SlashCommand, name="export", description="Get a file of what I have stored of you"):
    @lightbulb.invoke
    async def invoke(self, ctx: lightbulb.Context, forgetting: Forgetting) -> None:
        if await refuse_outside_guilds(ctx):
            return
        await defer(ctx, private=True)
        guild_id, user_id = guild_of(ctx), int(ctx.user.id)
        file, count = await forgetting.export(guild_id, user_id)
        out = await forgetting.has_opted_out(guild_id, user_id)
        note = " You have opted out: I learn nothing from you here." if out else ""
        await say(ctx, f"{_messages(count)} of yours stored here.{note}", private=True, file=file)


async def _ask(ctx: lightbulb.Context, question: str, what: str) -> None:
    row = buttons(
        (f"forget:{what}", "Remove it", hikari.ButtonStyle.DANGER),
        ("forget:no", "Keep it", hikari.ButtonStyle.SECONDARY),
    )
    await say(ctx, question, private=True, components=[row])


def forget_handler(forgetting: Forgetting, permissions: Permissions) -> Handler:
    """What the buttons under a question of `/forget` do."""

    async def handle(pressed: Pressed) -> None:
        if not permissions.may_manage(pressed.user_id, granted_to(pressed.interaction.member)):
            await pressed.say(NOT_A_MODERATOR)
            return
        if pressed.words[0] == "no":
            await pressed.update("Nothing was removed.")
            return
        await pressed.wait()
        try:
            count = await _forget(forgetting, pressed)
        except NotOwnedError as error:
            await pressed.finish(str(error))
            return
        await pressed.finish(f"{_messages(count)} removed. {GONE}")

    return handle


async def _forget(forgetting: Forgetting, pressed: Pressed) -> int:
    match list(pressed.words):
        case ["user", user_id]:
            return await forgetting.member(pressed.guild_id, int(user_id), never_again=False)
        case ["channel", channel_id]:
            return await forgetting.channel(pressed.guild_id, int(channel_id))
        case ["server"]:
            return await forgetting.everything(pressed.guild_id)
    return 0


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count:,} messages"
