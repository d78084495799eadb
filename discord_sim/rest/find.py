"""Finding what a request's path names, as far as the asking bot may know of it."""

from __future__ import annotations

from aiohttp import web

from discord_sim import permissions
from discord_sim.ids import parse_snowflake
from discord_sim.rest.app import application_of
from discord_sim.rest.errors import ApiError, Code, invalid
from discord_sim.state import DM, Channel, Guild, Message, World


def id_in(request: web.Request, name: str) -> int:
    """An ID of the path. Raises ApiError where it is none."""
    text = request.match_info[name]
    found = parse_snowflake(text)
    if found is None or found >> 63:
        raise invalid(f"{name}_id", "NUMBER_TYPE_COERCE", f'Value "{text[:40]}" is not snowflake.')
    return found


def limit_of(request: web.Request, default: int, most: int, least: int = 1) -> int:
    """The page size a query asks for. Raises ApiError where it is none, or out of range."""
    text = request.query.get("limit", str(default))
    if not (text.isascii() and text.lstrip("-").isdigit()):
        raise invalid("limit", "NUMBER_TYPE_COERCE", f'Value "{text[:40]}" is not int.')
    if int(text) > most:
        raise invalid("limit", "NUMBER_TYPE_MAX", f"int value should be less than or equal to {most}.")
    if int(text) < least:
        raise invalid("limit", "NUMBER_TYPE_MIN", f"int value should be greater than or equal to {least}.")
    return int(text)


def query_id(request: web.Request, name: str) -> int | None:
    """An ID of the query, or None where it is not given. Raises ApiError where it is no ID."""
    text = request.query.get(name)
    if text is None:
        return None
    found = parse_snowflake(text)
    if found is None:
        raise invalid(name, "NUMBER_TYPE_COERCE", f'Value "{text[:40]}" is not snowflake.')
    return found


def query_flag(request: web.Request, name: str) -> bool:
    """Whether a yes-or-no of the query says yes, in one of the ways that libraries write it."""
    return request.query.get(name, "").lower() in {"true", "1"}


def find_guild(world: World, request: web.Request) -> Guild:
    """The guild, if the bot is in it."""
    guild = world.guilds.get(id_in(request, "guild"))
    if guild is None or application_of(request).bot.id not in guild.members:
        raise ApiError(Code.UNKNOWN_GUILD)
    return guild


def find_channel(world: World, request: web.Request, *needed: int) -> Channel:
    """The channel, if the bot sees it and has what else is needed there."""
    channel = world.channels.get(id_in(request, "channel"))
    if channel is None:
        raise ApiError(Code.UNKNOWN_CHANNEL)
    if channel.type == DM:
        if all(user.id != application_of(request).bot.id for user in channel.recipients):
            raise ApiError(Code.MISSING_ACCESS)
        return channel
    granted = world.permissions(application_of(request).bot.id, channel)
    if not granted & permissions.VIEW_CHANNEL:
        raise ApiError(Code.MISSING_ACCESS)
    if any(not granted & bit for bit in needed):
        raise ApiError(Code.MISSING_PERMISSIONS)
    return channel


def find_message(channel: Channel, request: web.Request) -> Message:
    message = channel.messages.get(id_in(request, "message"))
    if message is None:
        raise ApiError(Code.UNKNOWN_MESSAGE)
    return message
