"""Discord's objects as `bare_discord` sends them: whole enough for hikari and for us, and no more."""

import base64
from datetime import UTC, datetime


def token_of(bot_id: int) -> str:
    """A token of the shape that libraries insist on."""
    return base64.b64encode(str(bot_id).encode()).decode().rstrip("=") + ".bench." + "x" * 27


def bot_of(token: str) -> str:
    """The bot's ID in such a token."""
    part = token.partition(".")[0]
    return base64.b64decode(part + "=" * (-len(part) % 4)).decode()


def channel_of(guild_id: int) -> int:
    """The ID of a guild's one channel."""
    return guild_id + 1


def user_of(user_id: str, name: str, *, bot: bool = False) -> dict[str, object]:
    """A user object."""
    nothing = dict.fromkeys(("avatar", "avatar_decoration_data", "banner", "accent_color", "global_name"))
    return {"id": user_id, "username": name, "discriminator": "0", "bot": bot, "public_flags": 0, "flags": 0, **nothing}


def member_of() -> dict[str, object]:
    """A member object without its user, as in message events."""
    joined = "2020-01-01T00:00:00.000000+00:00"
    return {"roles": [], "nick": None, "avatar": None, "joined_at": joined, "deaf": False, "mute": False, "flags": 0}


def guild_of(guild_id: int) -> dict[str, object]:
    """A GUILD_CREATE: one text channel, no members."""
    channel = {
        "id": str(channel_of(guild_id)),
        "type": 0,
        "name": "general",
        "position": 0,
        "permission_overwrites": [],
        "nsfw": False,
        "rate_limit_per_user": 0,
        "parent_id": None,
        "topic": None,
        "last_message_id": None,
        "flags": 0,
    }
    role = {
        "id": str(guild_id),
        "name": "@everyone",
        "permissions": str((1 << 40) - 1),
        "position": 0,
        "color": 0,
        "hoist": False,
        "managed": False,
        "mentionable": False,
        "flags": 0,
    }
    empty: list[object] = []
    lists = ("emojis", "features", "members", "threads", "presences", "voice_states", "stickers", "stage_instances")
    nothing = (
        *("icon", "description", "splash", "discovery_splash", "banner", "application_id", "afk_channel_id"),
        *("system_channel_id", "rules_channel_id", "public_updates_channel_id", "vanity_url_code", "max_presences"),
        *("safety_alerts_channel_id", "incidents_data"),
    )
    return {
        "id": str(guild_id),
        "name": "bench",
        "owner_id": "5",
        "afk_timeout": 300,
        "verification_level": 0,
        "default_message_notifications": 0,
        "explicit_content_filter": 0,
        "mfa_level": 0,
        "system_channel_flags": 0,
        "premium_tier": 0,
        "preferred_locale": "en-US",
        "nsfw_level": 0,
        "premium_progress_bar_enabled": False,
        "joined_at": "2020-01-01T00:00:00.000000+00:00",
        "large": False,
        "unavailable": False,
        "member_count": 3,
        "max_members": 25_000_000,
        "max_video_channel_users": 25,
        "guild_scheduled_events": empty,
        "roles": [role],
        "channels": [channel],
        **dict.fromkeys(lists, empty),
        **dict.fromkeys(nothing),
    }


def message_of(
    message_id: str, channel_id: str, guild_id: str | None, author: dict[str, object], content: str, **more: object
) -> dict[str, object]:
    """A message object; with a guild, as MESSAGE_CREATE has it."""
    empty: list[object] = []
    placed = {"guild_id": guild_id, "member": member_of()} if guild_id else {}
    return {
        "id": message_id,
        "type": 0,
        "channel_id": channel_id,
        "author": author,
        "content": content,
        "timestamp": datetime.now(UTC).isoformat(),
        "edited_timestamp": None,
        "tts": False,
        "mention_everyone": False,
        "pinned": False,
        "flags": 0,
        **dict.fromkeys(("mentions", "mention_roles", "attachments", "embeds", "components"), empty),
        **placed,
        **more,
    }


def command_of(interaction_id: str, bot_id: int, guild_id: int, name: str) -> dict[str, object]:
    """An INTERACTION_CREATE: a member uses a slash command without options."""
    channel = {"id": str(channel_of(guild_id)), "type": 0, "name": "general", "guild_id": str(guild_id)}
    return {
        "id": interaction_id,
        "application_id": str(bot_id),
        "type": 2,
        "token": "t" * 64 + interaction_id,
        "version": 1,
        "guild_id": str(guild_id),
        "guild": {"id": str(guild_id), "locale": "en-US", "features": []},
        "guild_locale": "en-US",
        "locale": "en-US",
        "channel_id": channel["id"],
        "channel": channel | {"permissions": str((1 << 40) - 1), "parent_id": None, "nsfw": False, "flags": 0},
        "member": member_of() | {"user": user_of("5", "ann"), "permissions": str((1 << 40) - 1), "pending": False},
        "app_permissions": str((1 << 40) - 1),
        "entitlements": [],
        "authorizing_integration_owners": {"0": str(guild_id)},
        "context": 0,
        "attachment_size_limit": 10 << 20,
        "data": {"id": "77", "name": name, "type": 1, "options": []},
    }
