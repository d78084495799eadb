"""Answers in the voice of one member, from that member's own messages in the guild."""

from markov_shard.bot.answers import MOVING, Answers, Reply, nothing_to_say
from markov_shard.bot.cpu_work import CpuWork
from markov_shard.bot.hosting import Hosting
from markov_shard.chain import Chain, Compiler, open_image
from markov_shard.guilds.registry import Guilds
from markov_shard.settings import Settings
from markov_shard.store.guilds import read_guild
from markov_shard.store.members import read_author
from markov_shard.store.pool import Database

MAX_MESSAGES = 20_000
"""A member's latest messages that an imitation is made of: enough for a voice, and compiled in a moment."""


class Imitation:
    """Builds a member's chain when it is asked for, and keeps nothing of it."""

    def __init__(
        self,
        database: Database,
        guilds: Guilds,
        hosting: Hosting,
        answers: Answers,
        settings: Settings,
        cpu_work: CpuWork,
    ) -> None:
        self._cpu_work = cpu_work
        self._database = database
        self._guilds = guilds
        self._hosting = hosting
        self._answers = answers
        self._state_size = settings.state_size

    async def answer(self, guild_id: int, channel_id: int, user_id: int, seed: str | None) -> Reply:
        """Says something that the member could have said; takes longer than an answer of the guild's."""
        owner, intake = self._hosting.owner_of(guild_id), self._hosting.intake_of(guild_id)
        if owner is None or intake is None:
            return Reply(MOVING)
        if user_id in (await intake.directory(guild_id)).opted_out:
            return Reply(f"<@{user_id}> asked not to be learned from.")
        nsfw = await intake.is_restricted(guild_id, channel_id)
        async with self._database.connection() as connection:
            guild = await read_guild(connection, guild_id)
            stored = await read_author(connection, guild_id, guild.generation, user_id, nsfw=nsfw, limit=MAX_MESSAGES)
        waiting = self._guilds.waiting_messages(guild_id, owner)
        stored += [message for message in waiting if message.author_id == user_id and (nsfw or not message.nsfw)]
        if not stored:
            return Reply(f"I have learned nothing from <@{user_id}> yet.")
        texts, ids = [message.content for message in stored], [message.message_id for message in stored]
        image = await self._cpu_work.run(guild_id, _compiled, texts, ids, self._state_size)
        answer = self._answers.speak(Chain(open_image(image)), seed)
        return Reply(answer.text or nothing_to_say(answer), answer)


def _compiled(texts: list[str], ids: list[int], state_size: int) -> bytes:
    compiler = Compiler(state_size)
    compiler.add(texts, ids)
    return bytes(compiler.finish())
