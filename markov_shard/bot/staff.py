"""Which roles make a guild's moderators: for messages, whose members come without permissions."""

from collections.abc import Iterable, Mapping
from typing import Any

import hikari

from markov_shard.bot.permissions import MODERATOR


class Staff:
    """A guild's owner and moderating roles; unknown after a resume, until it was asked for."""

    def __init__(self) -> None:
        self.known = False
        self._owner_id = 0
        self._roles: set[int] = set()

    def note_guild(self, payload: Mapping[str, Any]) -> None:
        """Takes in a guild object of Discord's API."""
        self._owner_id = int(payload.get("owner_id") or 0)
        if "roles" in payload:
            self._roles.clear()
            for role in payload["roles"]:
                self.note_role(role)
            self.known = True

    def note(self, owner_id: int, roles: Iterable[tuple[int, hikari.Permissions]]) -> None:
        """Takes in what was asked for."""
        self._owner_id = owner_id
        self._roles = {role_id for role_id, granted in roles if granted & MODERATOR}
        self.known = True

    def note_role(self, payload: Mapping[str, Any]) -> None:
        """Takes in a role object."""
        moderates = hikari.Permissions(int(payload["permissions"])) & MODERATOR
        (self._roles.add if moderates else self._roles.discard)(int(payload["id"]))

    def drop_role(self, role_id: int) -> None:
        """Follows a role's deletion."""
        self._roles.discard(role_id)

    def includes(self, guild_id: int, user_id: int, role_ids: Iterable[int]) -> bool:
        """Whether the member moderates: by owning the guild, or by a role, the one that everybody has included."""
        return user_id == self._owner_id or guild_id in self._roles or not self._roles.isdisjoint(role_ids)
