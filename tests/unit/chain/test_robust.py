"""What the engine does with text nobody hopes for. Each test states the behaviour."""

import random
from zlib import crc32

import pytest

from markov_shard.chain import Chain, Compiler, MessageError, ReferenceChain, compile_chain, merge, open_image
from markov_shard.chain.answer import NOTHING_LEARNED, ONLY_COPIES
from tests.unit.chain.strategies import Said
from tests.unit.chain.test_exact import counted


def test_an_empty_corpus_is_an_image_that_says_why_it_is_silent():
    image = open_image(bytes(compile_chain([], 2)))
    assert (image.messages, image.transitions, image.vocabulary, image.states) == (0, 0, 0, 1)
    answer = Chain(image).answer(random.Random(1), seed="anything at all here")
    assert (answer.text, answer.reason) == ("", NOTHING_LEARNED)
    assert Chain(image).walk(random.Random(1)) == ""
    assert list(Chain(image).transitions()) == []


def test_messages_without_a_token_are_none():
    blank = ["", " ", "\t\n", "\u2003\u3000", "\x1c\x1d"]
    assert bytes(compile_chain(blank, 3)) == bytes(compile_chain([], 3))
    chain = Chain.empty(1)
    chain.learn("\u00a0")
    chain.unlearn(" ")
    assert chain.messages == 0


def test_one_word_messages_can_only_be_repeated_and_so_are_not():
    chain = Chain(compile_chain(["yes", "no", "yes"], 2))
    assert chain.walk(random.Random(1)) in {"yes", "no"}
    assert chain.answer(random.Random(1)).reason == ONLY_COPIES


@pytest.mark.parametrize("state_size", [1, 2, 5])
def test_one_message_of_100_000_words(state_size):
    text = " ".join(f"w{number % 1013}" for number in range(100_000))
    image = compile_chain(["short one", text], state_size)
    assert image.tokens == 100_002
    assert len(image.locate(text)) == 100_001
    chain = Chain(image)
    chain.answer(random.Random(1), max_tries=20)  # walks are given up at 1,000 words
    chain.unlearn(text)
    assert counted(chain) == counted(ReferenceChain(["short one"], state_size))


def test_a_million_distinct_words():
    image = compile_chain((f"{number:x} {number + 1:x}" for number in range(0, 1_000_000, 2)), 2)
    assert image.vocabulary == 1_000_000
    assert [image.word(image.token(word)) for word in ("0", "f423f")] == ["0", "f423f"]
    assert merge(image, ["ffffffff"]).vocabulary == 1_000_001


@pytest.mark.parametrize(
    "text",
    [
        "שלום עולם مرحبا بالعالم",  # right to left: order and text are kept
        "\u202eabc \u202d\u200f",  # direction marks are part of words
        "👩‍👩‍👧‍👦 👍🏽 🇩🇪🇫🇷 ☺️",  # sequences are one word, never cut
        "e\u0301 \u00e9",  # not normalised: two words
        "ﬁ ß İ ǅ",
        "\U0010ffff \ufffe \ufdd0",  # noncharacters are text
        "\x01 \x7f \x1b[31m \x85x",
    ],
)
def test_unusual_text_is_kept_as_it_is(text):
    image = open_image(bytes(compile_chain([text], 2)))
    assert counted(Chain(image)) == counted(ReferenceChain([text], 2))
    assert Chain(image).walk(random.Random(1)) == " ".join(text.split())


@pytest.mark.parametrize("text", ["bad \ud800 one", "\udfff", "a\0b", "\0", "x \0 y"])
def test_lone_surrogates_and_nul_are_refused_by_name_and_nothing_is_taken(text):
    with pytest.raises(MessageError, match="message 7: "):
        compile_chain([Said("fine", 6), Said(text, 7)], 2)
    image = compile_chain(["fine"], 2)
    for refuse in (lambda: merge(image, [Said(text, 7)]), lambda: Chain(image).learn(Said(text, 7))):
        with pytest.raises(MessageError, match=r"message 7: .*(NUL|surrogate)"):
            refuse()
    chain = Chain(image)
    with pytest.raises(MessageError):
        chain.learn(text)
    assert counted(chain) == counted(ReferenceChain(["fine"], 2))


def test_a_refused_batch_leaves_the_compiler_as_it_was():
    compiler, clean = Compiler(2), Compiler(2)
    compiler.add(["one two"])
    clean.add(["one two"])
    for bad in (["three", "fo\0ur"], ["five", "\0"], ["six \ud800"]):
        with pytest.raises(MessageError, match="of the batch"):
            compiler.add(bad)
    compiler.add(["two seven"])
    clean.add(["two seven"])
    assert bytes(compiler.finish()) == bytes(clean.finish())


@pytest.mark.parametrize("marker", ["None", "()", "\\0", "___BEGIN__", "___END__", "0", "-1", "<end>"])
def test_no_word_is_mistaken_for_a_marker(marker):
    messages = [marker, f"{marker} {marker}", f"a {marker}", "a b", f"{marker} b"]
    assert counted(Chain(compile_chain(messages, 2))) == counted(ReferenceChain(messages, 2))


def test_words_of_equal_hash_are_told_apart():
    assert crc32(b"plumless") == crc32(b"buckeroo")
    image = compile_chain(["plumless a", "buckeroo b"], 1)
    assert {image.word(image.token(word)) for word in ("plumless", "buckeroo")} == {"plumless", "buckeroo"}
    merged = merge(compile_chain(["plumless a"], 1), ["buckeroo b"])
    assert bytes(merged) == bytes(image)


def test_a_seed_may_be_any_text():
    chain = Chain(compile_chain(["one two three", "one two four", "zero two three"], 1))
    for seed in ("\ud800", "two \udfff and more words", "\0 \0 \0", "\u2028", " "):
        assert chain.answer(random.Random(1), seed) == chain.answer(random.Random(1), seed)
