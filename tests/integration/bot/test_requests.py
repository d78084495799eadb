"""The check of requests can fail: for each thing that Discord refuses there is a request that it finds."""

from typing import Any

import pytest

from discord_sim.state import Json
from tests.integration.bot.requests import RequestChecker, limits
from tests.standin import OPENAPI

MENTIONS: Json = {"allowed_mentions": {"parse": []}}
MESSAGE: Json = {"content": "hello", **MENTIONS}
CHANNEL = "/api/v10/channels/1/messages"


def row(*parts: Json) -> Json:
    return {"components": [{"type": 1, "components": list(parts)}], **MENTIONS}


def menu(count: int = 1, **option: str) -> Json:
    choice = {"label": "a", "value": "b", **option}
    return {"type": 3, "custom_id": "menu", "options": [choice] * count}


def embed(**parts: Any) -> Json:
    return {"embeds": [parts], **MENTIONS}


def command(**parts: Any) -> Json:
    return {"name": "mark", "description": "Say something", **parts}


WRONG: dict[str, Json] = {
    "content": {"content": "x" * 2001, **MENTIONS},
    "mentions": {"content": "x"},
    "nonce": {**MESSAGE, "nonce": "1" * 26},
    "custom ID": row({**menu(), "custom_id": "x" * 101}),
    "placeholder": row({**menu(), "placeholder": "x" * 151}),
    "choices of a menu": row(menu(26)),
    "no choices": row(menu(0)),
    "a choice's label": row(menu(label="x" * 101)),
    "a choice's value": row(menu(value="x" * 101)),
    "a choice's description": row(menu(description="x" * 101)),
    "a button's label": row({"type": 2, "style": 1, "custom_id": "a", "label": "x" * 81}),
    "buttons of a row": row(*[{"type": 2, "style": 1, "custom_id": "a", "label": "x"}] * 6),
    "rows": {"components": [row(menu())["components"][0]] * 6, **MENTIONS},
    "an embed's title": embed(title="x" * 257),
    "an embed's description": embed(description="x" * 4097),
    "fields": embed(fields=[{"name": "a", "value": "b"}] * 26),
    "a field's name": embed(fields=[{"name": "x" * 257, "value": "b"}]),
    "a field's value": embed(fields=[{"name": "a", "value": "x" * 1025}]),
    "an empty field": embed(fields=[{"name": "a", "value": ""}]),
    "all of an embed": embed(description="x" * 4000, fields=[{"name": "a", "value": "x" * 1000}] * 2),
    "embeds": {"embeds": [{"title": "a"}] * 11, **MENTIONS},
    "a modal's title": {"type": 9, "data": {"custom_id": "a", "title": "x" * 46, "components": []}},
    "options": command(options=[command(type=3)] * 26),
    "a command's name": command(name="x" * 33),
    "a command's description": command(description="x" * 101),
    "an option's choice": command(options=[command(type=3, choices=[{"name": "x" * 101, "value": "b"}])]),
    "all of a command": command(options=[command(type=1, options=[command(description="x" * 99)] * 25)] * 4),
    "URLs to refresh": {"attachment_urls": ["https://cdn.example/a"] * 51},
    "deep inside": {"type": 4, "data": {"content": "x" * 2001, **MENTIONS}},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_limit_that_is_broken_is_found(name: str) -> None:
    assert list(limits(WRONG[name]))


@pytest.mark.parametrize(
    "body",
    [
        {"content": "x" * 2000, **MENTIONS, "nonce": "1" * 25},
        row(menu(25, label="x" * 100, description="x" * 100)),
        embed(description="x" * 4096, fields=[{"name": "a" * 256, "value": "x" * 1024}]),
        command(options=[command(type=3, description="x" * 100)] * 25),
    ],
)
def test_what_is_just_allowed_passes(body: Json) -> None:
    assert not list(limits(body))


def request(method: str, path: str, body: object = None, **more: Any) -> Json:
    return {"method": method, "path": path, "status": 200, "query": {}, "body": body, "fault": False, **more}


REFUSED: dict[str, Json] = {
    "refused by the stand-in": request("POST", CHANNEL, MESSAGE, status=400),
    "another version of the API": request("POST", "/api/v9/channels/1/messages", MESSAGE),
    "a form's JSON": request("POST", CHANNEL, {"content": "x" * 2001, **MENTIONS}, files=[{"name": "a", "bytes": 1}]),
    "files too large": request("POST", CHANNEL, MESSAGE, files=[{"name": "a", "bytes": 11 << 20}]),
    "too many files": request("POST", CHANNEL, MESSAGE, files=[{"name": "a", "bytes": 1}] * 11),
}
AGAINST_THE_DOCUMENT: dict[str, Json] = {
    "an unknown route": request("POST", "/api/v10/channels/1/whispers", MESSAGE),
    "a method that is not there": request("PUT", CHANNEL, MESSAGE),
    "no body": request("POST", CHANNEL),
    "a wrong type": request("POST", CHANNEL, {**MESSAGE, "tts": "yes"}),
    "a wrong type in a form": request("POST", CHANNEL, {**MESSAGE, "tts": 1}, files=[{"name": "a", "bytes": 1}]),
    "a part that is missing": request("POST", CHANNEL, row({"type": 2, "custom_id": "a"})),
    "a parameter out of range": request("GET", CHANNEL, query={"limit": "101"}),
    "an unknown parameter": request("GET", CHANNEL, query={"newest": "1"}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_request_that_is_wrong_is_found(name: str) -> None:
    with pytest.raises(AssertionError):
        RequestChecker().check_request(REFUSED[name])


@pytest.mark.skipif(not OPENAPI.is_file(), reason="Discord's OpenAPI document is not at hand")
@pytest.mark.parametrize("name", AGAINST_THE_DOCUMENT)
def test_a_request_that_is_not_as_the_document_says_is_found(checker: RequestChecker, name: str) -> None:
    with pytest.raises(AssertionError):
        checker.check_request(AGAINST_THE_DOCUMENT[name])


def test_requests_that_are_right_pass(checker: RequestChecker) -> None:
    before = checker.checked
    checker.check_request(request("POST", CHANNEL, MESSAGE))
    checker.check_request(request("POST", CHANNEL, MESSAGE, files=[{"name": "a", "bytes": 1}]))
    checker.check_request(request("GET", CHANNEL, query={"limit": "100", "before": "5"}))
    checker.check_request(request("POST", "/api/v10/attachments/refresh-urls", {"attachment_urls": ["https://a"]}))
    if OPENAPI.is_file():
        assert checker.checked == before + 2
