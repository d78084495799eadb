"""GUILD_MEMBERS_CHUNK: the answer to a request for members."""

from __future__ import annotations

from collections.abc import Iterator

from discord_sim import shapes
from discord_sim.gateway import intents as intent_bits
from discord_sim.gateway.codes import Close, GatewayError
from discord_sim.gateway.session import Session
from discord_sim.ids import parse_snowflake
from discord_sim.state import Json, Member, World

_CHUNK = 1000
_MOST_NAMED = 100


def member_chunks(world: World, request: Json, session: Session) -> Iterator[Json]:
    """The chunks answering opcode 8: by user IDs, or by the beginning of the name; nothing for an unknown guild.

    The whole list needs the members intent, else it is GatewayError 4014; presences need theirs, else they are left
    out. Other requests get at most 100 members.
    """
    if _wants_all(request) and not session.intents & intent_bits.GUILD_MEMBERS:
        raise GatewayError(Close.DISALLOWED_INTENTS)
    guild_id = request.get("guild_id")
    if isinstance(guild_id, list):
        guild_id = guild_id[0] if guild_id else None
    guild = world.guilds.get(parse_snowflake(guild_id) or 0)
    if guild is None:
        return
    found, missing = _select(list(guild.members.values()), request)
    pages = [found[start : start + _CHUNK] for start in range(0, len(found), _CHUNK)] or [[]]
    for index, page in enumerate(pages):
        chunk: Json = {
            "guild_id": str(guild.id),
            "members": [shapes.member(member) for member in page],
            "chunk_index": index,
            "chunk_count": len(pages),
        }
        if missing:
            chunk["not_found"] = missing
        if request.get("presences") and session.intents & intent_bits.GUILD_PRESENCES:
            chunk["presences"] = []
        if (nonce := request.get("nonce")) is not None:
            chunk["nonce"] = nonce
        yield chunk


def _wants_all(request: Json) -> bool:
    return request.get("user_ids") is None and not request.get("query") and not request.get("limit")


def _select(members: list[Member], request: Json) -> tuple[list[Member], list[str]]:
    wanted = request.get("user_ids")
    if wanted is not None:
        ids = [str(item) for item in (wanted if isinstance(wanted, list) else [wanted])][:_MOST_NAMED]
        by_id = {str(member.user.id): member for member in members}
        return [by_id[item] for item in ids if item in by_id], [item for item in ids if item not in by_id]
    query = str(request.get("query") or "").lower()
    found = [member for member in members if member.user.username.lower().startswith(query)]
    limit = request.get("limit") or 0
    if not isinstance(limit, int) or limit < 0:
        raise GatewayError(Close.DECODE_ERROR)
    if query:
        limit = min(limit or _MOST_NAMED, _MOST_NAMED)
    return (found[:limit] if limit else found), []
