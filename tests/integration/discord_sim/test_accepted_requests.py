"""What Discord's document calls right is accepted, and what it calls wrong is refused, on each route with a body."""

import random
from typing import Any

import pytest

from discord_sim import DEMO_BOT_ID
from discord_sim.server import DiscordSim
from tests.integration.discord_sim.generated import Generator
from tests.integration.discord_sim.rest_client import Answer, RestClient
from tests.integration.discord_sim.test_generated_requests import ROUTES, World, schema_of
from tests.standin import discord_document

Json = dict[str, Any]
EACH = 12
COMMANDS = "/commands"
_LEFT_OUT = {"message_reference", "flags", "components", "attachments"}
_BITS = {"permissions", "allow", "deny", "default_member_permissions"}
WITH_BODY = [(method, route) for method, route in ROUTES if schema_of(method, route) is not None]
BEYOND_SCHEMAS = {
    10060: "a sticker that is none",
    50007: "a message to itself",
    50034: "a message that is too old",
    "APPLICATION_COMMAND_CONTEXT_MENU_FIELDS": "",
    "APPLICATION_COMMAND_INVALID_NAME": "letters that a name may not have",
    "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID": "",
    "APPLICATION_COMMANDS_DUPLICATE_NAME": "",
    "APPLICATION_COMMAND_OPTION_NAME_ALREADY_EXISTS": "",
    "BASE_TYPE_BAD_LENGTH": "a command without a description",
    "BASE_TYPE_CHOICES": "a kind that the stand-in does not have: activities, forums",
    "BASE_TYPE_REQUIRED": "an embed's footer without text",
    "BASE_TYPE_MIN_LENGTH": "an embed's field without text",
    "BUTTON_COMPONENT_CUSTOM_ID_REQUIRED": "",
    "BUTTON_COMPONENT_INVALID_LABEL": "",
    "BUTTON_COMPONENT_INVALID_URL": "",
    "CHANNEL_PARENT_INVALID": "an ID that is of no category",
    "COMPONENT_CUSTOM_ID_DUPLICATED": "",
    "COMPONENT_LAYOUT_WIDTH_EXCEEDED": "",
    "INVALID_RECIPIENT": "an ID that is of no user",
    "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE": "",
    "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2": "",
    "NUMBER_TYPE_COERCE": "permissions beyond 64 bits",
    "REPLIES_UNKNOWN_MESSAGE": "",
    "ROLE_UNKNOWN": "",
    "STRING_TYPE_CONVERT": "an embed's footer whose text is null",
    "SELECT_COMPONENT_MIN_VALUES_ABOVE_MAX": "",
    "SELECT_COMPONENT_MAX_VALUES_ABOVE_OPTIONS": "",
    "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED": "",
}
"""Errors of bodies that fit their schema: what Discord's guide says in words, or what depends on what exists."""

pytestmark = pytest.mark.skipif(discord_document() is None, reason="Discord's document is not at hand")


async def _fixed(world: World, sim: DiscordSim, rest: RestClient, route: str) -> dict[str, str]:
    """What to put into a route's path so that all of it exists and fits together."""
    guild, channel, thread, _, own = world.ids[:5]
    fixed = {**world.fixed, "channel": channel, "message": own}
    if "{overwrite}" in route:
        return fixed
    if "/guilds/{guild}/commands/{command}" in route:
        command = {"name": "own", "type": 1, "description": "Of the guild"}
        made = await rest("POST", f"/applications/{DEMO_BOT_ID}/guilds/{guild}/commands", command)
        return fixed | {"command": made.json["id"]}
    if route.startswith("/webhooks/"):
        made = await rest("POST", f"/channels/{channel}/webhooks", {"name": "Herald"})
        hook = {"webhook": made.json["id"], "token": made.json["token"]}
        if "@original" in route:
            callback = f"/interactions/{fixed['interaction']}/{fixed['token']}/callback"
            assert (await rest("POST", callback, {"type": 5}, token="")).status == 204
            return fixed
        sent = await rest("POST", f"/webhooks/{hook['webhook']}/{hook['token']}?wait=true", {"content": "x"}, token="")
        return fixed | hook | {"message": sent.json["id"]}
    if route == "/channels/{channel}" and world.coin():
        return fixed | {"channel": thread}
    return fixed


