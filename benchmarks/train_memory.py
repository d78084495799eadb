"""Messages in memory to image bytes: time, memory and size. Peer: markovify without the original retained.

Each side runs in a fresh process of its own, so that peak memory is its own; a side's corpus is in memory already.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.figures import Figure, Setup

STATE_SIZE = 2
ROUNDS = 3


def figures(setup: Setup) -> list[Figure]:
    """Seconds, peak memory above the corpus, and bytes a transition of the image."""
    ours = _measured("ours", setup.corpus)
    peer = _measured("markovify", setup.corpus) if setup.peers else {}
    named = {key: {"markovify NewlineText": value} for key, value in peer.items()}
    return [
        Figure("train in memory", "s", ours["seconds"], named.get("seconds", {})),
        Figure("train in memory, peak above the corpus", "MB", ours["peak_mb"], named.get("peak_mb", {})),
        Figure("image", "bytes a transition", ours["bytes"], {"bound": 28}),
        Figure("image, with a source ID for each message", "bytes a transition", ours["bytes_ids"], {"bound": 28}),
    ]


def _measured(side: str, corpus: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.train_memory", side, str(corpus)]
    ran = subprocess.run(command, check=True, capture_output=True, cwd=Path(__file__).parents[1], timeout=600)
    figures: dict[str, float] = json.loads(ran.stdout)
    return figures


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _rounds(call: Callable[[], object]) -> dict[str, float]:
    """Peak memory after the first round, which is what a fresh process needs, and the fastest round."""
    before = _peak_mb()
    seconds, peak = [], 0.0
    for _ in range(ROUNDS):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
        peak = peak or _peak_mb() - before
    return {"seconds": min(seconds), "peak_mb": peak}


def _ours(messages: list[str]) -> dict[str, float]:
    from markov_shard.chain import Compiler, compile_chain

    figures = _rounds(lambda: bytes(compile_chain(messages, STATE_SIZE)))
    image = compile_chain(messages, STATE_SIZE)
    compiler = Compiler(STATE_SIZE)
    compiler.add(messages, [(1 << 60) + number for number in range(len(messages))])
    with_ids = compiler.finish()
    return figures | {
        "bytes": image.nbytes / image.transitions,
        "bytes_ids": with_ids.nbytes / with_ids.transitions,
    }


def _markovify(messages: list[str]) -> dict[str, float]:
    import markovify

    text = "\n".join(messages)
    return _rounds(lambda: markovify.NewlineText(text, state_size=STATE_SIZE, retain_original=False))


if __name__ == "__main__":
    side, corpus = sys.argv[1:]
    messages = list(Setup(Path(corpus), peers=False).messages())
    print(json.dumps(_ours(messages) if side == "ours" else _markovify(messages)))
