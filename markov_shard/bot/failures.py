"""What a member is told when a command goes wrong."""

import hikari
import lightbulb

from markov_shard.bot.commands.common import say
from markov_shard.bot.components import TROUBLE, is_replay
from markov_shard.errors import MarkovShardError, ServiceUnavailableError
from markov_shard.logs import get_logger

_log = get_logger(__name__)


async def answer_failure(failed: lightbulb.exceptions.ExecutionPipelineFailedException) -> bool:
    """lightbulb's error handler: one line for the operator, one for the member. A replayed interaction is neither's."""
    cause = failed.causes[0] if failed.causes else None
    ctx = failed.context
    if is_replay(cause):
        _log.debug("an interaction was answered before", guild=str(ctx.guild_id))
        return True
    name = ctx.command_data.qualified_name
    if isinstance(cause, MarkovShardError):
        _log.warning("a command could not be followed", command=name, guild=str(ctx.guild_id), reason=str(cause))
        text = TROUBLE if isinstance(cause, ServiceUnavailableError) else f"That did not work: {cause}"
    elif isinstance(cause, hikari.ForbiddenError):
        _log.warning("a permission is missing for a command", command=name, guild=str(ctx.guild_id))
        text = "Discord does not let me: a permission is missing for me here (View Channel, most likely)."
    else:
        _log.error("a command went wrong", command=name, guild=str(ctx.guild_id), exc_info=cause)
        text = "That went wrong on my side, and my operator can see it."
    try:
        await say(ctx, text, private=True)
    except hikari.HikariError as error:
        _log.debug("a member could not be told", reason=str(error).splitlines()[0])
    return True
