"""Guilds, their channels, members and roles."""

from __future__ import annotations

from aiohttp import web

from discord_sim import guild_shapes, permissions, shapes
from discord_sim.parts import Parts
from discord_sim.places import NewChannel
from discord_sim.rest.app import API, answer, application_of, no_content
from discord_sim.rest.bodies import read_body
from discord_sim.rest.channels import change
from discord_sim.rest.errors import ApiError, Code, invalid
from discord_sim.rest.find import find_guild, id_in, limit_of, query_flag, query_id
from discord_sim.rest.guild_bodies import MemberChanges, NewGuildChannel, OwnMemberChanges, RoleChanges
from discord_sim.rest.validation import read
from discord_sim.state import CATEGORY, TEXT, Guild, Member, Role

_GUILD = API + "/guilds/{guild}"


class Guilds:
    def __init__(self, sim: Parts) -> None:
        self._sim = sim
        self._world = sim.world

    def routes(self) -> list[web.RouteDef]:
        member, role = _GUILD + "/members/{user}", _GUILD + "/roles/{role}"
        return [
            web.get(_GUILD, self.guild),
            web.get(_GUILD + "/channels", self.channels),
            web.post(_GUILD + "/channels", self.add_channel),
            web.get(_GUILD + "/threads/active", self.active_threads),
            web.get(_GUILD + "/emojis", self.nothing),
            web.get(_GUILD + "/stickers", self.nothing),
            web.get(_GUILD + "/members", self.members),
            web.get(_GUILD + "/members/search", self.search),
            web.patch(_GUILD + "/members/@me", self.edit_me),
            web.get(member, self.member),
            web.patch(member, self.edit_member),
            web.delete(member, self.kick),
            web.put(member + "/roles/{role}", self.give_role),
            web.delete(member + "/roles/{role}", self.take_role),
            web.get(_GUILD + "/roles", self.roles),
            web.post(_GUILD + "/roles", self.add_role),
            web.get(role, self.role),
            web.patch(role, self.edit_role),
            web.delete(role, self.delete_role),
        ]

    def _allowed(self, request: web.Request, needed: int) -> Guild:
        """The guild, where the bot has that permission in it."""
        guild = find_guild(self._world, request)
        if not permissions.in_guild(guild, guild.members[application_of(request).bot.id]) & needed:
            raise ApiError(Code.MISSING_PERMISSIONS)
        return guild

    async def guild(self, request: web.Request) -> web.Response:
        guild = find_guild(self._world, request)
        counts = {"approximate_member_count": guild.member_count, "approximate_presence_count": len(guild.members)}
        return answer(guild_shapes.guild(guild) | (counts if query_flag(request, "with_counts") else {}))

    async def nothing(self, request: web.Request) -> web.Response:
        """Emojis and stickers: there are none here."""
        find_guild(self._world, request)
        return answer([])

    # --- channels ----------------------------------------------------------------------------------------------

    async def channels(self, request: web.Request) -> web.Response:
        guild = find_guild(self._world, request)
        return answer([guild_shapes.channel(item) for item in guild.channels.values() if not item.is_thread])

    async def add_channel(self, request: web.Request) -> web.Response:
        guild = self._allowed(request, permissions.MANAGE_CHANNELS)
        wanted = read(NewGuildChannel, (await read_body(request)).json)
        parent = guild.channels.get(wanted.parent_id or 0)
        if wanted.parent_id is not None and (parent is None or parent.type != CATEGORY):
            raise invalid("parent_id", "CHANNEL_PARENT_INVALID", "Category does not exist")
        channel = self._sim.places.add_channel(
            guild, NewChannel(wanted.name, type=wanted.type or TEXT, parent_id=wanted.parent_id), dispatch=False
        )
        change(channel, guild, wanted)
        self._sim.places.created_channel(guild, channel)
        return answer(guild_shapes.channel(channel), 201)

    async def active_threads(self, request: web.Request) -> web.Response:
        guild, bot = find_guild(self._world, request), application_of(request).bot.id
        seen = [
            thread
            for thread in self._world.threads_of(guild)
            if not thread.archived and self._world.permissions(bot, thread)
        ]
        joined = [guild_shapes.thread_member(thread, bot) for thread in seen if bot in thread.thread_members]
        return answer(
            {"threads": [guild_shapes.channel(thread) for thread in seen], "members": joined, "has_more": False}
        )

    # --- members -----------------------------------------------------------------------------------------------

    async def members(self, request: web.Request) -> web.Response:
        guild = find_guild(self._world, request)
        if not application_of(request).privileged_intents & 1 << 1:
            raise ApiError(Code.MISSING_ACCESS)
        after = query_id(request, "after") or 0
        page = sorted(user_id for user_id in guild.members if user_id > after)[: limit_of(request, 1, 1000)]
        return answer([shapes.member(guild.members[user_id]) for user_id in page])

    async def search(self, request: web.Request) -> web.Response:
        guild, begun = find_guild(self._world, request), request.query.get("query")
        if not begun:
            raise invalid("query", "BASE_TYPE_REQUIRED", "This field is required")
        limit = limit_of(request, 1, 1000)
        found = [m for m in guild.members.values() if _is_called(m, begun.lower())]
        return answer([shapes.member(member) for member in found[:limit]])

    def _member(self, request: web.Request, guild: Guild) -> Member:
        member = guild.members.get(id_in(request, "user"))
        if member is None:
            raise ApiError(Code.UNKNOWN_MEMBER)
        return member

    async def member(self, request: web.Request) -> web.Response:
        return answer(shapes.member(self._member(request, find_guild(self._world, request))))

    async def edit_me(self, request: web.Request) -> web.Response:
        guild = self._allowed(request, permissions.CHANGE_NICKNAME)
        wanted = read(OwnMemberChanges, (await read_body(request)).json)
        member = guild.members[application_of(request).bot.id]
        if "nick" in wanted.given:
            member.nick = wanted.nick or None
            self._sim.roles.changed_member(guild, member)
        return answer(shapes.member(member))

    async def edit_member(self, request: web.Request) -> web.Response:
        guild = find_guild(self._world, request)
        member, wanted = self._member(request, guild), read(MemberChanges, (await read_body(request)).json)
        if "nick" in wanted.given:
            self._allowed(request, permissions.MANAGE_NICKNAMES)
            member.nick = wanted.nick or None
        if wanted.roles is not None:
            self._allowed(request, permissions.MANAGE_ROLES)
            roles = [role for role in wanted.roles if role is not None]
            if unknown := [role for role in roles if role not in guild.roles]:
                raise invalid("roles", "ROLE_UNKNOWN", f"Unknown role {unknown[0]}")
            member.roles = roles
        self._sim.roles.changed_member(guild, member)
        return answer(shapes.member(member))

    async def kick(self, request: web.Request) -> web.Response:
        guild = self._allowed(request, permissions.KICK_MEMBERS)
        member = self._member(request, guild)
        if member.user.id == guild.owner_id:
            raise ApiError(Code.MISSING_PERMISSIONS)
        self._sim.places.remove_member(guild, member.user)
        return no_content()

    # --- roles -------------------------------------------------------------------------------------------------

    async def roles(self, request: web.Request) -> web.Response:
        return answer([guild_shapes.role(role) for role in find_guild(self._world, request).roles.values()])

    def _role(self, request: web.Request, guild: Guild) -> Role:
        role = guild.roles.get(id_in(request, "role"))
        if role is None:
            raise ApiError(Code.UNKNOWN_ROLE)
        return role

    async def role(self, request: web.Request) -> web.Response:
        return answer(guild_shapes.role(self._role(request, find_guild(self._world, request))))

    async def add_role(self, request: web.Request) -> web.Response:
        guild = self._allowed(request, permissions.MANAGE_ROLES)
        wanted = read(RoleChanges, (await read_body(request)).json)
        return answer(guild_shapes.role(self._sim.roles.add(guild, wanted.name or "new role", wanted.permissions or 0)))

    async def edit_role(self, request: web.Request) -> web.Response:
        guild = self._allowed(request, permissions.MANAGE_ROLES)
        role, wanted = self._role(request, guild), read(RoleChanges, (await read_body(request)).json)
        self._sim.roles.edit(guild, role, name=wanted.name, permissions=wanted.permissions)
        return answer(guild_shapes.role(role))

    async def delete_role(self, request: web.Request) -> web.Response:
        guild = self._allowed(request, permissions.MANAGE_ROLES)
        role = self._role(request, guild)
        if role.id == guild.id or role.bot_id is not None:
            raise ApiError(Code.MISSING_PERMISSIONS)
        self._sim.roles.delete(guild, role)
        return no_content()

    async def give_role(self, request: web.Request) -> web.Response:
        guild = self._allowed(request, permissions.MANAGE_ROLES)
        self._sim.roles.give(guild, self._member(request, guild), self._role(request, guild).id)
        return no_content()

    async def take_role(self, request: web.Request) -> web.Response:
        guild = self._allowed(request, permissions.MANAGE_ROLES)
        self._sim.roles.take(guild, self._member(request, guild), self._role(request, guild).id)
        return no_content()


def _is_called(member: Member, begun: str) -> bool:
    names = (member.user.username, member.nick or "")
    return any(name.lower().startswith(begun) for name in names)
