"""Guilds, channels, roles and applications as Discord's JSON."""

from __future__ import annotations

from discord_sim import shapes
from discord_sim.ids import iso_at
from discord_sim.permissions import PRIVATE_THREAD
from discord_sim.state import CATEGORY, DM, VOICE, Application, Channel, Guild, Json, Role


def role(of: Role) -> Json:
    shape: Json = {
        "id": str(of.id),
        "name": of.name,
        "description": None,
        "permissions": str(of.permissions),
        "position": of.position,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "managed": of.bot_id is not None,
        "mentionable": False,
        "icon": None,
        "unicode_emoji": None,
        "flags": 0,
    }
    if of.bot_id is not None:
        shape["tags"] = {"bot_id": str(of.bot_id)}
    return shape


def channel(of: Channel, *, with_guild: bool = True, viewer: int | None = None) -> Json:
    """A channel, thread or (as `viewer` sees it, without themselves) direct message channel."""
    if of.type == DM:
        others = [shapes.user(user) for user in of.recipients if user.id != viewer]
        return {"id": str(of.id), "type": DM, "flags": 0, "last_message_id": _last(of), "recipients": others}
    shape: Json = {"id": str(of.id), "type": of.type, "name": of.name, "flags": 0}
    if with_guild:
        shape["guild_id"] = str(of.guild_id)
    shape["parent_id"] = None if of.parent_id is None else str(of.parent_id)
    if of.is_thread:
        return shape | _thread(of)
    shape |= {
        "position": of.position,
        "permission_overwrites": [
            {"id": str(item.id), "type": item.type, "allow": str(item.allow), "deny": str(item.deny)}
            for item in of.overwrites.values()
        ],
    }
    if of.type == CATEGORY:
        return shape
    shape |= {"nsfw": of.nsfw, "rate_limit_per_user": of.slowmode, "last_message_id": _last(of)}
    if of.type == VOICE:
        return shape | {"bitrate": 64000, "user_limit": 0, "rtc_region": None}
    return shape | {"topic": of.topic, "last_pin_timestamp": None}


def _last(of: Channel) -> str | None:
    last = of.messages.last_id
    return None if last is None else str(last)


def _thread(of: Channel) -> Json:
    return {
        "owner_id": str(of.owner_id),
        "last_message_id": _last(of),
        "last_pin_timestamp": None,
        "rate_limit_per_user": of.slowmode,
        "message_count": len(of.messages),
        "member_count": len(of.thread_members),
        "total_message_sent": len(of.messages),
        "thread_metadata": {
            "archived": of.archived,
            "archive_timestamp": of.archived_at or iso_at(of.id),
            "auto_archive_duration": 4320,
            "locked": of.locked,
            "create_timestamp": iso_at(of.id),
        }
        | ({"invitable": True} if of.type == PRIVATE_THREAD else {}),
    }


def thread_member(of: Channel, user_id: int) -> Json:
    return {"id": str(of.id), "user_id": str(user_id), "join_timestamp": of.thread_members[user_id], "flags": 0}


def guild(of: Guild) -> Json:
    """What REST answers for a guild: no channels, no members."""
    return {
        "id": str(of.id),
        "name": of.name,
        "icon": None,
        "description": None,
        "home_header": None,
        "splash": None,
        "discovery_splash": None,
        "features": [],
        "banner": None,
        "owner_id": str(of.owner_id),
        "application_id": None,
        "region": "deprecated",
        "afk_channel_id": None,
        "afk_timeout": 300,
        "system_channel_id": None,
        "system_channel_flags": 0,
        "widget_enabled": False,
        "widget_channel_id": None,
        "verification_level": 1,
        "roles": [role(item) for item in of.roles.values()],
        "default_message_notifications": 1,
        "mfa_level": 0,
        "explicit_content_filter": 0,
        "max_presences": None,
        "max_members": 25000000,
        "max_stage_video_channel_users": 50,
        "max_video_channel_users": 25,
        "vanity_url_code": None,
        "premium_tier": 0,
        "premium_subscription_count": 0,
        "preferred_locale": "en-US",
        "rules_channel_id": None,
        "safety_alerts_channel_id": None,
        "public_updates_channel_id": None,
        "premium_progress_bar_enabled": False,
        "nsfw": False,
        "nsfw_level": 0,
        "emojis": [],
        "stickers": [],
        "incidents_data": None,
    }


def guild_create(of: Guild, viewer: int, *, every_member: bool, joined: bool = False) -> Json:
    """GUILD_CREATE for the bot `viewer`; other members are included only with the presence intent.

    Clients tell a guild that was just `joined` from one that has become available by the field `unavailable`.
    """
    members = of.members.values() if every_member else [of.members[viewer]]
    available: Json = {} if joined else {"unavailable": False}
    return (
        guild(of)
        | available
        | {
            "joined_at": of.joined_at,
            "large": of.member_count > 250,
            "member_count": of.member_count,
            "voice_states": [],
            "members": [shapes.member(item) for item in members],
            "channels": [channel(item, with_guild=False) for item in of.channels.values() if not item.is_thread],
            "threads": [channel(item) for item in of.channels.values() if item.is_thread and not item.archived],
            "presences": [],
            "stage_instances": [],
            "guild_scheduled_events": [],
            "soundboard_sounds": [],
        }
    )


_LIMITED_INTENT_FLAGS = {1 << 8: 1 << 13, 1 << 1: 1 << 15, 1 << 15: 1 << 19}


def application_flags(of: Application) -> int:
    """The privileged intents switched on, as flags of an application that is not verified."""
    return sum(flag for intent, flag in _LIMITED_INTENT_FLAGS.items() if of.privileged_intents & intent)


def application(of: Application, guild_count: int) -> Json:
    return {
        "id": str(of.id),
        "name": of.name,
        "icon": None,
        "description": "",
        "summary": "",
        "type": None,
        "bot": shapes.user(of.bot),
        "bot_public": True,
        "bot_require_code_grant": False,
        "verify_key": "00" * 32,
        "flags": application_flags(of),
        "flags_new": str(application_flags(of)),
        "redirect_uris": [],
        "interactions_endpoint_url": None,
        "role_connections_verification_url": None,
        "owner": shapes.user(of.owner),
        "approximate_guild_count": guild_count,
        "approximate_user_install_count": 0,
        "approximate_user_authorization_count": 0,
        "explicit_content_filter": 0,
        "team": None,
        "eligible_oauth2_scopes": [],
        "integration_types_config": {"0": {}},
    }
