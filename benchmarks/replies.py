"""Prompted answers on held-out messages: how often they share the prompt's rare words.

The chain learns the first 95 % of the log. Each later message that is longer than a state and has a rare known word
is a prompt. A word is rare that stands in at most one of 1,000 of the learned messages; case does not count.
"""

import random
from collections import Counter
from functools import partial

from benchmarks.figures import Figure
from benchmarks.timing import percentile, timed
from markov_shard.chain import Chain, compile_chain

LEARNED = 0.95
RARE = 1000
PROMPTS = 3000


def figures(messages: list[str], state_size: int) -> list[Figure]:
    """Shared rare words per 100 replies, prompted beside unprompted, and the time a prompted reply takes."""
    cut = int(len(messages) * LEARNED)
    learned = messages[:cut]
    seen = Counter(word for message in learned for word in set(message.casefold().split()))
    rare = {word for word, times in seen.items() if times * RARE <= len(learned)}
    prompts = [
        message
        for message in messages[cut:]
        if len(message.split()) > state_size and not rare.isdisjoint(message.casefold().split())
    ][:PROMPTS]
    chain = Chain(compile_chain(learned, state_size))
    rng = random.Random(3)
    shared = seeded = unprompted = 0
    seconds = []
    for prompt in prompts:
        wanted = rare.intersection(prompt.casefold().split())
        taken, answer = timed(partial(chain.answer, rng, prompt))
        seconds.append(taken)
        shared += len(wanted.intersection(answer.text.casefold().split()))
        plain = chain.answer(rng, prompt, prompt_tries=0)
        seeded += len(wanted.intersection(plain.text.casefold().split()))
        unprompted += len(wanted.intersection(chain.answer(rng).text.casefold().split()))
    seconds.sort()
    share = 100 / max(1, len(prompts))
    return [
        Figure(
            "rare words shared with the prompt",
            "per 100 replies",
            share * shared,
            {"unprompted answers": share * max(1, unprompted), "plain seed rule": share * seeded},
            smaller_is_better=False,
        ),
        Figure("prompted reply, p50", "us", 1e6 * percentile(seconds, 0.5), {"budget": 400}),
        Figure("prompted reply, p99", "us", 1e6 * percentile(seconds, 0.99)),
    ]
