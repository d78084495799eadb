"""A bot as somebody would write it with discord.py: commands, menus, buttons and modals, and what it heard."""

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Callable
from typing import Any

import discord
import pytest
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket
from discord.http import Route

from discord_sim import DEMO_TOKEN
from discord_sim.server import DiscordSim

PATIENCE = 20.0


class Bot(discord.AutoShardedClient):
    """Hears everything, and notes the events it was told of, by name."""

    def __init__(self, sim: DiscordSim, **options: Any) -> None:
        self.sim = sim
        self.heard: list[tuple[str, tuple[Any, ...]]] = []
        options.setdefault("guild_ready_timeout", 0.5)
        super().__init__(intents=discord.Intents.all(), **options)
        self.tree = app_commands.CommandTree(self)
        _add_commands(self.tree)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """The library's own hook sleeps for five seconds, so that one IDENTIFY follows the other in time."""
        if not initial:
            self.sim.clock.advance(5)

    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        self.heard.append((event, args))
        super().dispatch(event, *args, **kwargs)

    async def event(self, name: str, wanted: Callable[..., bool] = lambda *_: True) -> Any:
        """The arguments of an event, one that came already or one that comes."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for heard, args in self.heard:
                    if heard == name and wanted(*args):
                        return args[0] if len(args) == 1 else args
                with contextlib.suppress(TimeoutError):
                    await self.wait_for(name, timeout=0.2)

    def text(self, channel_id: str | int) -> discord.TextChannel:
        found = self.get_channel(int(channel_id))
        assert isinstance(found, discord.TextChannel)
        return found


@contextlib.contextmanager
def pointed_at(sim: DiscordSim) -> Any:
    """The library's base URL, and where it goes when nobody has named a gateway yet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Route, "BASE", f"{sim.public_url}/api/v10")
        patch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(sim.gateway.url))
        yield


@contextlib.asynccontextmanager
async def running(sim: DiscordSim) -> AsyncIterator[Bot]:
    """The bot, connected and ready."""
    with pointed_at(sim):
        async with Bot(sim) as bot:
            await bot.login(DEMO_TOKEN)
            task = asyncio.create_task(bot.connect())
            try:
                await asyncio.wait_for(bot.wait_until_ready(), PATIENCE)
                yield bot
            finally:
                await bot.close()
                await task


class Choosing(discord.ui.View):
    """A menu of words, a menu of members, and buttons."""

    @discord.ui.select(
        custom_id="word",
        min_values=1,
        max_values=2,
        options=[discord.SelectOption(label=name, value=name) for name in ("red", "green", "blue")],
    )
    async def word(self, interaction: discord.Interaction, menu: discord.ui.Select[Any]) -> None:
        await interaction.response.edit_message(content=f"chose {' and '.join(menu.values)}")

    @discord.ui.select(cls=discord.ui.UserSelect, custom_id="who")
    async def who(self, interaction: discord.Interaction, menu: discord.ui.UserSelect[Any]) -> None:
        await interaction.response.send_message(f"chose {menu.values[0].name}", ephemeral=True)

    @discord.ui.button(label="More", custom_id="more", style=discord.ButtonStyle.primary)
    async def more(self, interaction: discord.Interaction, button: discord.ui.Button[Any]) -> None:
        await interaction.response.defer()
        button.label = "Much more"
        await interaction.edit_original_response(view=self)

    @discord.ui.button(label="Ask", custom_id="ask")
    async def ask(self, interaction: discord.Interaction, button: discord.ui.Button[Any]) -> None:
        await interaction.response.send_modal(Question())


class Question(discord.ui.Modal, title="A question"):
    name: discord.ui.TextInput[Any] = discord.ui.TextInput(label="Name", custom_id="name", max_length=20)

    async def on_submit(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"hello {self.name.value}")


def _add_commands(tree: app_commands.CommandTree) -> None:
    @tree.command(description="Says what it is told")
    @app_commands.describe(text="What to say", times="How often", where="Which channel", who="Whom")
    async def say(
        interaction: discord.Interaction,
        text: str,
        times: app_commands.Range[int, 1, 5] = 1,
        where: discord.TextChannel | None = None,
        who: discord.Member | None = None,
    ) -> None:
        named = [item.name for item in (where, who) if item is not None]
        await interaction.response.send_message(" ".join([text] * times + named))

    @tree.command(description="Thinks first")
    async def think(interaction: discord.Interaction, file: discord.Attachment) -> None:
        await interaction.response.defer(thinking=True, ephemeral=True)
        read = await file.read()
        await interaction.followup.send(f"read {len(read)} bytes")
        await interaction.followup.send("and another", file=discord.File(io.BytesIO(read), "again.txt"))

    @tree.command(description="Offers a choice")
    async def choose(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("choose", view=Choosing(timeout=None))

    @tree.command(description="Suggests")
    async def fruit(interaction: discord.Interaction, name: str) -> None:
        await interaction.response.send_message(name)

    @fruit.autocomplete("name")
    async def fruits(interaction: discord.Interaction, current: str) -> list[app_commands.Choice[str]]:
        known = ("apple", "apricot", "banana")
        return [app_commands.Choice(name=item, value=item) for item in known if item.startswith(current)]

    @tree.context_menu(name="Greet")
    async def greet(interaction: discord.Interaction, member: discord.Member) -> None:
        await interaction.response.send_message(f"hello {member.name}")

    @tree.context_menu(name="Quote")
    async def quote(interaction: discord.Interaction, message: discord.Message) -> None:
        await interaction.response.send_message(f"> {message.content}", ephemeral=True)

    group = app_commands.Group(name="list", description="A list", default_permissions=discord.Permissions(8))

    @group.command(description="Adds to it")
    @app_commands.choices(kind=[app_commands.Choice(name=name, value=name[0]) for name in ("first", "last")])
    async def add(interaction: discord.Interaction, kind: app_commands.Choice[str]) -> None:
        await interaction.response.send_message(f"added {kind.value}")
        original = await interaction.original_response()
        await original.edit(content=f"added {kind.value} for good")

    tree.add_command(group)
