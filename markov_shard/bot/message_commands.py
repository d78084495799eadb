"""What `!mark WORD` does beside answering, by word."""

from collections.abc import Mapping

from markov_shard.bot.commands.common import NOT_A_MODERATOR
from markov_shard.bot.commands.help import help_text
from markov_shard.bot.commands.invite import invitation
from markov_shard.bot.commands.train import announced
from markov_shard.bot.following import Following
from markov_shard.bot.responder import Asked, MayManage, OnCommand
from markov_shard.bot.trainer import Trainer
from markov_shard.errors import JobError
from markov_shard.settings import Settings


class MessageCommands:
    """The commands; `by_word` is for the responder."""

    def __init__(
        self,
        settings: Settings,
        bot_id: int,
        trainer: Trainer,
        following: Following,
    ) -> None:
        self._settings = settings
        self._bot_id = bot_id
        self._trainer = trainer
        self._following = following

    def by_word(self) -> Mapping[str, OnCommand]:
        """The words after the prefix."""
        return {"help": self.help, "invite": self.invite, "train": self.train}

    async def help(self, asked: Asked, _: MayManage) -> None:
        """Shows what the bot can do."""
        await asked.reply(help_text(self._settings))

    async def invite(self, asked: Asked, _: MayManage) -> None:
        """Shows how to add the bot to another server."""
        await asked.reply(invitation(self._bot_id))

    async def train(self, asked: Asked, may_manage: MayManage) -> None:
        """Trains from the message's attachment, else from the channels' history; `clean` unless told otherwise."""
        if not await may_manage(asked):
            await asked.reply(NOT_A_MODERATOR)
            return
        file = next(iter(asked.payload.get("attachments", ())), None)
        clean = asked.text.casefold() not in ("keep", "clean:false", "clean: false")
        try:
            job_id = await self._trainer.request(
                asked.guild_id, url=file["url"] if file else None, clean=clean, user_id=asked.user_id
            )
        except JobError as error:
            await asked.reply(f"I cannot start that: {error}")
            return
        message_id = await asked.reply(announced(job_id, file["filename"] if file else None, clean=clean))
        if message_id is not None:
            self._following.begin(asked.guild_id, job_id, asked.channel_id, message_id=message_id)
