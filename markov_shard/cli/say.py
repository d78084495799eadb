"""`markov-shard say`: answers without Discord."""

import random

import click

from markov_shard.cli.options import Snowflake, data_dir_option, json_option, prepare, print_json, run
from markov_shard.guilds.image_files import ImageFiles
from markov_shard.guilds.opening import ChainOpener
from markov_shard.runtime import open_runtime
from markov_shard.settings import Settings
from markov_shard.shared.image_cache import ImageCache


@click.command()
@click.argument("guild", type=Snowflake())
@click.option("--seed", help="A phrase to start from.")
@click.option("--count", type=click.IntRange(1, 10_000), default=1, show_default=True, help="How many answers.")
@click.option("--debug", is_flag=True, help="Show score, tries, order and source messages of each.")
@click.option("--rng-seed", type=int, help="Makes the answers the same each time.")
@data_dir_option
@json_option
def command(
    guild: int, seed: str | None, count: int, debug: bool, rng_seed: int | None, data_dir: str | None, as_json: bool
) -> None:
    """Answers from a guild's chain, as the bot would."""
    settings = prepare("say", quiet=True, data_dir=data_dir)
    answers = run(_say(settings, guild, seed, count, rng_seed))
    if as_json:
        print_json(answers)
        return
    for answer in answers:
        click.echo(answer["text"] or f"(nothing to say: {answer['reason']})")
        if debug:
            facts = ", ".join(f"{key} {answer[key]}" for key in ("score", "tries", "order", "seed_used", "sources"))
            click.echo(f"    {facts}")


async def _say(
    settings: Settings, guild_id: int, seed: str | None, count: int, rng_seed: int | None
) -> list[dict[str, object]]:
    async with open_runtime(settings, "say", pool_size=1) as runtime:
        files = ImageFiles(settings.data_dir / "images")
        opener = ChainOpener(runtime.database, ImageCache(runtime.redis), files, settings.state_size)
        chain = (await opener.open(guild_id)).chain
        await opener.settle()
    rng = random.Random(rng_seed)
    answers = [
        chain.answer(rng=rng, seed=seed, min_score=settings.min_score, max_tries=settings.max_tries)
        for _ in range(count)
    ]
    return [
        {
            "text": answer.text,
            "score": answer.score,
            "tries": answer.tries,
            "order": answer.order,
            "seed_used": answer.seed_used,
            "sources": [str(source) for source in answer.sources],
            "reason": answer.reason,
        }
        for answer in answers
    ]
