"""Lets go of what a command used as soon as it is done, instead of leaving it to the garbage collector.

lightbulb's context and command refer to each other, and linkd's container to itself: some forty objects a command
that only a collection frees. Those that were in use during a young collection wait for a full one, which then took
168 ms for those of six minutes, in the middle of somebody's answer. What a failed command used is left to it still.
"""

import lightbulb
from linkd import DI_CONTAINER, Container


@lightbulb.hook(lightbulb.ExecutionSteps.POST_INVOKE, skip_when_failed=True)
def release(_: lightbulb.ExecutionPipeline, context: lightbulb.Context) -> None:
    """Breaks the circles of a command that is done."""
    context.command._current_context = None  # noqa: SLF001 - pinned by a test: nothing public lets go of it
    container = DI_CONTAINER.get(None)
    if container is not None:  # which gives itself out under two names
        container.add_value(Container, None)
        container.add_value(lightbulb.di.CommandContainer, None)
