"""`/help`: what the bot can do, and how."""

import lightbulb

from markov_shard.bot.commands.common import ANYWHERE, say
from markov_shard.settings import Settings


def help_text(settings: Settings) -> str:
    """The commands, in at most 2,000 characters."""
    mark, prefix = f"/{settings.slash_command_name}", settings.message_command_prefix
    return f"""I learn from the messages of this server, and talk in its voice.

**Talking**
`{mark}` says something: `seed` is a phrase to start from, `user` a member to speak like; `debug` shows how.
Mention me, and I answer your message. `{prefix}`, `{prefix} debug` and `{prefix} tts` work too.
**Teaching** (moderators)
`/listen add`, `remove`, `list`, `modify`: the channels I learn from.
`/train`: learn from their history, or from a file; `/train-status`, `/train-cancel`.
`/autorespond add`, `remove`, `list`, `modify`, `chance`: where I answer by myself, and how often.
**Forgetting**
`/forget me` removes everything you wrote, and I learn no more of you; `/forget undo` takes that back.
`/forget export` sends you what is stored of you. Deleting or editing a message changes what I know at once.
`/forget user`, `channel`, `server`: for moderators.
**Also**
`/stats`: what I have learned here. `/invite`: add me to another server."""


class Help(lightbulb.SlashCommand, name="help", description="Show what I can do", contexts=ANYWHERE):
    @lightbulb.invoke
    async def invoke(self, ctx: lightbulb.Context, settings: Settings) -> None:
        await say(ctx, help_text(settings), private=True)
