"""Users, members, attachments and messages as Discord's JSON."""

from __future__ import annotations

from typing import Protocol

from discord_sim.ids import iso_at
from discord_sim.state import Attachment, Channel, Guild, Json, Member, Message, User, World


class UrlSigner(Protocol):
    """Makes the public address of an attachment."""

    def url(self, attachment: Attachment) -> str: ...


def user(of: User) -> Json:
    return {
        "id": str(of.id),
        "username": of.username,
        "discriminator": "0",
        "global_name": None if of.bot else of.username,
        "avatar": None,
        "avatar_decoration_data": None,
        "banner": None,
        "accent_color": None,
        "bot": of.bot,
        "system": False,
        "public_flags": 0,
        "flags": 0,
        "primary_guild": None,
        "collectibles": None,
        "clan": None,
        "display_name_styles": None,
    }


def own_user(of: User) -> Json:
    return {**user(of), "mfa_enabled": True, "verified": True, "email": None, "locale": "en-US"}


def partial_member(of: Member) -> Json:
    """A member without its user, as in message events."""
    return {
        "roles": [str(role) for role in of.roles],
        "nick": of.nick,
        "avatar": None,
        "banner": None,
        "joined_at": of.joined_at,
        "premium_since": None,
        "communication_disabled_until": None,
        "pending": False,
        "deaf": False,
        "mute": False,
        "flags": 0,
    }


def member(of: Member) -> Json:
    return {**partial_member(of), "user": user(of.user)}


def attachment(of: Attachment, signer: UrlSigner) -> Json:
    url = signer.url(of)
    shape: Json = {
        "id": str(of.id),
        "filename": of.filename,
        "size": of.size,
        "url": url,
        "proxy_url": url,
        "content_type": of.content_type,
    }
    if of.description is not None:
        shape["description"] = of.description
    if of.width is not None:
        shape |= {"width": of.width, "height": of.height}
    if of.ephemeral:
        shape["ephemeral"] = True
    return shape


class MessageShapes:
    """Messages as REST answers and as gateway events."""

    def __init__(self, world: World, signer: UrlSigner) -> None:
        self._world = world
        self._signer = signer

    def message(self, of: Message, *, referenced: bool = True) -> Json:
        """The REST shape. `referenced` includes the message replied to, which itself includes no further one."""
        shape: Json = {
            "id": str(of.id),
            "type": of.type,
            "channel_id": str(of.channel_id),
            "author": user(of.author),
            "content": of.content,
            "timestamp": iso_at(of.id),
            "edited_timestamp": of.edited_at,
            "tts": of.tts,
            "mention_everyone": of.mention_everyone,
            "mentions": [user(mentioned) for mentioned in of.mentions],
            "mention_roles": [str(role) for role in of.mention_roles],
            "attachments": [attachment(file, self._signer) for file in of.attachments],
            "embeds": of.embeds,
            "components": of.components,
            "pinned": of.pinned,
            "flags": of.flags,
        }
        if of.nonce is not None:
            shape["nonce"] = of.nonce
        if of.reactions:
            shape["reactions"] = [self._reaction(emoji, users) for emoji, users in of.reactions.items()]
        if of.webhook_id is not None:
            shape["webhook_id"] = str(of.webhook_id)
        if of.application_id is not None:
            shape["application_id"] = str(of.application_id)
        if of.interaction is not None:
            shape["interaction_metadata"] = of.interaction
        if of.reference is not None:
            shape |= self._reference(of, of.reference, referenced=referenced)
        return shape

    def event(self, of: Message, channel: Channel, guild: Guild | None) -> Json:
        """The gateway's shape: the REST shape with the guild, the author's member and those of the mentioned."""
        shape = self.message(of)
        shape["channel_type"] = channel.type
        if guild is None:
            return shape
        shape["guild_id"] = str(guild.id)
        if author := guild.members.get(of.author.id):
            shape["member"] = partial_member(author)
        for mentioned in shape["mentions"]:
            if found := guild.members.get(int(mentioned["id"])):
                mentioned["member"] = partial_member(found)
        return shape

    def _reference(self, of: Message, message_id: int, *, referenced: bool) -> Json:
        channel = self._world.channels[of.channel_id]
        reference: Json = {"type": 0, "channel_id": str(of.channel_id), "message_id": str(message_id)}
        if channel.guild_id is not None:
            reference["guild_id"] = str(channel.guild_id)
        if not referenced:
            return {"message_reference": reference}
        target = channel.messages.get(message_id) or self._world.hidden.get(message_id)
        shown = None if target is None else self.message(target, referenced=False)
        return {"message_reference": reference, "referenced_message": shown}

    def _reaction(self, emoji: str, users: list[int]) -> Json:
        own = any(app.bot.id in users for app in self._world.applications.values())
        return {
            "emoji": emoji_shape(emoji),
            "count": len(users),
            "count_details": {"burst": 0, "normal": len(users)},
            "burst_colors": [],
            "me_burst": False,
            "burst_me": False,
            "burst_count": 0,
            "me": own,
        }


def emoji_shape(emoji: str) -> Json:
    """`name:id` of a custom emoji, or the character itself."""
    name, _, emoji_id = emoji.partition(":")
    return {"id": emoji_id or None, "name": name, "animated": False} if emoji_id else {"id": None, "name": emoji}
