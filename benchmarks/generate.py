"""Answers: chosen and filtered, raw walks, and answers to prompts. Peer: markovify, compiled."""

import random
from functools import partial

from benchmarks.figures import Figure, Setup
from benchmarks.replies import figures as reply_figures
from benchmarks.timing import best, each, percentile, random_read
from markov_shard.chain import Chain, compile_chain, open_image

STATE_SIZE = 2
ANSWERS = 20_000
PEER_ANSWERS = 150
WALKS = 10_000


def run(setup: Setup) -> list[Figure]:
    """All figures; the peers' only where they are asked for."""
    messages = list(setup.messages())
    image = open_image(bytes(compile_chain(messages, STATE_SIZE)))
    chain = Chain(image)
    rng = random.Random(1)
    answers = each(partial(chain.answer, rng), ANSWERS)
    walk = best(lambda: [chain.walk(rng) for _ in range(WALKS)]) / WALKS
    walks = each(partial(chain.walk, rng), WALKS)
    walked = random.Random(2)
    words = sum(len(chain.walk(walked).split()) + 1 for _ in range(WALKS)) / WALKS
    mean, middle, slow, *peer_walk = _peers(messages) if setup.peers else ({},) * 6
    latency = random_read(image.nbytes)
    return [
        Figure("filtered answer, mean", "us", 1e6 * sum(answers) / len(answers), mean),
        Figure("filtered answer, p50", "us", 1e6 * percentile(answers, 0.5), middle),
        Figure("filtered answer, p99", "us", 1e6 * percentile(answers, 0.99), slow),
        Figure("raw walk, mean", "us", 1e6 * walk, peer_walk[0]),
        Figure("raw walk, p50", "us", 1e6 * percentile(walks, 0.5), peer_walk[1]),
        Figure("raw walk, p99", "us", 1e6 * percentile(walks, 0.99), peer_walk[2]),
        Figure("raw walk, per word", "ns", 1e9 * walk / words, {"one random read of the machine": 1e9 * latency}),
        *reply_figures(messages, STATE_SIZE),
    ]


def _peers(messages: list[str]) -> tuple[dict[str, float], ...]:
    import markovify

    text = "\n".join(messages)
    random.seed(1)
    told = each(markovify.NewlineText(text, state_size=STATE_SIZE).compile().make_sentence, PEER_ANSWERS)
    bare = markovify.NewlineText(text, state_size=STATE_SIZE, retain_original=False).compile()
    step = partial(bare.make_sentence, test_output=False)
    walk = best(lambda: [step() for _ in range(WALKS // 4)]) / (WALKS // 4)
    walks = each(step, WALKS // 4)
    return (
        {"markovify make_sentence()": 1e6 * sum(told) / len(told)},
        {"markovify make_sentence()": 1e6 * percentile(told, 0.5)},
        {"markovify make_sentence()": 1e6 * percentile(told, 0.99)},
        {"markovify make_sentence(test_output=False)": 1e6 * walk},
        {"markovify make_sentence(test_output=False)": 1e6 * percentile(walks, 0.5)},
        {"markovify make_sentence(test_output=False)": 1e6 * percentile(walks, 0.99)},
    )
