"""What a person does on the stand-in's chat page, and the guild they do it in."""

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from discord_sim.client import SimClient

if TYPE_CHECKING:
    from playwright.async_api import Locator

    from tests.page.conftest import Visit


@dataclass(frozen=True)
class House:
    """A guild, by the IDs of its channels and members."""

    sim: SimClient
    guild: str
    channels: dict[str, str]
    members: dict[str, str]

    @classmethod
    async def build(cls, sim: SimClient) -> "House":
        guild = await sim.create_guild(
            "The Tea House",
            channels=[{"name": "general"}, {"name": "kitchen"}, {"name": "cellar", "nsfw": True}],
            members=[{"username": "mira", "admin": True}, {"username": "jonas"}],
        )
        return cls(
            sim,
            guild["id"],
            {channel["name"]: channel["id"] for channel in guild["channels"]},
            {member["username"]: member["id"] for member in guild["members"]},
        )

    def place(self, member: str, channel: str = "general") -> str:
        """The page's address there, as that member."""
        return f"#/{self.guild}/{self.channels[channel]}/{self.members[member]}"


class Chatter:
    """One person at one page."""

    def __init__(self, seen: "Visit") -> None:
        self.seen = seen
        self.page = seen.page
        self.composer = seen.page.locator("#composer")

    def message(self, text: str) -> "Locator":
        """The newest message with that text."""
        return self.page.locator("#messages .message", has_text=text).last

    async def say(self, text: str) -> "Locator":
        """Writes it key by key and sends it; gives its row."""
        await self.composer.press_sequentially(text)
        await self.composer.press("Enter")
        row = self.message(text)
        await row.wait_for()
        return row

    async def call(self, command: str) -> "Locator":
        """Types a command and takes the first suggestion; gives the form of its options."""
        await self.composer.press_sequentially(f"/{command}")
        await self.page.locator("#complete .suggestion").first.wait_for()
        await self.composer.press("Enter")
        form = self.page.locator("#command-options")
        await form.wait_for()
        return form

    def option(self, name: str) -> "Locator":
        """The input of an option of the form that is open."""
        return self.page.locator(f"[data-option='{name}']")

    async def alone(self, text: str) -> "Locator":
        """The answer that only this person sees."""
        row = self.page.locator("#messages .message.ephemeral", has_text=text).last
        await row.locator(".only", has_text="Only you can see this").wait_for()
        return row


def picture(folder: Path, name: str = "teapot.png", size: int = 120) -> Path:
    """A PNG file with a pattern."""
    rows = b"".join(
        b"\0" + b"".join(bytes((60 + x, 110 + y, 150 if (x // 20 + y // 20) % 2 else 90)) for x in range(size))
        for y in range(size)
    )
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    made = b"\x89PNG\r\n\x1a\n"
    for kind, data in parts:
        made += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    path = folder / name
    path.write_bytes(made)
    return path
