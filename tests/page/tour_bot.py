"""A small bot made with discord.py that has one of everything the chat page shows: `python tour_bot.py REST_URL TOKEN`.

It is a process of its own, and says `ready` when its commands are registered and its shards connected.
"""

import asyncio
import logging
import sys
from typing import Literal

import discord
from discord import app_commands, http

FRUIT = {"apple": "malus", "apricot": "prunus", "banana": "musa", "cherry": "cerasus"}


class Reason(discord.ui.Modal, title="Tell me more"):
    reason = discord.ui.TextInput(label="Reason", min_length=5, max_length=40)
    details = discord.ui.TextInput(label="Details", style=discord.TextStyle.paragraph, required=False)

    async def on_submit(self, interaction: discord.Interaction) -> None:
        told = f"Because: {self.reason.value}. {self.details.value or 'No details'}."
        await interaction.response.send_message(told, ephemeral=True)


class Form(discord.ui.Modal, title="Where to"):
    colour = discord.ui.Label(
        text="Colour",
        component=discord.ui.Select(options=[discord.SelectOption(label=name) for name in ("Red", "Green")]),
    )

    async def on_submit(self, interaction: discord.Interaction) -> None:
        menu = self.colour.component
        assert isinstance(menu, discord.ui.Select)
        await interaction.response.send_message(f"The colour is {menu.values[0]}.", ephemeral=True)


class Survey(discord.ui.View):
    def __init__(self) -> None:
        super().__init__(timeout=None)
        self.add_item(discord.ui.Button(label="Not now", disabled=True))
        self.add_item(discord.ui.Button(label="Rules", url="https://example.invalid/rules"))
        self.votes = 0

    @discord.ui.select(
        placeholder="Your season",
        options=[discord.SelectOption(label=name, description=f"{name} it is") for name in ("Spring", "Autumn")],
    )
    async def season(self, interaction: discord.Interaction, menu: discord.ui.Select["Survey"]) -> None:
        await interaction.response.send_message(f"You like {menu.values[0]}.", ephemeral=True)

    @discord.ui.select(cls=discord.ui.UserSelect, placeholder="Your friends", min_values=1, max_values=2)
    async def friends(self, interaction: discord.Interaction, menu: discord.ui.UserSelect["Survey"]) -> None:
        names = " and ".join(sorted(user.name for user in menu.values))
        await interaction.response.send_message(f"You like {names}.", ephemeral=True)

    @discord.ui.button(label="Vote", style=discord.ButtonStyle.success)
    async def vote(self, interaction: discord.Interaction, button: discord.ui.Button["Survey"]) -> None:
        self.votes += 1
        await interaction.response.edit_message(content=f"A survey, {self.votes} voted", view=self)

    @discord.ui.button(label="Why?", style=discord.ButtonStyle.primary)
    async def why(self, interaction: discord.Interaction, button: discord.ui.Button["Survey"]) -> None:
        await interaction.response.send_modal(Reason())

    @discord.ui.button(label="Colour", style=discord.ButtonStyle.danger)
    async def colour(self, interaction: discord.Interaction, button: discord.ui.Button["Survey"]) -> None:
        await interaction.response.send_modal(Form())


class Tour(discord.AutoShardedClient):
    def __init__(self) -> None:
        super().__init__(intents=discord.Intents.all())
        self.tree = app_commands.CommandTree(self)
        self.go_on = asyncio.Event()
        for command in (order, fruit, survey, slow, silent):
            self.tree.add_command(command)

    async def setup_hook(self) -> None:
        await self.tree.sync()

    async def on_ready(self) -> None:
        sys.stdout.write("ready\n")
        sys.stdout.flush()

    async def on_message(self, message: discord.Message) -> None:
        if message.content == "thread, please":
            thread = await message.create_thread(name="A quiet corner")
            await thread.send("Nobody hears us here.")
        elif message.content == "type, please":
            await message.channel.typing()
        elif message.content == "go on":
            self.go_on.set()


@app_commands.command(description="Order something to eat")
@app_commands.describe(dish="What to eat", portions="How many", note="For the cook", guest="Who eats it")
async def order(
    interaction: discord.Interaction,
    dish: Literal["Soup", "Bread"],
    portions: app_commands.Range[int, 1, 12],
    note: app_commands.Range[str, 3, 20] | None = None,
    guest: discord.Member | None = None,
    warm: bool | None = None,
    tip: app_commands.Range[float, 0, 50] | None = None,
    table: discord.TextChannel | None = None,
    recipe: discord.Attachment | None = None,
) -> None:
    size = len(await recipe.read()) if recipe else 0
    parts = [
        f"{portions * 2} halves of {dish}",
        note,
        guest and guest.name,
        f"warm {warm}",
        tip and f"tip {tip + 0.25}",
    ]
    parts += [table and table.name, recipe and f"{recipe.filename} of {size} bytes"]
    await interaction.response.send_message(", ".join(str(part) for part in parts if part), ephemeral=True)


@app_commands.command(description="Name a fruit")
async def fruit(interaction: discord.Interaction, name: str, weight: int | None = None) -> None:
    await interaction.response.send_message(f"That is {name}{f' of {weight} grams' if weight else ''}.")


@fruit.autocomplete("name")
async def _fruits(interaction: discord.Interaction, begun: str) -> list[app_commands.Choice[str]]:
    return [app_commands.Choice(name=name, value=latin) for name, latin in FRUIT.items() if name.startswith(begun)]


@fruit.autocomplete("weight")
async def _weights(interaction: discord.Interaction, begun: int) -> list[app_commands.Choice[int]]:
    named = interaction.namespace.name
    weights = (("light", 50), ("heavy", 300))
    return [
        app_commands.Choice(name=f"{word} {named}", value=grams)
        for word, grams in weights
        if word.startswith(str(begun))
    ]


@app_commands.command(description="Ask everybody")
async def survey(interaction: discord.Interaction) -> None:
    card = discord.Embed(title="Survey", description="What do you like?", colour=0x63BFA9)
    await interaction.response.send_message("A survey, nobody voted", embed=card, view=Survey())


@app_commands.command(description="Take some time")
async def slow(interaction: discord.Interaction) -> None:
    await interaction.response.defer(thinking=True)
    client = interaction.client
    assert isinstance(client, Tour)
    await client.go_on.wait()
    await interaction.followup.send("Here I am.")
    await interaction.followup.send("And a word for you alone.", ephemeral=True)


@app_commands.command(description="Say nothing")
async def silent(interaction: discord.Interaction) -> None:
    pass


def main() -> None:
    rest_url, token = sys.argv[1:]
    http.Route.BASE = rest_url
    Tour().run(token, log_level=logging.WARNING)


if __name__ == "__main__":
    main()
