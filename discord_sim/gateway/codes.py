"""Gateway opcodes and close codes."""

from __future__ import annotations

import enum


class Op(enum.IntEnum):
    DISPATCH = 0
    HEARTBEAT = 1
    IDENTIFY = 2
    PRESENCE_UPDATE = 3
    VOICE_STATE_UPDATE = 4
    RESUME = 6
    RECONNECT = 7
    REQUEST_GUILD_MEMBERS = 8
    INVALID_SESSION = 9
    HELLO = 10
    HEARTBEAT_ACK = 11


class Close(enum.Enum):
    """A close code and the reason Discord gives with it."""

    UNKNOWN_ERROR = (4000, "Unknown error.")
    UNKNOWN_OPCODE = (4001, "Unknown opcode.")
    DECODE_ERROR = (4002, "Error while decoding payload.")
    NOT_AUTHENTICATED = (4003, "Not authenticated.")
    AUTHENTICATION_FAILED = (4004, "Authentication failed.")
    ALREADY_AUTHENTICATED = (4005, "Already authenticated.")
    INVALID_SEQ = (4007, "Invalid seq.")
    RATE_LIMITED = (4008, "Rate limited.")
    SESSION_TIMED_OUT = (4009, "Session timed out.")
    INVALID_SHARD = (4010, "Invalid shard.")
    SHARDING_REQUIRED = (4011, "Sharding required.")
    INVALID_VERSION = (4012, "Invalid API version.")
    INVALID_INTENTS = (4013, "Invalid intent(s).")
    DISALLOWED_INTENTS = (4014, "Disallowed intent(s).")

    @property
    def code(self) -> int:
        return self.value[0]

    @property
    def reason(self) -> str:
        return self.value[1]


class GatewayError(Exception):
    """The client broke the protocol; its connection is closed with `close`."""

    def __init__(self, close: Close) -> None:
        super().__init__(close.reason)
        self.close = close
