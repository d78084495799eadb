"""`markov-shard sim`: the local stand-in for Discord."""

import sys

import click


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Runs the stand-in alone; the same as `python -m discord_sim`, with the same options."""
    from discord_sim.__main__ import main

    sys.argv = ["markov-shard sim", *arguments]
    main()
