"""lightbulb's injection of services into commands, without its cost at each use.

linkd generates a resolver's code when a command is first invoked, but keeps it on an object that lives for that one
invocation, so it generates and compiles it again each time (0.2 ms). Generated beforehand on the command's class,
it is found there. The private names are pinned by `tests/contract/`.
"""

from typing import Any

import lightbulb


def generate_injection(command: type[lightbulb.SlashCommand]) -> None:
    """Generates the resolver of a command's invoke method once, for all invocations."""
    injecting: Any = vars(command)["invoke"]
    injecting._dependency_func = injecting._codegen_dependency_func()  # noqa: SLF001
