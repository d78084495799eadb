"""Finding what a request of the control API names."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from discord_sim.ids import parse_snowflake
from discord_sim.parts import Parts
from discord_sim.permissions import THREAD_TYPES
from discord_sim.places import NewChannel, NewMember
from discord_sim.rest.errors import ApiError, Code
from discord_sim.state import TEXT, Application, Channel, Guild, Json, Member, Message, Overwrite, User


class ControlPart:
    """One family of the control API's routes."""

    def __init__(self, sim: Parts) -> None:
        self._sim = sim
        self._world = sim.world

    def _guild(self, request: web.Request) -> Guild:
        guild = self._world.guilds.get(parse_snowflake(request.match_info["guild"]) or 0)
        if guild is None:
            raise ApiError(Code.UNKNOWN_GUILD)
        return guild

    def _channel(self, request: web.Request) -> Channel:
        channel = self._world.channels.get(parse_snowflake(request.match_info["channel"]) or 0)
        if channel is None:
            raise ApiError(Code.UNKNOWN_CHANNEL)
        return channel

    def _message(self, request: web.Request) -> tuple[Channel, Message]:
        channel = self._channel(request)
        message = channel.messages.get(parse_snowflake(request.match_info["message"]) or 0)
        if message is None:
            raise ApiError(Code.UNKNOWN_MESSAGE)
        return channel, message

    def _user(self, value: object) -> User:
        user = self._world.users.get(parse_snowflake(value) or 0)
        if user is None:
            raise ApiError(Code.UNKNOWN_USER)
        return user

    def _member(self, guild: Guild, value: object) -> Member:
        member = guild.members.get(parse_snowflake(value) or 0)
        if member is None:
            raise ApiError(Code.UNKNOWN_MEMBER)
        return member

    def _application(self, value: object = None) -> Application:
        """The application of that ID; None: the first one."""
        found = self._world.applications.get(parse_snowflake(value) or 0)
        if value is None:
            found = next(iter(self._world.applications.values()))
        if found is None:
            raise ApiError(Code.UNKNOWN_APPLICATION)
        return found


def new_channel(wanted: Json) -> NewChannel:
    kind = int(wanted.get("type", TEXT))
    parent = parse_snowflake(wanted.get("parent_id"))
    if kind in THREAD_TYPES and parent is None:
        raise ValueError("a thread needs `parent_id`")
    return NewChannel(
        _text(wanted, "name"),
        bool(wanted.get("nsfw")),
        parse_snowflake(wanted.get("id")),
        type=kind,
        parent_id=parent,
        topic=wanted.get("topic"),
        overwrites=[new_overwrite(item["id"], item) for item in wanted.get("permission_overwrites") or ()],
        owner_id=parse_snowflake(wanted.get("owner_id")),
        archived=bool(wanted.get("archived")),
    )


def new_member(wanted: Json) -> NewMember:
    return NewMember(
        _text(wanted, "username"), bool(wanted.get("admin")), parse_snowflake(wanted.get("id")), bool(wanted.get("bot"))
    )


def new_overwrite(overwrite_id: object, wanted: Json) -> Overwrite:
    found = parse_snowflake(overwrite_id)
    if found is None:
        raise ValueError(f"{overwrite_id!r} is no ID of a role or a member")
    return Overwrite(found, int(wanted["type"]), int(wanted.get("allow", 0)), int(wanted.get("deny", 0)))


def _text(wanted: Json, name: str) -> str:
    value: Any = wanted[name]
    if not isinstance(value, str) or not value:
        raise ValueError(f"`{name}` is a text that is not empty, not {value!r}")
    return value
