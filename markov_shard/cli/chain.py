"""`markov-shard chain`: a guild's chain in figures, recounted on demand."""

import sys

import click

from markov_shard.chain import Chain, ReferenceChain
from markov_shard.cli.options import Snowflake, data_dir_option, json_option, prepare, print_json, run
from markov_shard.guilds.image_files import ImageFiles
from markov_shard.guilds.opening import ChainOpener, OpenedChain
from markov_shard.runtime import open_runtime
from markov_shard.settings import Settings
from markov_shard.shared.image_cache import ImageCache
from markov_shard.store.messages import stream_messages
from markov_shard.store.pool import Connection


@click.command()
@click.argument("guild", type=Snowflake())
@click.option("--verify", is_flag=True, help="Recount the chain from the stored messages; exit 1 on any difference.")
@data_dir_option
@json_option
def command(guild: int, verify: bool, data_dir: str | None, as_json: bool) -> None:
    """Shows the figures of a guild's chain."""
    settings = prepare("chain", quiet=True, data_dir=data_dir)
    figures, differences = run(_inspect(settings, guild, verify))
    if as_json:
        print_json(figures)
    else:
        for name, value in figures.items():
            click.echo(f"{name:>12}: {value if value is not None else 'not asked for (--verify)'}")
    if differences:
        click.echo(
            f"markov-shard: the chain of guild {guild} differs from its messages: {differences[0]}"
            f"{f' and {len(differences) - 1} more' if len(differences) > 1 else ''}",
            err=True,
        )
        sys.exit(1)


async def _inspect(settings: Settings, guild_id: int, verify: bool) -> tuple[dict[str, object], list[str]]:
    async with open_runtime(settings, "chain", pool_size=2) as runtime:
        files = ImageFiles(settings.data_dir / "images")
        opener = ChainOpener(runtime.database, ImageCache(runtime.redis), files, settings.state_size)
        async with runtime.database.transaction(isolation="repeatable_read", readonly=True) as snapshot:
            opened = await opener.open_in(snapshot, guild_id)
            differences = await _differences(snapshot, opened) if verify else []
        await opener.settle()
    states, transitions, vocabulary = _figures(opened.chain)
    figures: dict[str, object] = {
        "messages": opened.chain.messages,
        "states": states,
        "transitions": transitions,
        "vocabulary": vocabulary,
        "image_bytes": opened.image.bytes if opened.image else 0,
        "version": opened.image.version if opened.image else 0,
        "verified": not differences if verify else None,
    }
    return figures, differences


def _figures(chain: Chain) -> tuple[int, int, int]:
    """States, transitions and words: the image's own figures when nothing lies over it, else counted."""
    image = chain.image
    if image is not None and chain.overlay_size == 0:
        return image.states, image.transitions, image.vocabulary
    states, words, transitions = set(), set(), 0
    for state, successor, _ in chain.transitions():
        transitions += 1
        states.add(state)
        words.add(successor)
    return len(states), transitions, len(words - {None})


async def _differences(snapshot: Connection, opened: OpenedChain) -> list[str]:
    """Where the chain's counts are not those of the stored messages, in words."""
    counted = ReferenceChain(state_size=opened.chain.state_size)
    guild = opened.guild
    async for batch in stream_messages(
        snapshot, guild.guild_id, guild.generation, after_seq=-1, up_to_seq=guild.learned_seq, batch=5000
    ):
        for message in batch:
            if not message.nsfw:
                counted.learn(message.content)
    stored = {(state, successor): count for state, successor, count in counted.transitions()}
    differences = []
    if opened.chain.messages != counted.messages:
        differences.append(f"it counts {opened.chain.messages} messages, {counted.messages} are stored")
    for state, successor, count in opened.chain.transitions():
        expected = stored.pop((state, successor), 0)
        if count != expected:
            differences.append(f"{state!r} to {successor!r} counts {count}, {expected} are stored")
    differences += [f"{state!r} to {word!r} counts 0, {count} are stored" for (state, word), count in stored.items()]
    return differences
