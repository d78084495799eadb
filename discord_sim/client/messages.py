"""What members write, change, delete and see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import quote, urlencode

from discord_sim.client.core import Connected, as_list, as_object, until
from discord_sim.state import Json

_BATCH = 1000


class MessageCalls(Connected):
    async def send_message(
        self,
        channel_id: str,
        author: str,
        content: str,
        *,
        reply_to: str | None = None,
        files: Sequence[tuple[str, bytes]] = (),
    ) -> Json:
        body = {"author": author, "content": content, "reply_to": reply_to}
        return as_object(await self.call("POST", f"channels/{channel_id}/messages", body, files))

    async def send_webhook_message(self, channel_id: str, name: str, content: str) -> Json:
        body = {"webhook": name, "content": content}
        return as_object(await self.call("POST", f"channels/{channel_id}/messages", body))

    async def send_messages(self, channel_id: str, messages: Sequence[Json], *, dispatch: bool = True) -> list[Json]:
        """Many messages in their order; without `dispatch` they are history that nobody is told of.

        Each has `author` and `content`, and may have `reply_to`, and an `id` that says when it was written.
        """
        sent: list[Json] = []
        for start in range(0, len(messages), _BATCH):
            body = {"messages": list(messages[start : start + _BATCH]), "dispatch": dispatch}
            sent += (await self.call("POST", f"channels/{channel_id}/messages/batch", body))["messages"]
        return sent

    async def generate_history(
        self,
        channel_id: str,
        count: int,
        *,
        days: float = 365,
        seed: int = 0,
        authors: Sequence[str] = (),
        lines: Sequence[str] = (),
        file: str | None = None,
    ) -> Json:
        """A history of `count` messages that takes no memory; the same seed makes the same one.

        `lines`, or the chat log `file` as the stand-in sees it, give the texts; else they are made up.
        """
        body: Json = {"count": count, "days": days, "seed": seed, "authors": list(authors), "lines": list(lines)}
        if file is not None:
            body["file"] = file
        return as_object(await self.call("POST", f"channels/{channel_id}/history", body))

    async def edit_message(self, channel_id: str, message_id: str, content: str, *, user: str | None = None) -> Json:
        """With `user`, only where that member may."""
        body = {"content": content} | ({"user": user} if user else {})
        return as_object(await self.call("PATCH", f"channels/{channel_id}/messages/{message_id}", body))

    async def delete_message(self, channel_id: str, message_id: str, *, user: str | None = None) -> None:
        """With `user`, only where that member may."""
        query = f"?user={user}" if user else ""
        await self.call("DELETE", f"channels/{channel_id}/messages/{message_id}{query}")

    async def bulk_delete(self, channel_id: str, message_ids: Sequence[str]) -> None:
        await self.call("POST", f"channels/{channel_id}/messages/bulk-delete", {"ids": list(message_ids)})

    async def add_embeds(
        self, channel_id: str, message_id: str, embeds: Sequence[Json], *, partial: bool = False
    ) -> Json:
        """A link's preview comes: an update that is no edit, with `partial` one that holds the embeds alone."""
        body = {"embeds": list(embeds), "partial": partial}
        return as_object(await self.call("POST", f"channels/{channel_id}/messages/{message_id}/embeds", body))

    async def react(self, channel_id: str, message_id: str, user: str, emoji: str, *, add: bool = True) -> None:
        path = f"channels/{channel_id}/messages/{message_id}/reactions/{quote(emoji)}?user={user}"
        await self.call("PUT" if add else "DELETE", path)

    async def pin(self, channel_id: str, message_id: str, *, pinned: bool = True) -> None:
        await self.call("PUT" if pinned else "DELETE", f"channels/{channel_id}/messages/{message_id}/pin")

    async def type(self, channel_id: str, user: str) -> None:
        """The member begins to type."""
        await self.call("POST", f"channels/{channel_id}/typing", {"user": user})

    async def message(self, channel_id: str, message_id: str) -> Json:
        return as_object(await self.call("GET", f"channels/{channel_id}/messages/{message_id}"))

    async def messages(
        self,
        channel_id: str,
        *,
        limit: int = 50,
        before: str | None = None,
        after: str | None = None,
        around: str | None = None,
        user: str | None = None,
    ) -> list[Json]:
        """A page of a channel, newest first; with `user` as that member sees it, ephemeral messages included."""
        wanted = {"limit": limit, "before": before, "after": after, "around": around, "user": user}
        query = urlencode({name: value for name, value in wanted.items() if value is not None})
        return as_list(await self.call("GET", f"channels/{channel_id}/messages?{query}"))

    async def wait_for_message(
        self, channel_id: str, wanted: Callable[[Json], bool], *, user: str | None = None, seconds: float = 20.0
    ) -> Json:
        """The newest message that is wanted, once there is one. Raises TimeoutError."""

        async def newest() -> Json | None:
            return next((m for m in await self.messages(channel_id, limit=100, user=user) if wanted(m)), None)

        return await until(newest, seconds)
