"""What an IDENTIFY must say, and the close code for each way to get it wrong."""

from __future__ import annotations

from dataclasses import dataclass

from discord_sim.gateway import intents as intent_bits
from discord_sim.gateway.codes import Close, GatewayError
from discord_sim.state import Application, Json, World

GUILDS_PER_SHARD = 2500


@dataclass(frozen=True, slots=True)
class Identify:
    application: Application
    shard: tuple[int, int]
    intents: int


def authenticate(world: World, token: object) -> Application:
    application = world.by_token(token.removeprefix("Bot ")) if isinstance(token, str) else None
    if application is None:
        raise GatewayError(Close.AUTHENTICATION_FAILED)
    return application


def read_identify(world: World, data: Json) -> Identify:
    """Raises GatewayError with 4002, 4004, 4010, 4011, 4013 or 4014."""
    application = authenticate(world, data.get("token"))
    if not isinstance(data.get("properties"), dict):
        raise GatewayError(Close.DECODE_ERROR)
    shard = _shard(data.get("shard"), world.shard_multiple)
    guilds = sum(1 for _ in world.guilds.of_member(application.bot.id))
    if guilds > GUILDS_PER_SHARD * shard[1]:
        raise GatewayError(Close.SHARDING_REQUIRED)
    intents = data.get("intents")
    if not intent_bits.is_valid(intents):
        raise GatewayError(Close.INVALID_INTENTS)
    assert isinstance(intents, int)
    if intents & intent_bits.PRIVILEGED & ~application.privileged_intents:
        raise GatewayError(Close.DISALLOWED_INTENTS)
    return Identify(application, shard, intents)


def _shard(value: object, multiple: int) -> tuple[int, int]:
    if value is None:
        return (0, 1)
    if not isinstance(value, list) or len(value) != 2 or not all(type(item) is int for item in value):
        raise GatewayError(Close.INVALID_SHARD)
    shard_id, count = value
    if not 0 <= shard_id < count or count % multiple:
        raise GatewayError(Close.INVALID_SHARD)
    return shard_id, count
