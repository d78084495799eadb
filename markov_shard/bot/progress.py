"""How a training job stands, as an embed that keeps itself up to date for as long as the job takes."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import hikari

from markov_shard.bot.sending import Messenger
from markov_shard.store.jobs import Job
from markov_shard.training.progress import JobProgress, Stage

TOKEN_SECONDS = 14 * 60.0
"""An interaction's token lives for fifteen minutes; a little earlier the bot's own way of editing takes over."""

_BAR = 20
_PROBLEMS = 5
_COLOURS = {"done": 0x2ECC71, "failed": 0xE74C3C, "dead": 0xE74C3C, "cancelled": 0x95A5A6}
_WORKING = 0x3498DB
_STAGES: dict[Stage, str] = {
    "waiting": "waits for a worker",
    "checking": "is reading the file through",
    "learning": "is learning",
    "publishing": "is building the chain",
    "finished": "is finished",
}
_ENDS = {
    "done": "is done. Try me now!",
    "failed": "failed; I know what I knew before.",
    "dead": "was given up; I know what I knew before.",
    "cancelled": "was cancelled.",
}


def progress_embed(progress: JobProgress, *, now: Callable[[], float] = time.time) -> hikari.Embed:
    """Channels done, current channel, percent and time left, as far as they are known."""
    job = progress.job
    finished = progress.stage == "finished"
    words = _ENDS[job.state] if finished else f"{_STAGES[progress.stage]}."
    embed = hikari.Embed(
        title="Learning from a file" if job.kind == "import" else "Learning from the channels' history",
        description=f"Job {job.job_id} {words}{_reason(job)}",
        colour=_COLOURS.get(job.state, _WORKING),
        timestamp=datetime.fromtimestamp(now(), UTC),
    )
    if progress.fraction is not None and not finished:
        filled = round(progress.fraction * _BAR)
        embed.add_field("Progress", f"`{'█' * filled}{'░' * (_BAR - filled)}` {progress.fraction * 100:.1f}%")
    if (channels := progress.channels) is not None and not finished:
        current = f", now <#{channels.current}> ({channels.fraction * 100:.0f}%)" if channels.current else ""
        embed.add_field("Channels", f"{len(channels.done)} of {channels.total} done{current}")
    counted = f"{job.messages:,} learned" + (f", {job.skipped:,} left out" if job.skipped else "")
    embed.add_field("Messages", counted, inline=True)
    if progress.rate and not finished:
        embed.add_field("Speed", f"{progress.rate:,.0f} messages a second", inline=True)
    if progress.seconds_left is not None and not finished:
        embed.add_field("Time left", f"about {timedelta(seconds=max(round(progress.seconds_left), 1))}", inline=True)
    if progress.refused:
        shown = ", ".join(f"<#{channel}>" for channel in progress.refused[:20])
        more = f" and {len(progress.refused) - 20} more" if len(progress.refused) > 20 else ""
        embed.add_field("Not readable for me", f"{shown}{more}: View Channel and Read Message History are needed there")
    if progress.problems:
        embed.add_field("Left out", "\n".join(progress.problems[:_PROBLEMS])[:1024])
    return embed


def _reason(job: Job) -> str:
    reason = f"\n{job.error}" if job.error and job.state in ("failed", "dead") else ""
    return reason[:3000]


class ProgressMessage:
    """The message that shows the embed: an interaction's answer, then the same message by the bot's own right.

    Where the bot may neither edit nor write, it stays as it was last; the job goes on.
    """

    def __init__(
        self,
        rest: Callable[[], hikari.api.RESTClient],
        messenger: Messenger,
        guild_id: int,
        channel_id: int,
        *,
        message_id: int | None = None,
        interaction: hikari.CommandInteraction | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`message_id`: a message of the bot's own; else the interaction's answer is shown in."""
        self._rest = rest
        self._messenger = messenger
        self._guild_id = guild_id
        self.channel_id = channel_id
        self.message_id = message_id
        """None until the interaction's answer has been edited once, which tells."""
        self._interaction = interaction
        self._clock = clock
        self._until = clock() + TOKEN_SECONDS

    async def show(self, state: JobProgress) -> bool:
        """Shows a state of the job; False when there is nowhere left to show it."""
        return await self._show(progress_embed(state))

    async def _show(self, embed: hikari.Embed) -> bool:
        try:
            if self._interaction is not None and self._clock() < self._until:
                answer = await self._interaction.edit_initial_response(embed=embed)
                self.message_id = int(answer.id)
                return True
        except (hikari.NotFoundError, hikari.UnauthorizedError):
            pass  # the token ended early, or the answer was deleted
        self._interaction = None
        try:
            if self.message_id is not None:
                await self._rest().edit_message(self.channel_id, self.message_id, embed=embed)
                return True
        except (hikari.NotFoundError, hikari.ForbiddenError):
            pass
        return await self._write(embed)

    async def _write(self, embed: hikari.Embed) -> bool:
        if not self._messenger.may_send(self._guild_id, self.channel_id):
            return False
        try:
            sent = await self._rest().create_message(self.channel_id, embed=embed)
        except (hikari.NotFoundError, hikari.ForbiddenError):
            return False
        self.message_id = int(sent.id)
        return True
