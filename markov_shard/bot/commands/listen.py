"""`/listen`: which channels the bot learns from."""

import lightbulb

from markov_shard.bot.commands.choosing import add_choosing
from markov_shard.bot.commands.common import GUILD_ONLY

listen = lightbulb.Group("listen", "Choose the channels I learn from", contexts=GUILD_ONLY)
add_choosing(listen, "listen", "I learn from")
