"""The control API's routes for applications, guilds, channels, members, roles and direct messages."""

from __future__ import annotations

from aiohttp import web

from discord_sim import guild_shapes
from discord_sim.control.base import ControlPart, new_channel, new_member, new_overwrite
from discord_sim.control.shapes import channel_shape, guild_shape, member_shape
from discord_sim.ids import parse_snowflake
from discord_sim.permissions import VIEW_CHANNEL
from discord_sim.rest.app import answer, no_content
from discord_sim.rest.bodies import read_body
from discord_sim.rest.errors import ApiError, Code
from discord_sim.state import Guild, Role

_GUILD = "/sim/guilds/{guild}"
_CHANNEL = "/sim/channels/{channel}"
_EDITABLE = {"name": str, "topic": str, "nsfw": bool, "locked": bool, "slowmode": int, "position": int}


class PlaceRoutes(ControlPart):
    def routes(self) -> list[web.RouteDef]:
        member, role, overwrite = _GUILD + "/members/{user}", _GUILD + "/roles/{role}", _CHANNEL + "/permissions/{id}"
        return [
            web.get("/sim/state", self.state),
            web.post("/sim/applications", self.add_application),
            web.patch("/sim/applications/{application}", self.edit_application),
            web.post("/sim/users", self.add_user),
            web.post("/sim/dms", self.direct_channel),
            web.post("/sim/guilds", self.add_guild),
            web.post("/sim/guilds/stubs", self.add_stubs),
            web.get(_GUILD, self.guild),
            web.patch(_GUILD, self.edit_guild),
            web.delete(_GUILD, self.delete_guild),
            web.post(_GUILD + "/outage", self.outage),
            web.post(_GUILD + "/channels", self.add_channel),
            web.patch(_CHANNEL, self.edit_channel),
            web.delete(_CHANNEL, self.delete_channel),
            web.put(overwrite, self.set_overwrite),
            web.delete(overwrite, self.delete_overwrite),
            web.get(_CHANNEL + "/permissions/{user}", self.permissions),
            web.post(_GUILD + "/members", self.add_member),
            web.patch(member, self.edit_member),
            web.delete(member, self.remove_member),
            web.post(_GUILD + "/roles", self.add_role),
            web.patch(role, self.edit_role),
            web.delete(role, self.delete_role),
            web.put(member + "/roles/{role}", self.give_role),
            web.delete(member + "/roles/{role}", self.take_role),
        ]

    async def state(self, request: web.Request) -> web.Response:
        """The guilds in memory; with `?user=`, those of that member and the channels they see."""
        bot = self._application().bot
        viewer = parse_snowflake(request.query.get("user"))
        guilds = [g for g in self._world.guilds.held() if viewer is None or viewer in g.members]
        shapes = [guild_shape(guild) for guild in guilds]
        if viewer is not None:
            for shape in shapes:
                seen = [c for c in shape["channels"] if self._sees(viewer, int(c["id"]))]
                shape["channels"] = seen
        count = len(self._world.guilds)
        return answer({"bot": {"id": str(bot.id), "username": bot.username}, "guild_count": count, "guilds": shapes})

    def _sees(self, user_id: int, channel_id: int) -> bool:
        return bool(self._world.permissions(user_id, self._world.channels[channel_id]) & VIEW_CHANNEL)

    # --- applications and people -------------------------------------------------------------------------------

    async def add_application(self, request: web.Request) -> web.Response:
        """One more bot. It joins guilds that are made from now on."""
        wanted = (await read_body(request)).object
        made = self._world.add_application(
            wanted["name"], app_id=parse_snowflake(wanted.get("id")), token=wanted.get("token")
        )
        if "privileged_intents" in wanted:
            made.privileged_intents = int(wanted["privileged_intents"])
        return answer({"id": str(made.id), "token": made.token}, 201)

    async def edit_application(self, request: web.Request) -> web.Response:
        """`privileged_intents`, `token`, `sessions_remaining` (of today), `shards` (recommended), `shard_multiple`."""
        wanted = (await read_body(request)).object
        application = self._application(request.match_info["application"])
        if "privileged_intents" in wanted:
            application.privileged_intents = int(wanted["privileged_intents"])
        if "token" in wanted:
            application.token = str(wanted["token"])
        if "sessions_remaining" in wanted:
            self._sim.gateway.budget(application).leave(int(wanted["sessions_remaining"]))
        if "shards" in wanted:
            application.shards = max(1, int(wanted["shards"]))
        if "shard_multiple" in wanted:
            self._world.shard_multiple = max(1, int(wanted["shard_multiple"]))
        return answer({"id": str(application.id), "token": application.token})

    async def add_user(self, request: web.Request) -> web.Response:
        new = new_member((await read_body(request)).object)
        user = self._world.add_user(new.username, user_id=new.id, bot=new.bot)
        return answer({"id": str(user.id), "username": user.username}, 201)

    async def direct_channel(self, request: web.Request) -> web.Response:
        """The channel of direct messages between `user` and the bot."""
        wanted = (await read_body(request)).object
        application = self._application(wanted.get("application"))
        return answer(channel_shape(self._world.dm_with(application, self._user(wanted["user"]))), 201)

    # --- guilds ------------------------------------------------------------------------------------------------

    async def add_guild(self, request: web.Request) -> web.Response:
        wanted = (await read_body(request)).object
        channels = [new_channel(item) for item in wanted.get("channels") or [{"name": "general"}]]
        members = [new_member(item) for item in wanted.get("members") or ()]
        guild = self._sim.places.add_guild(
            wanted["name"], channels, members, guild_id=parse_snowflake(wanted.get("id"))
        )
        return answer(guild_shape(guild), 201)

    async def add_stubs(self, request: web.Request) -> web.Response:
        """`count` guilds of Zipf-like sizes that take no memory until they are used; made before bots connect."""
        wanted = (await read_body(request)).object
        count = int(wanted["count"])
        if not 1 <= count <= 1_000_000:
            raise ValueError(f"`count` is 1 to 1,000,000, not {count}")
        ids = self._world.guilds.add_stubs(count, biggest=int(wanted.get("biggest", 100_000)))
        return answer({"count": count, "first": str(ids[0]), "last": str(ids[-1])}, 201)

    async def guild(self, request: web.Request) -> web.Response:
        return answer(guild_shape(self._guild(request)))

    async def edit_guild(self, request: web.Request) -> web.Response:
        guild = self._guild(request)
        self._sim.places.rename_guild(guild, str((await read_body(request)).object["name"]))
        return answer(guild_shape(guild))

    async def delete_guild(self, request: web.Request) -> web.Response:
        self._sim.places.delete_guild(self._guild(request))
        return no_content()

    async def outage(self, request: web.Request) -> web.Response:
        wanted = (await read_body(request)).object
        self._sim.places.set_unavailable(self._guild(request), unavailable=bool(wanted["unavailable"]))
        return no_content()

    # --- channels ----------------------------------------------------------------------------------------------

    async def add_channel(self, request: web.Request) -> web.Response:
        new = new_channel((await read_body(request)).object)
        return answer(channel_shape(self._sim.places.add_channel(self._guild(request), new)), 201)

    async def edit_channel(self, request: web.Request) -> web.Response:
        """`name`, `topic`, `nsfw`, `slowmode`, `position`, `parent_id`; of threads `archived` and `locked`."""
        channel, wanted = self._channel(request), (await read_body(request)).object
        guild = self._guild_of_channel(request)
        if unknown := wanted.keys() - {*_EDITABLE, "archived", "parent_id"}:
            raise ValueError(f"a channel has no {min(unknown)!r} to edit")
        for name, kind in _EDITABLE.items():
            if name in wanted:
                setattr(channel, name, kind(wanted[name]))
        if "parent_id" in wanted:
            channel.parent_id = parse_snowflake(wanted["parent_id"])
        if "archived" in wanted:
            self._sim.places.archive(guild, channel, archived=bool(wanted["archived"]))
        if wanted.keys() - {"archived"}:
            self._sim.places.changed_channel(guild, channel)
        return answer(channel_shape(channel))

    def _guild_of_channel(self, request: web.Request) -> Guild:
        guild = self._world.guild_of(self._channel(request))
        if guild is None:
            raise ValueError("direct messages have nothing to change")
        return guild

    async def delete_channel(self, request: web.Request) -> web.Response:
        self._sim.places.delete_channel(self._channel(request))
        return no_content()

    async def set_overwrite(self, request: web.Request) -> web.Response:
        """What a role (`type` 0) or a member (`type` 1) may (`allow`) and may not (`deny`) do here."""
        wanted = new_overwrite(request.match_info["id"], (await read_body(request)).object)
        self._sim.roles.overwrite(self._guild_of_channel(request), self._channel(request), wanted)
        return no_content()

    async def delete_overwrite(self, request: web.Request) -> web.Response:
        found = parse_snowflake(request.match_info["id"]) or 0
        self._sim.roles.delete_overwrite(self._guild_of_channel(request), self._channel(request), found)
        return no_content()

    async def permissions(self, request: web.Request) -> web.Response:
        user = self._user(request.match_info["user"])
        return answer({"permissions": str(self._world.permissions(user.id, self._channel(request)))})

    # --- members and roles -------------------------------------------------------------------------------------

    async def add_member(self, request: web.Request) -> web.Response:
        """A member; a bot's application ID as `id` lets the bot join again."""
        guild = self._guild(request)
        member = self._sim.places.add_member(guild, new_member((await read_body(request)).object))
        return answer(member_shape(guild, member), 201)

    async def edit_member(self, request: web.Request) -> web.Response:
        guild = self._guild(request)
        member = self._member(guild, request.match_info["user"])
        member.nick = (await read_body(request)).object["nick"]
        self._sim.roles.changed_member(guild, member)
        return answer(member_shape(guild, member))

    async def remove_member(self, request: web.Request) -> web.Response:
        guild = self._guild(request)
        self._sim.places.remove_member(guild, self._member(guild, request.match_info["user"]).user)
        return no_content()

    def _role(self, request: web.Request, guild: Guild) -> Role:
        role = guild.roles.get(parse_snowflake(request.match_info["role"]) or 0)
        if role is None:
            raise ApiError(Code.UNKNOWN_ROLE)
        return role

    async def add_role(self, request: web.Request) -> web.Response:
        wanted = (await read_body(request)).object
        role_id = parse_snowflake(wanted.get("id"))
        role = self._sim.roles.add(
            self._guild(request), wanted["name"], int(wanted.get("permissions", 0)), role_id=role_id
        )
        return answer(guild_shapes.role(role), 201)

    async def edit_role(self, request: web.Request) -> web.Response:
        guild, wanted = self._guild(request), (await read_body(request)).object
        role, bits = self._role(request, guild), wanted.get("permissions")
        self._sim.roles.edit(guild, role, name=wanted.get("name"), permissions=None if bits is None else int(bits))
        return answer(guild_shapes.role(role))

    async def delete_role(self, request: web.Request) -> web.Response:
        guild = self._guild(request)
        self._sim.roles.delete(guild, self._role(request, guild))
        return no_content()

    async def give_role(self, request: web.Request) -> web.Response:
        guild = self._guild(request)
        role, member = self._role(request, guild), self._member(guild, request.match_info["user"])
        self._sim.roles.give(guild, member, role.id)
        return no_content()

    async def take_role(self, request: web.Request) -> web.Response:
        guild = self._guild(request)
        role, member = self._role(request, guild), self._member(guild, request.match_info["user"])
        self._sim.roles.take(guild, member, role.id)
        return no_content()
