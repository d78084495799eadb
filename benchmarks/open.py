"""Opening an image of at least 40 MB from a file in the page cache, and making a chain over it."""

import mmap
import random
import tempfile
from pathlib import Path

from benchmarks.corpus import batches, grown
from benchmarks.figures import Figure, Setup
from benchmarks.timing import each, percentile, timed
from markov_shard.chain import Chain, Compiler, Image, open_image

STATE_SIZE = 2
SIZE = 40 << 20
STEP = 50_000
ROUNDS = 51


def run(setup: Setup) -> list[Figure]:
    """Milliseconds of opening, the first answer included in a second figure, beside reading the bytes at all."""
    messages = list(setup.messages())
    number = 5 * STEP
    while True:
        compiler = Compiler(STATE_SIZE)
        for batch in batches(grown(messages), number):
            compiler.add(batch)
        image = compiler.finish()
        if image.nbytes >= SIZE:
            break
        number += STEP
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image"
        path.write_bytes(image.data)
        opened = each(lambda: Chain(_mapped(path)), ROUNDS)
        rng = random.Random(1)
        answered = each(lambda: Chain(_mapped(path)).answer(rng), ROUNDS)
        read = each(path.read_bytes, 7)
        verified, _ = timed(_mapped(path).verify)
    megabytes = image.nbytes / 1e6
    whole = {"reading the file": 1e3 * percentile(read, 0.5), "budget": 5.0}
    return [
        Figure(f"open {megabytes:.0f} MB, p50", "ms", 1e3 * percentile(opened, 0.5), whole),
        Figure(f"open {megabytes:.0f} MB, worst", "ms", 1e3 * opened[-1], whole),
        Figure("open and answer, p50", "ms", 1e3 * percentile(answered, 0.5)),
        Figure("verify all checksums", "ms", 1e3 * verified),
    ]


def _mapped(path: Path) -> Image:
    with path.open("rb") as file:
        return open_image(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
