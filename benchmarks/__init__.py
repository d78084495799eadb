"""Every number that the documentation quotes: one module a benchmark, each run by `markov-shard bench NAME`.

A benchmark's module has a function `run(setup: Setup) -> list[Figure]`; see `benchmarks/figures.py`.
"""
