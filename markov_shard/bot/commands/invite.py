"""`/invite`: how to add the bot to another server."""

import hikari
import lightbulb

from markov_shard.bot.commands.common import ANYWHERE, say

WANTED = (
    hikari.Permissions.VIEW_CHANNEL
    | hikari.Permissions.SEND_MESSAGES
    | hikari.Permissions.SEND_MESSAGES_IN_THREADS
    | hikari.Permissions.SEND_TTS_MESSAGES
    | hikari.Permissions.EMBED_LINKS
    | hikari.Permissions.ATTACH_FILES
    | hikari.Permissions.READ_MESSAGE_HISTORY
)
"""What the bot needs in a server, and no more."""


def invitation(application_id: int) -> str:
    """The text with the link that adds the bot to a server."""
    link = (
        f"https://discord.com/oauth2/authorize?client_id={application_id}"
        f"&permissions={int(WANTED)}&scope=bot+applications.commands"
    )
    return f"Add me to a server of yours: <{link}>"


class Invite(lightbulb.SlashCommand, name="invite", description="Add me to another server", contexts=ANYWHERE):
    @lightbulb.invoke
    async def invoke(self, ctx: lightbulb.Context) -> None:
        await say(ctx, invitation(int(ctx.interaction.application_id)), private=True)
