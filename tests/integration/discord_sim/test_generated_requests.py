"""Every served REST route, asked rightly and wrongly: never a 5xx, errors in Discord's shape, answers as documented."""

import random
from typing import Any

import pytest

from discord_sim import DEMO_BOT_ID
from discord_sim.chat import Draft
from discord_sim.permissions import ADMINISTRATOR
from discord_sim.places import NewChannel, NewMember
from discord_sim.rest.app import API
from discord_sim.rest.command_bodies import NewCommand
from discord_sim.rest.guild_bodies import ChannelChanges, MemberChanges, NewGuildChannel, NewThread, RoleChanges
from discord_sim.rest.message_bodies import MessageChanges, NewMessage
from discord_sim.rest.routes import rest_routes
from discord_sim.rest.validation import Wanted
from discord_sim.server import DiscordSim
from discord_sim.state import Message, Overwrite
from tests.integration.discord_sim.generated import Generator
from tests.integration.discord_sim.rest_client import RestClient
from tests.standin import discord_document

ROUTES = sorted({(r.method, r.path.removeprefix(API)) for r in rest_routes(DiscordSim()) if r.method != "HEAD"})
EACH = 8
MORE = {"application_id": str(DEMO_BOT_ID), "version": "1", "default_member_permissions": None}
OWN_SCHEMAS: dict[tuple[str, str], type[Wanted]] = {
    ("POST", "/channels/{channel}/messages"): NewMessage,
    ("PATCH", "/channels/{channel}/messages/{message}"): MessageChanges,
    ("PATCH", "/channels/{channel}"): ChannelChanges,
    ("POST", "/channels/{channel}/threads"): NewThread,
    ("POST", "/channels/{channel}/messages/{message}/threads"): NewThread,
    ("POST", "/guilds/{guild}/channels"): NewGuildChannel,
    ("POST", "/guilds/{guild}/roles"): RoleChanges,
    ("PATCH", "/guilds/{guild}/roles/{role}"): RoleChanges,
    ("PATCH", "/guilds/{guild}/members/{user}"): MemberChanges,
    ("POST", "/applications/{application}/commands"): NewCommand,
}
"""What bodies are drawn from where Discord's document is not at hand."""


class World:
    """A guild with one of everything, made anew for each request so that none is spoilt by an earlier one."""

    def __init__(self, sim: DiscordSim, rng: random.Random, kind: int | None = None) -> None:
        self._rng = rng
        guild = sim.places.add_guild(
            "Full", [NewChannel("general")], [NewMember("olga", admin=True), NewMember("mira")]
        )
        channel = next(iter(guild.channels.values()))
        bot_role = next(role for role in guild.roles.values() if role.bot_id is not None)
        sim.roles.edit(guild, bot_role, permissions=ADMINISTRATOR)
        role = sim.roles.add(guild, "helpers", 0)
        member = next(m for m in guild.members.values() if m.user.username == "mira")
        bot = guild.members[DEMO_BOT_ID].user
        sim.roles.overwrite(guild, channel, Overwrite(role.id, 0, 0, 1 << 13))
        said = sim.chat.post(channel, member.user, Draft("hello <@1>", attachments=[self._file(sim, channel.id)]))
        own = sim.chat.post(channel, bot, Draft("mine", embeds=[{"type": "rich", "title": "t"}], reply_to=said.id))
        sim.chat.pin(channel, own, pinned=True)
        for emoji in ("🙂", "blob:12345"):
            sim.chat.react(channel, own, bot, emoji, add=True)
        new = NewChannel(
            "talk", type=rng.choice((11, 12)), parent_id=channel.id, archived=rng.random() < 0.5, owner_id=bot.id
        )
        thread = sim.places.add_channel(guild, new)
        application = sim.world.applications[DEMO_BOT_ID]
        command = {"id": str(sim.world.ids.next()), "name": "say", "type": 1, "description": "Says"}
        application.commands.setdefault(None, {})[int(command["id"])] = command | MORE
        source: Message | None = own
        data: dict[str, Any] = {"name": "say", "custom_id": "x"}
        kind = kind or rng.choice((2, 3, 4, 5))
        act = (application, channel, member.user, data, source)
        trigger = sim.interactions.begin(2, *act) if kind == 5 else None
        interaction = sim.interactions.begin(kind, *act, trigger)
        self.ids = [str(i) for i in (guild.id, channel.id, thread.id, said.id, own.id, role.id, member.user.id, bot.id)]
        self.fixed = {
            "application": str(DEMO_BOT_ID), "guild": str(guild.id),
            "channel": str(rng.choice((channel.id, thread.id))),
            "message": rng.choice((str(own.id), str(said.id))), "user": str(member.user.id), "role": str(role.id),
            "overwrite": str(role.id), "emoji": rng.choice(("🙂", "blob:12345", "x")),
            "command": command["id"],
            "webhook": str(DEMO_BOT_ID), "interaction": str(interaction.id), "token": interaction.token,
        }  # fmt: skip

    def coin(self) -> bool:
        return self._rng.random() < 0.5

    @staticmethod
    def _file(sim: DiscordSim, channel_id: int) -> Any:
        return sim.cdn.store(channel_id, "a.txt", b"text")

    def path(self, route: str) -> str:
        """The route with IDs in it, now and then one that is of something else, or is none."""
        for name, value in self.fixed.items():
            drawn = self._rng.random()
            chosen = value if drawn < 0.85 else self._rng.choice(self.ids) if drawn < 0.95 else "nonsense"
            route = route.replace(f"{{{name}}}", chosen)
        return route


def schema_of(method: str, route: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The document that `$ref`s are of, and the body's schema."""
    document = discord_document()
    if document is not None:
        found = document.route(route.replace("{", "").replace("}", ""))
        if found is None or method.lower() not in document.document["paths"][found]:
            return None
        schema = document.request_schema(method, found)
        return None if schema is None else (document.document, schema)
    model = OWN_SCHEMAS.get((method, route))
    if model is None:
        return None
    own = model.model_json_schema()
    return own, own


@pytest.mark.parametrize(("method", "route"), ROUTES, ids=[f"{method} {route}" for method, route in ROUTES])
async def test_no_request_surprises_it(method: str, route: str, sim: DiscordSim, rest: RestClient) -> None:
    rng = random.Random(f"{method} {route}")
    found = schema_of(method, route)
    for number in range(EACH if found is None else 3 * EACH):
        world = World(sim, rng)
        body: object = None
        if found is not None:
            generator = Generator(found[0], rng, world.ids)
            body = generator.right(found[1]) if number % 2 else generator.wrong(found[1])
        query = rng.choice(
            ("", "", "?limit=5", "?limit=0", "?limit=x", "?after=1&with_counts=true", "?before=nonsense")
        )
        if route.endswith("callback") and number % 3 == 0:
            query = "?with_response=true"
        answer = await rest(method, world.path(route) + query, body)
        asked = f"{method} {route}{query} {body!r:.500}: {answer.status} {answer.json!r:.300}"
        assert answer.status < 500, asked
        if answer.status >= 400:
            assert isinstance(answer.json["code"], int), asked
            assert isinstance(answer.json["message"], str), asked
        assert sim.violations == [], asked


def test_enough_routes_are_served() -> None:
    assert len(ROUTES) > 90
