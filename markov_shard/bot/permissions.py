"""Who may change what the bot learns, and who may make it talk."""

from collections.abc import Collection

import hikari

from markov_shard.settings import Settings

MODERATOR = (
    hikari.Permissions.ADMINISTRATOR
    | hikari.Permissions.MANAGE_CHANNELS
    | hikari.Permissions.KICK_MEMBERS
    | hikari.Permissions.MOVE_MEMBERS
)
"""Any one of these makes a member a moderator, as users of this kind of bot know it."""


class Permissions:
    """The rules, with the owners and roles of the settings."""

    def __init__(self, settings: Settings) -> None:
        self._owners = settings.owner_ids
        self._generating_roles = settings.user_role_ids

    def may_manage(self, user_id: int, permissions: hikari.Permissions) -> bool:
        """Moderators of the guild and the bot's owners."""
        return user_id in self._owners or bool(permissions & MODERATOR)

    def may_generate(self, user_id: int, permissions: hikari.Permissions, role_ids: Collection[int]) -> bool:
        """Everyone or, where roles are configured, members with one of them, moderators and owners."""
        if not self._generating_roles or not self._generating_roles.isdisjoint(role_ids):
            return True
        return self.may_manage(user_id, permissions)
