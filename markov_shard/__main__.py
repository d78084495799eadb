"""`python -m markov_shard` is the same program as `markov-shard`."""

from markov_shard.cli import main

main()
