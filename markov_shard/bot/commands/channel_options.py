"""Up to 25 channels as a command's options: `channel`, `channel2` to `channel25`."""

import lightbulb
from lightbulb.commands.options import Option

from markov_shard.bot.places import LEARNABLE

MOST = 25
_KINDS = list(LEARNABLE)  # as Discord gives it back: lightbulb takes a tuple for a change, and registers all anew


def channel_options() -> dict[str, object]:
    """The options as attributes for a command's class; the first is required."""
    options: dict[str, object] = {"channel": lightbulb.channel("channel", "The channel", channel_types=_KINDS)}
    for number in range(2, MOST + 1):
        name = f"channel{number}"
        options[name] = lightbulb.channel(name, "Another channel", channel_types=_KINDS, default=None)
    return options


def chosen_channels(command: object) -> list[int]:
    """The channels given to a command that has these options."""
    names = ("channel", *(f"channel{number}" for number in range(2, MOST + 1)))
    given = (getattr(command, name) for name in names)
    return [int(channel.id) for channel in given if channel is not None and not isinstance(channel, Option)]
