"""The private names of hikari that our gateway and REST code stand on: a release that changes one fails here."""

import ast
import inspect
from collections.abc import Iterable
from typing import Any

import aiohttp
import hikari
import lightbulb
import pytest
from hikari.impl import buckets, rate_limits
from hikari.impl import shard as hikari_shard
from hikari.internal import data_binding, routes
from lightbulb.internal import constants

from markov_shard.bot import fleet_bot, gateway
from markov_shard.bot.commands import common
from markov_shard.bot.injection import generate_injection

SHARD = hikari_shard.GatewayShardImpl


SHARD_SLOTS = (
    "_session_id",
    "_seq",
    "_resume_gateway_url",
    "_user_id",
    "_ws",
    "_shard_id",
    "_last_heartbeat_ack_received",
)
SHARD_METHODS = ("_connect", "_keep_alive", "_heartbeat", "_poll_events", "_send_json")
BOT_SLOTS = (
    "_shards",
    "_http_settings",
    "_proxy_settings",
    "_event_manager",
    "_event_factory",
    "_intents",
    "_dumps",
    "_loads",
    "_token",
)


def require_slots(owner: type, names: Iterable[str]) -> None:
    gone = sorted(set(names) - set(owner.__slots__))  # type: ignore[attr-defined]
    assert not gone, f"hikari {hikari.__version__} has no {owner.__name__}.{', '.join(gone)}: our bot needs it"


def test_the_shard_has_the_slots() -> None:
    require_slots(SHARD, SHARD_SLOTS)


def test_connecting_and_keeping_alive_are_coroutines_without_parameters() -> None:
    for method in (SHARD._connect, SHARD._keep_alive):
        assert inspect.iscoroutinefunction(method)
        assert list(inspect.signature(method).parameters) == ["self"]


def test_a_cancellation_while_dialling_ends_the_shard() -> None:
    source = inspect.getsource(SHARD._keep_alive)
    assert "lifetime_tasks = await self._connect()" in source
    assert "except asyncio.CancelledError:\n                self._is_closing = True\n                return" in source


def test_a_connections_two_tasks_are_coroutines_of_the_shard() -> None:
    assert list(inspect.signature(SHARD._heartbeat).parameters) == ["self", "heartbeat_interval"]
    assert list(inspect.signature(SHARD._poll_events).parameters) == ["self"]
    source = inspect.getsource(SHARD._connect)
    assert "create_task(\n            self._heartbeat(" in source
    assert "create_task(self._poll_events()" in source


def test_json_is_sent_through_one_coroutine() -> None:
    assert inspect.iscoroutinefunction(SHARD._send_json)
    assert list(inspect.signature(SHARD._send_json).parameters) == ["self", "data", "priority"]
    assert "_send_json(\n                {\n                    _OP: _IDENTIFY" in inspect.getsource(SHARD._connect)


def test_the_shard_is_made_from_these_parameters() -> None:
    parameters = set(inspect.signature(SHARD.__init__).parameters) - {"self"}
    used = {
        "http_settings",
        "proxy_settings",
        "event_manager",
        "event_factory",
        "intents",
        "dumps",
        "loads",
        "initial_activity",
        "shard_id",
        "shard_count",
        "token",
        "url",
    }
    assert used <= parameters


def test_a_close_code_can_be_sent_before_the_close() -> None:
    parameters = inspect.signature(hikari_shard._GatewayTransport.send_close).parameters
    assert {"code", "message"} <= set(parameters)


def test_what_a_reader_closes_with_can_be_set_on_the_socket() -> None:
    assert "self._ws.close(code=code, message=message)" in inspect.getsource(hikari_shard._GatewayTransport.send_close)
    assert "await self.close()" in inspect.getsource(aiohttp.ClientWebSocketResponse.receive)
    assert aiohttp.ClientWebSocketResponse.__dictoffset__ != 0, "a method of one object can be replaced"


def test_events_are_received_through_one_method_of_the_socket() -> None:
    transports = [
        hikari_shard._GatewayBasicTransport,
        hikari_shard._GatewayZlibStreamTransport,
        hikari_shard._GatewayZlibMessageTransport,
        hikari_shard._GatewayZstdStreamTransport,
    ]
    for transport in transports:
        assert "await self._ws.receive()" in inspect.getsource(transport._receive_and_check)
    assert "await self._ws.receive_json()" in inspect.getsource(SHARD._poll_events)
    assert "timeout" in inspect.signature(aiohttp.ClientWebSocketResponse.receive).parameters


def test_the_bot_has_the_slots() -> None:
    require_slots(hikari.GatewayBot, BOT_SLOTS)


def test_a_rest_clients_requests_pass_through_one_session() -> None:
    require_slots(hikari.impl.RESTClientImpl, ["_client_session"])
    assert "self._client_session.request(" in inspect.getsource(hikari.impl.RESTClientImpl._request)
    assert isinstance(aiohttp.ClientSession.trace_configs, property)


