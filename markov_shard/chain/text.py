"""What a message is to the engine: a text, its tokens, and the ID of where it came from."""

from typing import Protocol, runtime_checkable

from markov_shard.chain.errors import MessageError, StateSizeError

MAX_STATE_SIZE = 5
NO_SOURCE = -(1 << 63)  # stands for the ID of a message without one, and of one that was removed


@runtime_checkable
class Message(Protocol):
    """Anything with a text and an ID (any signed 64-bit integer but the smallest, or None for no ID)."""

    @property
    def text(self) -> str: ...

    @property
    def id(self) -> int | None: ...


MessageLike = str | Message


def text_of(message: MessageLike) -> str:
    """The text of a message or of a bare string."""
    return message if isinstance(message, str) else message.text


def id_of(message: MessageLike) -> int | None:
    """The message's ID; a bare string has none."""
    return None if isinstance(message, str) else message.id


def tokens_of(message: MessageLike) -> list[str]:
    """The tokens of one message: `str.split()` of its text, in order.

    Raises MessageError, naming the message, for a NUL character or a lone surrogate.
    """
    text = text_of(message)
    fault = fault_of(text)
    if fault:
        identity = id_of(message)
        name = f"message {identity}" if identity is not None else f"message {shown(text)}"
        raise MessageError(f"{name}: {fault}")
    return text.split()


def fault_of(text: str) -> str | None:
    """Why a text cannot be learned, or None where it can."""
    if "\0" in text:
        return f"NUL character at offset {text.index(chr(0))}"
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"lone surrogate U+{ord(text[error.start]):04X} at offset {error.start}"
    return None


def shown(text: str) -> str:
    """A text shortened and escaped for an error message."""
    return ascii(text if len(text) <= 60 else text[:60] + "...")


def checked_state_size(state_size: object) -> int:
    """The state size, or StateSizeError outside 1 to 5."""
    if not isinstance(state_size, int) or not 1 <= state_size <= MAX_STATE_SIZE:
        raise StateSizeError(f"state size {state_size!r}: allowed are 1 to {MAX_STATE_SIZE}")
    return state_size
