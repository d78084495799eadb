"""Which intent lets which event through."""

from __future__ import annotations

GUILDS = 1 << 0
GUILD_MEMBERS = 1 << 1
GUILD_PRESENCES = 1 << 8
MESSAGE_CONTENT = 1 << 15
PRIVILEGED = GUILD_MEMBERS | GUILD_PRESENCES | MESSAGE_CONTENT

_KNOWN = sum(1 << bit for bit in (*range(17), 20, 21, 24, 25))

_GUILD_EVENTS = {
    "MESSAGE_REACTION": 1 << 10,
    "MESSAGE": 1 << 9,
    "TYPING_START": 1 << 11,
    "GUILD_MEMBER": GUILD_MEMBERS,
    "GUILD_BAN": 1 << 2,
    "GUILD": GUILDS,
    "CHANNEL": GUILDS,
    "THREAD": GUILDS,
}
_DIRECT_EVENTS = {"MESSAGE_REACTION": 1 << 13, "MESSAGE": 1 << 12, "TYPING_START": 1 << 14}


def is_valid(intents: object) -> bool:
    return isinstance(intents, int) and not isinstance(intents, bool) and intents >= 0 and not intents & ~_KNOWN


def needed_for(event: str, *, direct: bool) -> int:
    """The intent an event needs, or 0 where it is always sent."""
    table = _DIRECT_EVENTS if direct else _GUILD_EVENTS
    return next((bit for prefix, bit in table.items() if event.startswith(prefix)), 0)
