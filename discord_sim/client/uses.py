"""Commands, buttons, menus and modals, as a member uses them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from discord_sim.client.core import Connected, ControlError, as_list, as_object, until
from discord_sim.state import Json


class UseCalls(Connected):
    async def commands(self, guild_id: str) -> list[Json]:
        """What members are offered there."""
        return as_list(await self.call("GET", f"guilds/{guild_id}/commands"))

    async def wait_for_command(self, guild_id: str, name: str, *, seconds: float = 20.0) -> Json:
        """The command of that name, once the bot has registered it."""

        async def registered() -> Json | None:
            return next((found for found in await self.commands(guild_id) if found["name"] == name), None)

        return await until(registered, seconds)

    async def start_command(
        self,
        channel_id: str,
        user: str,
        command: str,
        options: Mapping[str, object] | None = None,
        *,
        files: Sequence[tuple[str, bytes]] = (),
    ) -> str:
        """Uses a slash command by its full name, such as `listen add`; returns the interaction's ID at once.

        An option that is a file is the file's place in `files`; one that is a user, channel or role is an ID.
        """
        body = {"user": user, "command": command, "options": dict(options or {})}
        return str((await self.call("POST", f"channels/{channel_id}/interactions", body, files))["id"])

    async def run_command(
        self,
        channel_id: str,
        user: str,
        command: str,
        options: Mapping[str, object] | None = None,
        *,
        files: Sequence[tuple[str, bytes]] = (),
        seconds: float = 20.0,
    ) -> Json:
        """Uses a slash command and waits for its answer, after a deferral for the real one.

        The answer has `response` (a message), `followups`, `ephemeral`, `modal`. Raises ControlError when there is
        none within three seconds.
        """
        return await self.answer(await self.start_command(channel_id, user, command, options, files=files), seconds)

    async def run_on_target(
        self, channel_id: str, user: str, command: str, target_id: str, *, seconds: float = 20.0
    ) -> Json:
        """Uses a command of a user's or a message's context menu."""
        body = {"user": user, "command": command, "target": target_id}
        begun = await self.call("POST", f"channels/{channel_id}/interactions", body)
        return await self.answer(str(begun["id"]), seconds)

    async def suggestions(
        self,
        channel_id: str,
        user: str,
        command: str,
        focused: str,
        options: Mapping[str, object] | None = None,
        *,
        seconds: float = 20.0,
    ) -> list[Json]:
        """What the bot suggests for the option `focused`, of which `options` has the beginning."""
        body = {"user": user, "command": command, "focused": focused, "options": dict(options or {})}
        begun = await self.call("POST", f"channels/{channel_id}/autocomplete", body)
        found = await self.answer(str(begun["id"]), seconds)
        return as_list((found["result"] or {}).get("choices") or [])

    async def use_component(
        self, message_id: str, user: str, custom_id: str, values: Sequence[str] | None = None
    ) -> str:
        """Presses a button, or chooses in a select menu; returns the interaction's ID at once."""
        body = {"user": user, "custom_id": custom_id, "values": None if values is None else list(values)}
        return str((await self.call("POST", f"messages/{message_id}/components", body))["id"])

    async def press(self, message_id: str, user: str, custom_id: str, *, seconds: float = 20.0) -> Json:
        """Presses a button and waits for what becomes of it."""
        return await self.answer(await self.use_component(message_id, user, custom_id), seconds)

    async def choose(
        self, message_id: str, user: str, custom_id: str, values: Sequence[str], *, seconds: float = 20.0
    ) -> Json:
        """Chooses in a select menu and waits for what becomes of it."""
        return await self.answer(await self.use_component(message_id, user, custom_id, values), seconds)

    async def submit_modal(
        self, interaction_id: str, user: str, values: Mapping[str, object], *, seconds: float = 20.0
    ) -> Json:
        """Sends the modal that an interaction was answered with, `values` by custom ID, and waits for the answer."""
        body = {"user": user, "values": dict(values)}
        begun = await self.call("POST", f"interactions/{interaction_id}/modal", body)
        return await self.answer(str(begun["id"]), seconds)

    async def interaction(self, interaction_id: str) -> Json:
        """How it stands: `state` is `pending`, `deferred`, `answered` or `failed`."""
        return as_object(await self.call("GET", f"interactions/{interaction_id}"))

    async def answer(self, interaction_id: str, seconds: float = 20.0) -> Json:
        """The interaction, once it is answered. Raises ControlError when three seconds pass without a word."""

        async def settled() -> Json | None:
            found = await self.interaction(interaction_id)
            return None if found["state"] in ("pending", "deferred") else found

        found = await until(settled, seconds)
        if found["state"] == "failed":
            raise ControlError(f"{found['command'] or 'the component'}: the bot did not answer within 3 s")
        return found

    async def wait_for_interaction(
        self, interaction_id: str, wanted: Callable[[Json], bool], *, seconds: float = 20.0
    ) -> Json:
        """The interaction once it is as wanted, for answers that are edited and for follow-ups."""

        async def as_wanted() -> Json | None:
            found = await self.interaction(interaction_id)
            return found if wanted(found) else None

        return await until(as_wanted, seconds)
