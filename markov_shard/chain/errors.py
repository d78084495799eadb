"""What the engine raises.

ChainError
├── MessageError            a text that cannot be learned: NUL or a lone surrogate
├── StateSizeError          a state size outside 1 to 5, or two that do not match
├── NotLearnedError         unlearning, locating or removing what is not there
└── ImageError              an image that cannot be used
    ├── ForeignImageError   not a chain image at all
    ├── ImageVersionError   a chain image of a version this program does not read
    ├── TruncatedImageError shorter than its header says
    ├── DamagedImageError   a checksum or an index in it is wrong
    └── ImageTooLargeError  more states, transitions or text than the format can number
"""

from contextlib import ContextDecorator


class ChainError(Exception):
    """Any error of the chain engine."""


class MessageError(ChainError, ValueError):
    """A message that cannot be learned; its text says which one and why."""


class StateSizeError(ChainError, ValueError):
    """A state size outside 1 to 5, or two chains of different state sizes."""


class NotLearnedError(ChainError, LookupError):
    """The message, or one of its transitions, is not in the chain; nothing was changed."""


class ImageError(ChainError):
    """A chain image that cannot be used."""


class ForeignImageError(ImageError):
    """The bytes are not a chain image."""


class ImageVersionError(ImageError):
    """The image is of a version that this program does not read, `found` in the place of `wanted`."""

    def __init__(self, found: int, wanted: int) -> None:
        super().__init__(f"chain image of version {found}: this program reads version {wanted}")
        self.found, self.wanted = found, wanted

    @property
    def is_newer(self) -> bool:
        """Whether a newer program wrote it, beside which this one runs during an update."""
        return self.found > self.wanted


class TruncatedImageError(ImageError):
    """The image is shorter than its header says."""


class DamagedImageError(ImageError):
    """A checksum, a count or an index in the image is wrong."""


class ImageTooLargeError(ImageError):
    """The chain has more states, transitions or text than an image can number (2**32 - 1)."""


def outside() -> DamagedImageError:
    """What reading by a wrong index comes to."""
    return DamagedImageError("an index in the image points outside it; verify() names the section")


class _Inside(ContextDecorator):
    """Turns what reading by a wrong index comes to (memoryviews check each one) into the error that says so."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, IndexError | UnicodeDecodeError):
            raise outside() from error


INSIDE = _Inside()
