"""Answers: the filter, the choice, seeds, prompts, and the reason where there is nothing to say."""

import random
from itertools import count

from markov_shard.chain import Chain, compile_chain
from markov_shard.chain.answer import ONLY_COPIES, OUT_OF_TIME
from tests.unit.chain.strategies import Said

ANIMALS = ("cat", "dog", "bird", "fish")
PLACES = ("house", "garden", "street", "river")
TALK = [
    Said(f"I saw a {animal} in the {place} {when}", number)
    for number, (animal, place, when) in enumerate(
        (animal, place, when)
        for animal in ANIMALS
        for place in PLACES
        for when in ("today", "yesterday")
        if (animal, place) != ("bird", "river")
    )
] + [Said("the zebra in the street is mine and mine alone", 900), Said("a Zebra in the garden is not yours", 901)]


def chain(state_size=2):
    return Chain(compile_chain(TALK, state_size))


def test_the_same_seed_gives_the_same_answer():
    assert chain().answer(random.Random(5)) == chain().answer(random.Random(5))
    assert len({chain().answer(random.Random(seed)).text for seed in range(20)}) > 1


def test_answers_are_never_copies():
    known = {message.text for message in TALK}
    talker, rng = chain(), random.Random(1)
    assert not known & {talker.answer(rng).text for _ in range(300)}


def test_the_first_good_candidate_or_else_the_best():
    talker = chain()
    easy = talker.answer(random.Random(2), min_score=1)
    hard = talker.answer(random.Random(2), min_score=10_000, max_tries=200)
    assert easy.score >= 1
    assert hard.tries == 200
    assert hard.score >= easy.score
    assert talker.answer(random.Random(2), max_tries=1).tries == 1


def test_a_short_seed_begins_the_text():
    answer = chain().answer(random.Random(1), "zebra")
    assert answer.text.split()[0] in {"zebra", "Zebra"}
    assert answer.seed_used == "zebra"
    assert chain().answer(random.Random(1), "the RIVER").text.startswith("the river")
    assert chain().answer(random.Random(1), "unheard").seed_used is None


def test_a_prompt_is_answered_to_the_point():
    prompt = "tell me what you know of ZEBRA sightings"
    rng = random.Random(1)
    answers = [chain().answer(rng, prompt) for _ in range(30)]
    assert all("zebra" in answer.text.casefold() for answer in answers)
    assert all("ZEBRA" in (answer.seed_used or "") for answer in answers)
    plain = [chain().answer(rng, prompt, prompt_tries=0).tries for _ in range(3)]
    assert all(tries >= 1 for tries in plain)
    assert chain().answer(random.Random(3), prompt) == chain().answer(random.Random(3), prompt)


def test_a_prompt_knows_words_learned_since_the_image():
    talker = chain()
    for message in ("a Quagga in the street is grey", "the quagga in the garden sleeps"):
        talker.learn(message)
    answer = talker.answer(random.Random(1), "what does a QUAGGA look like", prompt_tries=40)
    assert "quagga" in answer.text.casefold()


def test_a_prompt_of_unknown_words_is_answered_like_none():
    answer = chain().answer(random.Random(1), "nobody understands these utterances")
    assert answer.text
    assert answer.seed_used is None


def test_a_prompt_is_not_repeated_and_stays_within_its_tries():
    prompt = "I saw a bird in the river today"
    for seed in range(30):
        answer = chain().answer(random.Random(seed), prompt, prompt_tries=5)
        assert answer.text != prompt
        assert answer.tries == 5


def test_small_chains_fall_back_to_a_lower_order():
    small = Chain(compile_chain(["one two three four", "five two three six"], 3))
    answer = small.answer(random.Random(1))
    assert answer.text in {"one two three six", "five two three four"}
    assert answer.order < 3


def test_a_deadline_is_kept_and_the_clock_else_not_read():
    ticks = count()
    answer = chain().answer(random.Random(1), deadline=3, clock=lambda: next(ticks), min_score=10**9)
    assert answer.tries == 4

    def never():
        raise AssertionError("the clock was read")

    chain().answer(random.Random(1), clock=never)
    mute = Chain(compile_chain(["only this"], 2))
    assert mute.answer(random.Random(1), deadline=3, clock=lambda: next(ticks)).reason == OUT_OF_TIME
    assert mute.answer(random.Random(1)).reason == ONLY_COPIES
    assert chain().answer(random.Random(1), max_tries=0).reason == OUT_OF_TIME


def test_forgotten_messages_are_not_named():
    talker = chain()
    for message in TALK[:12]:
        talker.unlearn(message)
    rng = random.Random(1)
    named = {source for _ in range(60) for source in talker.answer(rng).sources}
    assert named
    assert not named & {message.id for message in TALK[:12]}
