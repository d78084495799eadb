"""What SIGTERM does to a role, the first time and the second."""

import asyncio
import signal
import sys

import pytest

# Drains until a line comes in; the time in which a signal counts as the one before is its argument.
ROLE = """
import asyncio, sys
from markov_shard.cli import options

options._SAME_SIGNAL_SECONDS = float(sys.argv[1])

async def main():
    stop, drained = options.stop_on_signals(), asyncio.Event()
    asyncio.get_running_loop().add_reader(0, drained.set)
    print("started", flush=True)
    await stop.wait()
    print("draining", flush=True)
    await drained.wait()
    print("drained", flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("same_for", "status", "said"),
    [("3600", 0, b"drained\n"), ("0", 128 + signal.SIGTERM, b"")],
    ids=["at once, by make and by itself", "later, by an operator who does not want to wait"],
)
async def test_a_second_signal(same_for: str, status: int, said: bytes) -> None:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", ROLE, same_for, stdin=pipe, stdout=pipe)
    assert process.stdout is not None
    try:
        assert await process.stdout.readline() == b"started\n"
        process.send_signal(signal.SIGTERM)
        assert await process.stdout.readline() == b"draining\n"
        process.send_signal(signal.SIGTERM)
        rest, _ = await process.communicate(b"\n")
    finally:
        if process.returncode is None:
            process.kill()
    assert (rest, process.returncode) == (said, status)
