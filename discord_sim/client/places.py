"""Guilds, channels, threads, members, roles and bots."""

from __future__ import annotations

from collections.abc import Sequence

from discord_sim.client.core import Connected, as_object
from discord_sim.state import MEMBER_OVERWRITE, ROLE_OVERWRITE, Json

PUBLIC_THREAD, PRIVATE_THREAD = 11, 12


class PlaceCalls(Connected):
    async def state(self, *, user: str | None = None) -> Json:
        """The bot and the guilds; with `user`, those of that member and the channels they see."""
        return as_object(await self.call("GET", "state" + (f"?user={user}" if user else "")))

    async def create_guild(
        self,
        name: str,
        *,
        guild_id: int | None = None,
        channels: Sequence[Json] = (),
        members: Sequence[Json] = (),
    ) -> Json:
        """A guild with these channels (`name`, `nsfw`, …) and members (`username`, `admin`, `bot`), and the bot."""
        body: Json = {"name": name, "channels": list(channels), "members": list(members)}
        if guild_id is not None:
            body["id"] = str(guild_id)
        return as_object(await self.call("POST", "guilds", body))

    async def create_stubs(self, count: int, *, biggest: int = 100_000) -> Json:
        """`count` guilds of Zipf-like sizes that take no memory until they are used."""
        return as_object(await self.call("POST", "guilds/stubs", {"count": count, "biggest": biggest}))

    async def guild(self, guild_id: str) -> Json:
        return as_object(await self.call("GET", f"guilds/{guild_id}"))

    async def delete_guild(self, guild_id: str) -> None:
        await self.call("DELETE", f"guilds/{guild_id}")

    async def outage(self, guild_id: str, *, unavailable: bool = True) -> None:
        """Begins or ends an outage of the guild."""
        await self.call("POST", f"guilds/{guild_id}/outage", {"unavailable": unavailable})

    async def create_channel(self, guild_id: str, name: str, **options: object) -> Json:
        """Options: `nsfw`, `type`, `parent_id`, `topic`, `permission_overwrites`, `archived`, `owner_id`, `id`."""
        return as_object(await self.call("POST", f"guilds/{guild_id}/channels", {"name": name, **options}))

    async def create_thread(
        self, guild_id: str, parent_id: str, name: str, *, private: bool = False, archived: bool = False
    ) -> Json:
        kind = PRIVATE_THREAD if private else PUBLIC_THREAD
        return await self.create_channel(guild_id, name, type=kind, parent_id=parent_id, archived=archived)

    async def edit_channel(self, channel_id: str, **changes: object) -> Json:
        """Changes: `name`, `topic`, `nsfw`, `slowmode`, `position`, `parent_id`; of threads `archived`, `locked`."""
        return as_object(await self.call("PATCH", f"channels/{channel_id}", changes))

    async def delete_channel(self, channel_id: str) -> None:
        await self.call("DELETE", f"channels/{channel_id}")

    async def overwrite(
        self, channel_id: str, target_id: str, *, allow: int = 0, deny: int = 0, member: bool = False
    ) -> None:
        """Sets what a role, or with `member` a member, may and may not do in a channel."""
        kind = MEMBER_OVERWRITE if member else ROLE_OVERWRITE
        body = {"type": kind, "allow": str(allow), "deny": str(deny)}
        await self.call("PUT", f"channels/{channel_id}/permissions/{target_id}", body)

    async def delete_overwrite(self, channel_id: str, target_id: str) -> None:
        await self.call("DELETE", f"channels/{channel_id}/permissions/{target_id}")

    async def permissions(self, channel_id: str, user: str) -> int:
        """What the user may do in the channel, as bits."""
        return int((await self.call("GET", f"channels/{channel_id}/permissions/{user}"))["permissions"])

    async def add_member(self, guild_id: str, username: str, *, admin: bool = False, bot: bool = False) -> Json:
        body = {"username": username, "admin": admin, "bot": bot}
        return as_object(await self.call("POST", f"guilds/{guild_id}/members", body))

    async def remove_member(self, guild_id: str, user: str) -> None:
        """The member leaves; the bot's ID: the bot is removed from the guild."""
        await self.call("DELETE", f"guilds/{guild_id}/members/{user}")

    async def invite_bot(self, guild_id: str, bot_id: str) -> None:
        """The bot joins again after it was removed."""
        await self.call("POST", f"guilds/{guild_id}/members", {"username": "bot", "id": bot_id})

    async def create_role(self, guild_id: str, name: str, permissions: int = 0) -> Json:
        return as_object(
            await self.call("POST", f"guilds/{guild_id}/roles", {"name": name, "permissions": permissions})
        )

    async def edit_role(self, guild_id: str, role_id: str, **changes: object) -> Json:
        """Changes: `name`, `permissions`."""
        return as_object(await self.call("PATCH", f"guilds/{guild_id}/roles/{role_id}", changes))

    async def delete_role(self, guild_id: str, role_id: str) -> None:
        await self.call("DELETE", f"guilds/{guild_id}/roles/{role_id}")

    async def give_role(self, guild_id: str, user: str, role_id: str) -> None:
        await self.call("PUT", f"guilds/{guild_id}/members/{user}/roles/{role_id}")

    async def take_role(self, guild_id: str, user: str, role_id: str) -> None:
        await self.call("DELETE", f"guilds/{guild_id}/members/{user}/roles/{role_id}")

    async def create_user(self, username: str, *, bot: bool = False) -> Json:
        """A user of no guild."""
        return as_object(await self.call("POST", "users", {"username": username, "bot": bot}))

    async def direct_channel(self, user: str) -> Json:
        """The channel of direct messages between a user and the bot."""
        return as_object(await self.call("POST", "dms", {"user": user}))

    async def create_application(self, name: str, **options: object) -> Json:
        """One more bot, in guilds made from now on; options `id`, `token`, `privileged_intents`."""
        return as_object(await self.call("POST", "applications", {"name": name, **options}))

    async def edit_application(self, application_id: str, **changes: object) -> Json:
        """Changes: `token`, `privileged_intents`, `sessions_remaining` (of today), `shards`, `shard_multiple`."""
        return as_object(await self.call("PATCH", f"applications/{application_id}", changes))
