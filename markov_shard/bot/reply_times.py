"""How long replies take: their histograms, and the log of the slow ones."""

from collections.abc import Callable, Mapping

from markov_shard.bot.slow_replies import SlowReplies
from markov_shard.bot.timing import Replied, Stage
from markov_shard.health.metrics import Metrics


class ReplyTimes:
    """Takes the times of one process's replies, in seconds."""

    def __init__(self, metrics: Metrics, slow_seconds: float, is_monitored: Callable[[int], bool]) -> None:
        """`is_monitored` says of a guild whether its answers' stages are measured, and its slow replies logged."""
        self._is_monitored = is_monitored
        self._slow = SlowReplies(slow_seconds, is_monitored)
        self._replies = metrics.seconds(
            "markov_reply_seconds", "Seconds from an event to the sending of its reply, attachments left out"
        )
        self._answers = metrics.seconds("markov_answer_seconds", "Seconds it took to choose an answer")
        self._stages = metrics.stages(
            "markov_answer_stage_seconds", "Seconds the stages of an answer took, where monitored"
        )
        self._attachments = metrics.stages(
            "markov_attachment_seconds", "Seconds until an answer's attachment had a fresh URL, and was downloaded"
        )

    def replied(self, replied: Replied) -> None:
        """A reply goes out."""
        self._replies.observe(replied.seconds)
        self._slow.consider(replied)

    def answered(self, guild_id: int, stages: Mapping[Stage, float]) -> None:
        """An answer was chosen: wait, open, choose."""
        self._answers.observe(stages["open"] + stages["choose"])
        if self._is_monitored(guild_id):
            for stage, seconds in stages.items():
                self._stages.observe(stage, seconds)

    def attached(self, stage: Stage, seconds: float) -> None:
        """An attachment's URL or file was had."""
        self._attachments.observe(stage, seconds)