def test_a_request_enters_its_bucket_through_the_manager() -> None:
    require_slots(hikari.impl.RESTClientImpl, ["_bucket_manager"])
    require_slots(buckets.RESTBucketManager, ["_global_ratelimit"])
    require_slots(buckets.RESTBucket, ["_in_transit"])
    source = inspect.getsource(hikari.impl.RESTClientImpl._request)
    assert "enter_async_context(\n                            self._bucket_manager.acquire_bucket(" in source
    for name in ("acquire", "release", "is_rate_limited", "is_unknown"):
        assert hasattr(buckets.RESTBucket, name)


def test_hikari_still_wakes_requests_that_are_gone() -> None:
    """Once it does not, `markov_shard/rest_lines.py` can go."""
    assert "self.queue.pop(0).set_result(None)" in inspect.getsource(rate_limits.WindowedBurstRateLimiter.throttle)
    assert "next_future.set_result(None)" in inspect.getsource(rate_limits.ManualRateLimiter.unlock_later)


def test_a_transport_names_its_socket() -> None:
    require_slots(hikari_shard._GatewayTransport, ["_ws"])


def test_a_raw_event_reaches_the_event_manager_with_its_shard() -> None:
    parameters = list(inspect.signature(hikari.api.EventManager.consume_raw_event).parameters)
    assert parameters == ["self", "event_name", "shard", "payload"]


def test_a_route_that_hikari_lacks_can_be_requested() -> None:
    assert "json" in inspect.signature(hikari.impl.RESTClientImpl._request).parameters
    assert routes.Route("POST", "/attachments/refresh-urls").compile().method == "POST"


def test_the_resolver_of_a_commands_services_can_be_generated_beforehand() -> None:
    class Command(lightbulb.SlashCommand, name="one", description="one"):
        @lightbulb.invoke
        async def invoke(self, ctx: lightbulb.Context, service: int) -> None: ...

    generate_injection(Command)
    bound: Any = Command().invoke
    assert bound._dependency_func is vars(Command)["invoke"]._dependency_func is not None


def test_connections_to_discord_can_be_kept_open() -> None:
    assert hikari.impl.HTTPSettings(force_close_transports=False).force_close_transports is False


def test_a_first_response_can_be_sent_past_lightbulb() -> None:
    assert constants.INITIAL_RESPONSE_IDENTIFIER == common._FIRST_RESPONSE
    assert isinstance(lightbulb.context.MessageResponseMixin.initial_response_sent, property)
    assert "auth" in inspect.signature(hikari.impl.RESTClientImpl._request).parameters
    assert routes.POST_INTERACTION_RESPONSE.compile(interaction=1, token="t").method == "POST"


def test_a_file_can_be_sent_with_a_body_of_our_own() -> None:
    assert {"form_builder", "query"} <= inspect.signature(hikari.impl.RESTClientImpl._request).parameters.keys()
    assert routes.POST_WEBHOOK_WITH_TOKEN.compile(webhook=1, token="t").method == "POST"
    form = inspect.signature(data_binding.URLEncodedFormBuilder.add_field).parameters
    assert list(form) == ["self", "name", "data", "content_type"]
    assert list(inspect.signature(data_binding.URLEncodedFormBuilder.add_resource).parameters) == [
        "self",
        "name",
        "resource",
    ]


# --- of these tests themselves ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHARD_SLOTS)
def test_a_release_without_a_slot_fails_by_its_name(name: str) -> None:
    changed = type("GatewayShardImpl", (), {"__slots__": tuple(set(SHARD.__slots__) - {name})})
    with pytest.raises(AssertionError, match=rf"hikari .* has no GatewayShardImpl\.{name}: our bot needs it"):
        require_slots(changed, SHARD_SLOTS)


@pytest.mark.parametrize("name", SHARD_METHODS)
def test_a_release_without_a_method_fails_by_its_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(SHARD, name)
    with pytest.raises(AttributeError, match=name):
        check_methods()


@pytest.mark.parametrize("name", SHARD_METHODS)
def test_a_release_that_changes_a_methods_parameters_fails(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def changed(self: object, something: object, *, new: object) -> None: ...

    monkeypatch.setattr(SHARD, name, changed)
    with pytest.raises(AssertionError):
        check_methods()


def check_methods() -> None:
    test_connecting_and_keeping_alive_are_coroutines_without_parameters()
    test_a_connections_two_tasks_are_coroutines_of_the_shard()
    test_json_is_sent_through_one_coroutine()


@pytest.mark.parametrize(
    ("of", "names", "own"),
    [
        (gateway.FleetShard, {*SHARD_SLOTS, *SHARD_METHODS}, gateway.FleetShard),
        (fleet_bot.FleetBot, set(BOT_SLOTS), fleet_bot.FleetBot),
    ],
)
def test_no_private_name_of_hikari_is_used_that_is_not_named_here(of: type, names: set[str], own: type) -> None:
    tree = ast.parse(inspect.getsource(of))
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
        and node.attr.startswith("_")
    }
    assert used - set(own.__slots__) - set(vars(own)) <= names  # type: ignore[attr-defined]
