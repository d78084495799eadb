"""How a process that answers uses memory: what it frees it gives back, and what stays is not looked through."""

import contextlib
import ctypes
import gc
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # of glibc's malloc.h


def give_memory_back() -> None:
    """Call once at a process's start. Does nothing where the C library is not glibc.

    glibc raises its threshold for giving blocks back at each large one that is freed, up to 32 MB, and keeps a heap
    for each thread: after a few images have passed through, tens of megabytes stay with the process for nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, 128 << 10)  # setting it stops its growth
        mallopt(_M_TRIM_THRESHOLD, 1 << 20)
        mallopt(_M_ARENA_MAX, 2)


def settle_heap() -> None:
    """Call when a process is set up: what lives now (modules, classes, commands) lives as long as the process.

    A full collection would look through all of it, for 50 ms and more, in the middle of somebody's answer. So would
    it later through all that was learned, of which reference counts alone free what goes: there is to be one in
    millions of new objects, not in a hundred thousand.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(1000, 10, 1000)
