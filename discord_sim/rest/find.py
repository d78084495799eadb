"""Finding what a request's path names, as far as the asking bot may know of it."""

from __future__ import annotations

from aiohttp import web

from discord_sim import permissions
from discord_sim.ids import parse_snowflake
from discord_sim.rest.app import application_of
from discord_sim.rest.errors import ApiError, Code
from discord_sim.state import DM, Channel, Guild, Message, World


def id_in(request: web.Request, name: str) -> int:
    """An ID of the path; 0, which nothing has, where it is none."""
    return parse_snowflake(request.match_info[name]) or 0


def limit_of(request: web.Request, default: int, most: int) -> int:
    text = request.query.get("limit", str(default))
    return max(1, min(int(text), most)) if text.isascii() and text.isdigit() else default


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
