"""What every command shares: answering without pinging anyone, and asking who may."""

from collections.abc import Sequence

import hikari
import lightbulb

from markov_shard.bot.permissions import Permissions
from markov_shard.bot.sending import MAX_TEXT, NO_MENTIONS, File
from markov_shard.bot.timing import replying
from markov_shard.rest import answer_interaction, follow_up

GUILD_ONLY = (hikari.ApplicationContextType.GUILD,)
ANYWHERE = (hikari.ApplicationContextType.GUILD, hikari.ApplicationContextType.BOT_DM)

_FIRST_RESPONSE = -1  # what lightbulb calls an interaction's first response (see tests/contract)

NOT_A_MODERATOR = "Only moderators may do that (Manage Channels, Kick Members or Move Members)."
ONLY_SERVERS = "That only works in a server."


async def say(
    ctx: lightbulb.Context,
    text: str,
    *,
    private: bool = False,
    tts: bool = False,
    file: File | None = None,
    components: Sequence[hikari.api.ComponentBuilder] = (),
) -> hikari.Snowflakeish:
    """Answers the interaction, or follows up; nobody is ever mentioned by it. Returns the response's identifier.

    A `file` needs a deferred answer.
    """
    replying()
    flags = int(hikari.MessageFlag.EPHEMERAL) if private else 0
    message = {"content": text[:MAX_TEXT], "allowed_mentions": NO_MENTIONS, "tts": tts, "flags": flags}
    if file is not None:  # the answer was deferred, since files take a while
        sent = hikari.Bytes(file.data, file.name)
        return await follow_up(ctx.client.rest, ctx.interaction, message, sent)
    if not components and not ctx.initial_response_sent.is_set():
        await answer_interaction(ctx.client.rest, ctx.interaction, message)
        ctx.initial_response_sent.set()
        return _FIRST_RESPONSE
    return await ctx.respond(
        text[:MAX_TEXT],
        ephemeral=private,
        tts=tts,
        components=components or hikari.UNDEFINED,
        mentions_everyone=False,
        user_mentions=False,
        role_mentions=False,
    )


async def defer(ctx: lightbulb.Context, *, private: bool = False) -> None:
    """Has Discord show that an answer is being worked on, where it may take longer than an interaction's 3 s."""
    replying()
    await ctx.defer(ephemeral=private)


def guild_of(ctx: lightbulb.Context) -> int:
    """The guild the command was used in; only after `refuse_outside_guilds`."""
    assert ctx.guild_id is not None
    return int(ctx.guild_id)


async def refuse_outside_guilds(ctx: lightbulb.Context) -> bool:
    """True, and the user told why, when the command came as a direct message."""
    if ctx.guild_id is not None:
        return False
    await say(ctx, ONLY_SERVERS, private=True)
    return True


async def refuse_non_moderator(ctx: lightbulb.Context, permissions: Permissions) -> bool:
    """True, and the member told why, unless they may change what the bot learns in this guild."""
    if await refuse_outside_guilds(ctx):
        return True
    if permissions.may_manage(int(ctx.user.id), granted_to(ctx.member)):
        return False
    await say(ctx, NOT_A_MODERATOR, private=True)
    return True


def granted_to(member: hikari.Member | None) -> hikari.Permissions:
    """What a member of an interaction may do in its channel; nothing where there is no member."""
    return member.permissions if isinstance(member, hikari.InteractionMember) else hikari.Permissions.NONE