def _fitted(route: str, body: Any, world: World) -> Any:
    """The body with what the route's schema leaves open filled in so that it makes sense."""
    if COMMANDS in route:
        items = (body or [{}]) if route.endswith(COMMANDS) and isinstance(body, list | None) else [body]
        for place, item in enumerate(items):
            item |= {"name": f"name-{place}", "type": 1, "description": "Does something", "options": None}
        return items if isinstance(body, list | None) else body
    if route.endswith("/callback"):
        return {"type": 4, "data": {"content": "x"}} if world.coin() else {"type": 5}
    if route == "/users/@me/channels":
        return {"recipient_id": world.fixed["user"]}
    if route.endswith("/permissions/{overwrite}"):
        return body | {"type": 0, "allow": 0, "deny": 1 << 11}
    if route.endswith("/messages/bulk-delete"):
        return {"messages": world.ids[3:5]}
    if "messages" in route or route.startswith("/webhooks/{webhook}/{token}"):
        body = {name: value for name, value in body.items() if name not in _LEFT_OUT}
        return body | {"content": "text"}
    return body


def _in_numbers(body: Any) -> Any:
    """Permissions as numbers: the document has them so, Discord's guide and its clients as text."""
    if isinstance(body, list):
        return [_in_numbers(item) for item in body]
    if not isinstance(body, dict):
        return body
    return {
        name: int(value) if name in _BITS and isinstance(value, str) and value.isdigit() else _in_numbers(value)
        for name, value in body.items()
    }


def _codes(errors: Any) -> set[str]:
    if isinstance(errors, list):
        return {item["code"] for item in errors}
    return set().union(*(_codes(inner) for inner in errors.values())) if isinstance(errors, dict) else set()


def _reasons(answer: Answer) -> set[str | int]:
    return set(_codes(answer.json["errors"])) if "errors" in answer.json else {answer.code}


@pytest.mark.parametrize(("method", "route"), WITH_BODY, ids=[f"{method} {route}" for method, route in WITH_BODY])
async def test_right_is_accepted_and_wrong_refused(method: str, route: str, sim: DiscordSim, rest: RestClient) -> None:
    document, found = discord_document(), schema_of(method, route)
    assert document is not None
    assert found is not None
    named = document.route(route.replace("{", "").replace("}", ""))
    assert named is not None
    rng = random.Random(f"{route} {method}")
    accepted = refused = 0
    for number in range(2 * EACH):
        world = World(sim, rng, kind=2)
        path = route
        for name, value in (await _fixed(world, sim, rest, route)).items():
            path = path.replace(f"{{{name}}}", value)
        generator = Generator(found[0], rng, world.ids)
        body = generator.wrong(found[1]) if number < EACH else _fitted(route, generator.right(found[1]), world)
        if body is None or (route == "/users/@me" and "username" not in body):
            continue  # no body is an empty one; the document wants the name, which the guide does not
        right = document.accepts(method, named, _in_numbers(body))
        answer = await rest(method, path, body, **({"token": ""} if route.startswith("/interactions") else {}))
        asked = f"{method} {path} {body!r:.600}: {answer.status} {answer.json!r:.300}"
        if number >= EACH:
            assert right, asked
            assert answer.status < 300 or _reasons(answer) <= BEYOND_SCHEMAS.keys(), asked
            accepted += answer.status < 300
        elif not right:
            assert 400 <= answer.status < 500, asked
            assert isinstance(answer.code, int), asked
            assert isinstance(answer.json["message"], str), asked
            refused += 1
    assert accepted >= EACH // 3, f"only {accepted} of {EACH} right bodies were accepted"
    assert refused, "no wrong body was drawn"
