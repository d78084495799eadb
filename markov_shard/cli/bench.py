"""`markov-shard bench`: measures, against peers and bounds. The benchmarks lie in `benchmarks/` of the source tree."""

import contextlib
import importlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from markov_shard.cli.options import json_option, prepare, print_json
from markov_shard.errors import MarkovShardError

NAMES = (
    "generate",
    "train",
    "open",
    "reply",
    "sustained",
    "learn",
    "scale",
    "before-after",
    "cache",
    "hardware",
    "mixed",
    "stand-in",
)
MODULES = {"stand-in": "capacity"}
"""Benchmarks whose module has another name."""


class BenchmarkError(MarkovShardError):
    """A benchmark cannot be run here."""


@click.command()
@click.argument("name", type=click.Choice(NAMES))
@click.option(
    "--corpus",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Chat text as JSON lines with `message`, gzipped or not.",
)
@click.option("--peers", is_flag=True, help="Measure the peers too, in the same run.")
@json_option
def command(name: str, corpus: Path | None, peers: bool, as_json: bool) -> None:
    """Runs one benchmark. A ratio above 1: ours is better. Without a chat log it measures on made text."""
    prepare("bench", quiet=True)
    module_name = MODULES.get(name, name.replace("-", "_"))
    try:
        figures_module = importlib.import_module("benchmarks.figures")
        module = importlib.import_module(f"benchmarks.{module_name}")
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("benchmarks"):
            raise BenchmarkError(
                f"benchmark {name}: run it in a checkout of the source, where benchmarks/ is"
            ) from None
        raise BenchmarkError(f"benchmark {name} needs {error.name}: `make bench` installs it") from None
    with contextlib.nullcontext(corpus) if corpus else _found_or_made() as text:
        figures = module.run(figures_module.Setup(text, peers))
    if as_json:
        print_json({figure.name: _document(figure) for figure in figures})
        return
    for figure in figures:
        click.echo(f"{figure.name}: {figure.ours:,.6g} {figure.unit}")
        for peer, value in figure.peers.items():
            click.echo(f"    {peer}: {value:,.6g} {figure.unit} (ratio {figure.ratio.get(peer, 0):,.2f})")


def _document(figure: Any) -> dict[str, object]:
    return {"unit": figure.unit, "ours": figure.ours, "peers": dict(figure.peers), "ratio": figure.ratio}


@contextlib.contextmanager
def _found_or_made() -> Iterator[Path]:
    """The chat log that the published tables were made from, where it lies beside the checkout; else made text."""
    path = Path(__file__).resolve().parents[3] / "shared" / "data" / "chat-135k.jsonl.gz"
    if path.is_file():
        yield path
        return
    click.echo("no chat log: measuring on made text, which the published tables are not of (--corpus FILE)", err=True)
    made_text = importlib.import_module("benchmarks.made_text")
    with tempfile.TemporaryDirectory(prefix="markov-bench-text-") as folder:
        made = Path(folder) / "made.jsonl"
        made_text.write_text(made)
        yield made
