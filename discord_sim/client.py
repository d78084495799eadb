"""A client of the control API, for tests and load generators."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import aiohttp

from discord_sim.state import Json

_POLL_SECONDS = 0.02
_BATCH = 1000


class ControlError(Exception):
    """The stand-in refused a request; says why."""


class SimClient:
    """`async with SimClient(url) as sim`. Every method raises ControlError when the stand-in refuses."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> SimClient:
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        assert self._session is not None
        await self._session.close()

    async def call(self, method: str, path: str, body: object = None, files: Sequence[tuple[str, bytes]] = ()) -> Any:
        """One request; its JSON answer, None for an empty one."""
        assert self._session is not None
        options: dict[str, Any] = {} if body is None else {"json": body}
        if files:
            form = aiohttp.FormData()
            form.add_field("payload_json", json.dumps(body), content_type="application/json")
            for index, (name, data) in enumerate(files):
                form.add_field(f"files[{index}]", data, filename=name)
            options = {"data": form}
        async with self._session.request(method, f"{self.base_url}/sim/{path}", **options) as response:
            if response.status == 204:
                return None
            document = await response.json(content_type=None)
            if response.status >= 400:
                raise ControlError(f"{method} {path}: {document.get('message')}")
            return document

    async def state(self) -> Json:
        return _object(await self.call("GET", "state"))

    async def create_guild(
        self,
        name: str,
        *,
        guild_id: int | None = None,
        channels: Sequence[Json] = (),
        members: Sequence[Json] = (),
    ) -> Json:
        body: Json = {"name": name, "channels": list(channels), "members": list(members)}
        if guild_id is not None:
            body["id"] = str(guild_id)
        return _object(await self.call("POST", "guilds", body))

    async def create_channel(self, guild_id: str, name: str, **options: object) -> Json:
        return _object(await self.call("POST", f"guilds/{guild_id}/channels", {"name": name, **options}))

    async def delete_channel(self, channel_id: str) -> None:
        await self.call("DELETE", f"channels/{channel_id}")

    async def commands(self, guild_id: str) -> list[Json]:
        return list(await self.call("GET", f"guilds/{guild_id}/commands"))

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
        return _object(await self.call("POST", f"channels/{channel_id}/messages", body, files))

    async def send_messages(self, channel_id: str, messages: Sequence[Json], *, dispatch: bool = True) -> list[Json]:
        """Many messages in their order; without `dispatch` they are history that nobody is told of."""
        sent: list[Json] = []
        for start in range(0, len(messages), _BATCH):
            body = {"messages": list(messages[start : start + _BATCH]), "dispatch": dispatch}
            sent += (await self.call("POST", f"channels/{channel_id}/messages/batch", body))["messages"]
        return sent

    async def edit_message(self, channel_id: str, message_id: str, content: str) -> Json:
        return _object(await self.call("PATCH", f"channels/{channel_id}/messages/{message_id}", {"content": content}))

    async def delete_message(self, channel_id: str, message_id: str) -> None:
        await self.call("DELETE", f"channels/{channel_id}/messages/{message_id}")

    async def bulk_delete(self, channel_id: str, message_ids: Sequence[str]) -> None:
        await self.call("POST", f"channels/{channel_id}/messages/bulk-delete", {"ids": list(message_ids)})

    async def messages(self, channel_id: str, *, limit: int = 50, before: str | None = None) -> list[Json]:
        """A page of a channel, newest first."""
        query = f"?limit={limit}" + (f"&before={before}" if before else "")
        return list(await self.call("GET", f"channels/{channel_id}/messages{query}"))

    async def wait_for_message(self, channel_id: str, wanted: Callable[[Json], bool], *, seconds: float = 20.0) -> Json:
        """The newest message that is wanted, once there is one. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while True:
                for message in await self.messages(channel_id, limit=100):
                    if wanted(message):
                        return message
                await asyncio.sleep(_POLL_SECONDS)

    async def start_command(
        self,
        channel_id: str,
        user: str,
        command: str,
        options: Json | None = None,
        *,
        files: Sequence[tuple[str, bytes]] = (),
    ) -> str:
        """Uses a slash command; returns the interaction's ID at once."""
        body = {"user": user, "command": command, "options": options or {}}
        return str((await self.call("POST", f"channels/{channel_id}/interactions", body, files))["id"])

    async def interaction(self, interaction_id: str) -> Json:
        return _object(await self.call("GET", f"interactions/{interaction_id}"))

    async def run_command(
        self,
        channel_id: str,
        user: str,
        command: str,
        options: Json | None = None,
        *,
        files: Sequence[tuple[str, bytes]] = (),
        seconds: float = 20.0,
    ) -> Json:
        """Uses a slash command and waits for its answer. Raises ControlError when there is none, TimeoutError."""
        interaction_id = await self.start_command(channel_id, user, command, options, files=files)
        async with asyncio.timeout(seconds):
            while (found := await self.interaction(interaction_id))["state"] in ("pending", "deferred"):  # noqa: ASYNC110
                await asyncio.sleep(_POLL_SECONDS)
        if found["state"] == "failed":
            raise ControlError(f"/{command}: the bot did not answer within 3 s")
        return found

    async def use_component(
        self, message_id: str, user: str, custom_id: str, values: Sequence[str] | None = None
    ) -> str:
        body = {"user": user, "custom_id": custom_id, "values": None if values is None else list(values)}
        return str((await self.call("POST", f"messages/{message_id}/components", body))["id"])

    async def sessions(self) -> list[Json]:
        return list(await self.call("GET", "sessions"))

    async def faults(self, **wanted: object) -> Json:
        return _object(await self.call("POST", "faults", wanted))

    async def log(self, kind: str = "", *, since: int = 0) -> list[Json]:
        return list(await self.call("GET", f"log?since={since}" + (f"&kind={kind}" if kind else "")))

    async def wait_for_dispatches(self, name: str, count: int, *, seconds: float = 20.0) -> None:
        """Waits until the gateway has sent `count` events of that name in all. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while sum(entry["t"] == name for entry in await self.log("dispatch")) < count:  # noqa: ASYNC110
                await asyncio.sleep(_POLL_SECONDS)


def _object(document: Any) -> Json:
    assert isinstance(document, dict)
    return document
