"""Discord's errors: a status, a code and a message, and for invalid bodies where each fault is."""

from __future__ import annotations

import enum

from discord_sim.state import Json


class Code(enum.Enum):
    """HTTP status, JSON code, message."""

    UNAUTHORIZED = (401, 0, "401: Unauthorized")
    NOT_FOUND = (404, 0, "404: Not Found")
    METHOD_NOT_ALLOWED = (405, 0, "405: Method Not Allowed")
    UNKNOWN_APPLICATION = (404, 10002, "Unknown Application")
    UNKNOWN_CHANNEL = (404, 10003, "Unknown Channel")
    UNKNOWN_GUILD = (404, 10004, "Unknown Guild")
    UNKNOWN_MEMBER = (404, 10007, "Unknown Member")
    UNKNOWN_MESSAGE = (404, 10008, "Unknown Message")
    UNKNOWN_ROLE = (404, 10011, "Unknown Role")
    UNKNOWN_USER = (404, 10013, "Unknown User")
    UNKNOWN_WEBHOOK = (404, 10015, "Unknown Webhook")
    UNKNOWN_EMOJI = (400, 10014, "Unknown Emoji")
    UNKNOWN_STICKER = (400, 10060, "Unknown Sticker")
    UNKNOWN_OVERWRITE = (404, 10009, "Unknown Overwrite")
    UNKNOWN_COMMAND_PERMISSIONS = (404, 10066, "Unknown application command permissions")
    MAX_PINS = (400, 30003, "Maximum number of pins reached (50)")
    THREAD_EXISTS = (400, 160004, "A thread has already been created for this message")
    THREAD_LOCKED = (400, 160005, "Thread is locked")
    THREAD_ARCHIVED = (400, 50083, "Thread is archived")
    WRONG_CHANNEL_TYPE = (400, 50024, "Cannot execute action on this channel type")
    SYSTEM_MESSAGE = (403, 50021, "Cannot execute action on a system message")
    CANNOT_DM = (403, 50007, "Cannot send messages to this user")
    UNKNOWN_INTERACTION = (404, 10062, "Unknown interaction")
    UNKNOWN_COMMAND = (404, 10063, "Unknown application command")
    MAX_COMMANDS = (400, 30032, "Maximum number of application commands reached (100)")
    ENTITY_TOO_LARGE = (413, 40005, "Request entity too large")
    ALREADY_ACKNOWLEDGED = (400, 40060, "Interaction has already been acknowledged.")
    MISSING_ACCESS = (403, 50001, "Missing Access")
    CANNOT_EDIT_OTHERS = (403, 50005, "Cannot edit a message authored by another user")
    CANNOT_REPLY = (403, 160002, "Cannot reply without permission to read message history")
    EMPTY_MESSAGE = (400, 50006, "Cannot send an empty message")
    MISSING_PERMISSIONS = (403, 50013, "Missing Permissions")
    INVALID_TOKEN = (401, 50027, "Invalid Webhook Token")
    BULK_DELETE_COUNT = (
        400,
        50016,
        "Provided too few or too many messages to delete. Must provide at least 2 and fewer than 100",
    )
    TOO_OLD_TO_BULK_DELETE = (400, 50034, "You can only bulk delete messages that are under 14 days old.")
    INVALID_FORM = (400, 50035, "Invalid Form Body")
    INVALID_JSON = (400, 50109, "The request body contains invalid JSON.")


class ApiError(Exception):
    """Answers a request with Discord's error JSON."""

    def __init__(self, code: Code, errors: Json | None = None) -> None:
        self.status, self.code, self.message = code.value
        self.errors = errors
        super().__init__(self.message)

    def body(self) -> Json:
        body: Json = {"message": self.message, "code": self.code}
        return body if self.errors is None else {**body, "errors": self.errors}


def invalid(path: str, code: str, message: str) -> ApiError:
    """Error 50035 for the field at `path`, such as `embeds.0.title`."""
    errors: Json = {"_errors": [{"code": code, "message": message}]}
    for part in reversed(path.split(".")):
        errors = {part: errors}
    return ApiError(Code.INVALID_FORM, errors)
