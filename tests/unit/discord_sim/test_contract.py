"""The check of answers against Discord's document can fail, and says where."""

from pathlib import Path

import orjson
import pytest

from discord_sim.rest.contract import Contract
from discord_sim.state import Json

USER: Json = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "bot": {"type": "boolean"}},
    "required": ["id"],
}
ERROR: Json = {"type": "object", "properties": {"code": {"type": "integer"}}, "required": ["code"]}


def _json(name: str) -> Json:
    return {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}}


@pytest.fixture
def contract() -> Contract:
    """A document of two routes, shaped as Discord's is."""
    errors = {"InnerErrors": {"properties": {"_errors": {"items": {}}}}}
    body = {
        "content": {"application/json": {"schema": {"properties": {"name": {"type": "string"}}, "required": ["name"]}}}
    }
    return Contract(
        {
            "components": {
                "schemas": {"User": USER, "Error": ERROR, **errors},
                "responses": {"Refused": _json("Error")},
            },
            "paths": {
                "/users/{user_id}": {
                    "get": {"responses": {"200": _json("User"), "4XX": {"$ref": "#/components/responses/Refused"}}},
                    "delete": {"responses": {"204": {}}},
                    "patch": {"requestBody": body, "responses": {"200": _json("User")}},
                },
                "/users/@me": {"get": {"responses": {"200": _json("Error")}}},
            },
        }
    )


def _found(contract: Contract, method: str, path: str, status: int, body: object = None) -> list[str]:
    return list(contract.violations(method, path, status, None if body is None else orjson.dumps(body)))


def test_what_is_as_documented_passes(contract: Contract) -> None:
    assert _found(contract, "GET", "users/5", 200, {"id": "5", "bot": True, "more": 1}) == []
    assert _found(contract, "GET", "users/5", 404, {"code": 10013}) == []
    assert _found(contract, "DELETE", "users/5", 204) == []
    assert _found(contract, "GET", "users/@me", 200, {"code": 1}) == [], "exact words go before IDs"
    assert _found(contract, "GET", "unknown/route", 200, {}) == [], "what the document lacks is not judged"
    assert _found(contract, "GET", "users/5", 503, {}) == [], "nor are failures of the server"


@pytest.mark.parametrize(
    ("method", "status", "body", "said"),
    [
        ("GET", 200, {}, 'GET /users/{user_id} 200: : "id" is a required property'),
        ("GET", 200, {"id": "5", "bot": "yes"}, 'GET /users/{user_id} 200: bot: "yes" is not of type "boolean"'),
        ("GET", 200, None, 'GET /users/{user_id} 200: : null is not of type "object"'),
        ("GET", 403, {"code": "x"}, 'GET /users/{user_id} 403: code: "x" is not of type "integer"'),
        ("GET", 201, {"id": "5"}, "GET /users/{user_id}: the document has no answer 201"),
        ("DELETE", 404, {"code": 1}, "DELETE /users/{user_id}: the document has no answer 404"),
    ],
)
def test_what_is_not_is_named(contract: Contract, method: str, status: int, body: object, said: str) -> None:
    assert _found(contract, method, "users/5", status, body) == [said]


def test_request_bodies_are_judged_too(contract: Contract) -> None:
    assert contract.accepts("PATCH", "/users/{user_id}", {"name": "x"})
    assert not contract.accepts("PATCH", "/users/{user_id}", {})
    assert not contract.accepts("PATCH", "/users/{user_id}", {"name": "\ud800"})
    assert contract.accepts("GET", "/users/{user_id}", {})


def test_it_reads_a_file(contract: Contract, tmp_path: Path) -> None:
    file = tmp_path / "openapi.json"
    file.write_bytes(orjson.dumps(contract.document))
    assert Contract.read(file).route("users/7") == "/users/{user_id}"
