"""What an answer is chosen with: the operator's settings."""

import random
from typing import cast

import pytest

from markov_shard.bot.answers import Answers
from markov_shard.bot.hosting import Hosting
from markov_shard.chain import Chain, compile_chain
from markov_shard.chain.answer import ONLY_COPIES
from markov_shard.guilds.registry import Guilds
from markov_shard.settings import Settings

SAID = [f"i saw the {animal} {when}" for animal in ("cat", "dog", "emu", "elk") for when in ("now", "then", "there")]
PROMPT = "what do we know of the emu"


def speak(prompt: str, **settings: float) -> tuple[str, int]:
    """The text and the number of candidates of one answer to a prompt, over a chain that needs no guild."""
    chosen = Settings(min_score=1_000_000, answer_budget_ms=1000, **settings)  # type: ignore[arg-type]
    answers = Answers(cast(Guilds, None), cast(Hosting, None), chosen, random.Random(1))
    answer = answers.speak(Chain(compile_chain(SAID[:-1], 2)), prompt, prompt=True)
    return answer.text, answer.tries


@pytest.mark.parametrize("tries", [1, 12, 40])
def test_a_prompt_is_answered_from_as_many_candidates_as_the_setting_says(tries: int) -> None:
    assert speak(PROMPT, prompt_tries=tries)[1] >= tries
    if tries > 1:
        text, took = speak(PROMPT, prompt_tries=tries)
        assert took == tries
        assert "emu" in text


def test_without_candidates_of_its_own_a_prompt_begins_the_answer() -> None:
    text, tries = speak(PROMPT, prompt_tries=0, max_tries=30)
    assert text.startswith("the emu")
    assert tries == 30


def test_what_was_just_said_is_not_said_back() -> None:
    """The prompt was learned with the mention before it, so that without it, it is not a copy of any message."""
    said = ["the cat sat on the mat", "the dog sat on the log", "a dog ran on the mat", "@bot a dog"]
    hurried = Settings(max_tries=1, answer_budget_ms=1000)
    for seed in range(500):
        answers = Answers(cast(Guilds, None), cast(Hosting, None), hurried, random.Random(seed))
        assert answers.speak(Chain(compile_chain(said, 2)), "a  dog", prompt=True).text != "a dog", seed


def test_where_only_what_was_just_said_could_be_said_there_is_nothing_to_say() -> None:
    chain = Chain(compile_chain(["a b c", "x a b", "x a b c"], 2))
    assert {chain.answer(random.Random(seed)).text for seed in range(50)} == {"a b"}
    answers = Answers(cast(Guilds, None), cast(Hosting, None), Settings(), random.Random(1))
    assert answers.speak(chain, "a b").text == "a b", "a start phrase is wanted in the answer"
    answer = answers.speak(chain, "a b", prompt=True)
    assert (answer.text, answer.reason) == ("", ONLY_COPIES)
