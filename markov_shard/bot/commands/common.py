"""What every command shares: answering without pinging anyone, and asking who may."""

import hikari
import lightbulb

from markov_shard.bot.permissions import Permissions
from markov_shard.bot.timing import replying

GUILD_ONLY = (hikari.ApplicationContextType.GUILD,)


async def say(ctx: lightbulb.Context, text: str, *, private: bool = False, tts: bool = False) -> None:
    """Answers the interaction; nobody is ever mentioned by it."""
    replying()
    await ctx.respond(
        text,
        ephemeral=private,
        tts=tts,
        mentions_everyone=False,
        user_mentions=False,
        role_mentions=False,
    )


def guild_of(ctx: lightbulb.Context) -> int:
    """The guild the command was used in; commands are registered for guilds only."""
    assert ctx.guild_id is not None
    return int(ctx.guild_id)


async def refuse_non_moderator(ctx: lightbulb.Context, permissions: Permissions) -> bool:
    """True, and the member told why, unless they may change what the bot learns."""
    granted = ctx.member.permissions if ctx.member else hikari.Permissions.NONE
    if permissions.may_manage(int(ctx.user.id), granted):
        return False
    await say(ctx, "Only moderators may do that (Manage Channels, Kick Members or Move Members).", private=True)
    return True
