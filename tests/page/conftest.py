"""A real browser, and coordinators' pages for it to look at."""

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from discord_sim.client import SimClient
from tests.page.chatting import House
from tests.standin import stand_in

playwright = pytest.importorskip("playwright.async_api", reason="`make test-long` installs it")

PATIENCE = 30_000
"""Milliseconds that something may take to appear, on a machine that does much else."""
expect = playwright.expect
expect.set_options(timeout=PATIENCE)
SHOTS = os.environ.get("SCREENSHOTS")
"""A directory to keep screenshots in, for somebody to look at."""
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}


class Visit:
    """One open page. `problems` are errors of its console, failed requests, and requests to anywhere else."""

    def __init__(self, page: "playwright.Page", url: str, folder: Path) -> None:
        self.page = page
        own = (url, "blob:", "data:")
        self.problems: list[str] = []
        self._folder = folder
        page.on("console", lambda message: message.type == "error" and self.problems.append(message.text))
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("requestfailed", lambda request: self.problems.append(f"failed: {request.url}"))
        page.on("request", lambda request: request.url.startswith(own) or self.problems.append(request.url))

    async def shot(self, name: str) -> None:
        """A picture of the whole page."""
        await self.page.screenshot(path=self._folder / f"{name}.png", full_page=True, animations="disabled")

    async def is_too_wide(self) -> bool:
        """Whether the page scrolls sideways."""
        return bool(await self.page.evaluate("document.documentElement.scrollWidth > innerWidth"))


@pytest.fixture
async def visit(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Visit]]]:
    """`await visit(url, DESKTOP)` opens a page in headless Chromium, `at` a place of it."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.fail("chromium is not installed: tests/install-outside installs it")
    folder = Path(SHOTS) if SHOTS else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    async with playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])

        async def open_page(url: str, size: dict[str, int], scheme: str = "light", *, at: str = "") -> Visit:
            context = await browser.new_context(viewport=size, color_scheme=scheme, has_touch=size is PHONE)
            page = await context.new_page()
            page.set_default_timeout(PATIENCE)
            made = Visit(page, url, folder)
            await page.goto(url + at)
            return made

        yield open_page
        await browser.close()


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """A guild of the stand-in's, which lives in this process."""
    async with stand_in() as made, SimClient(made.public_url) as sim:
        yield await House.build(sim)
