"""How an answer came about, for those who asked to know."""

from markov_shard.chain import Answer
from markov_shard.store.guilds import read_guild
from markov_shard.store.messages import read_messages
from markov_shard.store.pool import Database

_SOURCES_SHOWN = 10


async def explain(database: Database, guild_id: int, answer: Answer) -> str:
    """Score, tries, order, the part of the seed that was used, and links to the messages it was made of."""
    seed = f"`{answer.seed_used[:200]}`" if answer.seed_used else "none"
    lines = [f"score {answer.score}, tries {answer.tries}, order {answer.order}, seed used: {seed}"]
    shown = answer.sources[:_SOURCES_SHOWN]
    async with database.connection() as connection:
        guild = await read_guild(connection, guild_id)
        stored = {
            message.message_id: message
            for message in await read_messages(connection, guild_id, guild.generation, shown)
        }
    imported = 0
    for source in shown:
        message = stored.get(source)
        if source < 0 or (message is not None and message.channel_id is None):
            imported += 1
        elif message is None:
            lines.append(f"- message {source}, not stored yet")
        else:
            lines.append(f"- https://discord.com/channels/{guild_id}/{message.channel_id}/{source}")
    if imported:
        lines.append("- an imported message" if imported == 1 else f"- {imported} imported messages")
    if len(answer.sources) > _SOURCES_SHOWN:
        lines.append(f"and {len(answer.sources) - _SOURCES_SHOWN} more messages")
    return "\n".join(lines)
