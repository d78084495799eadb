"""Images: what is refused and by which name, and that damage is never followed outside the buffer."""

import mmap
import random
import struct
from collections import Counter
from contextlib import suppress
from copy import copy
from itertools import pairwise
from zlib import crc32

import numpy as np
import pytest

from markov_shard.chain import (
    Chain,
    ChainError,
    DamagedImageError,
    ForeignImageError,
    ImageError,
    ImageVersionError,
    TruncatedImageError,
    compile_chain,
    merge,
    open_image,
)
from markov_shard.chain.layout import ENTRY, HEADER_SIZE, PREFIX, WIDTHS
from markov_shard.chain.losses import Losses
from markov_shard.chain.overlay import Overlay
from markov_shard.chain.row import Row
from markov_shard.chain.rows import Rows
from tests.unit.chain.strategies import Said

MESSAGES = [Said(f"a{n % 9} b{n % 4} c{n % 5} Déjà{n % 3} x" + " y" * (n % 3), n) for n in range(300)] + [
    Said("a0", 1)
] * 300


def sealed(data):
    """The image with its header's checksum made right again."""
    data[HEADER_SIZE - 4 : HEADER_SIZE] = struct.pack("<I", crc32(data[: HEADER_SIZE - 4]))
    return data


def said_from(source):
    answer = Chain(open_image(source)).answer(random.Random(1))
    return answer.text, answer.score, answer.sources


def test_opened_from_bytes_a_memoryview_and_a_mapped_file(tmp_path):
    data = bytes(compile_chain(MESSAGES, 2))
    path = tmp_path / "image"
    path.write_bytes(data)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        said = [said_from(source) for source in (data, memoryview(data), mapped)]
    assert said[0] == said[1] == said[2]
    assert all(said[0])


def test_faults_are_named():
    data = bytes(compile_chain(MESSAGES, 2))
    for foreign in (b"", b"PK\x03\x04" + bytes(2000), data[1:]):
        with pytest.raises(ForeignImageError):
            open_image(foreign)
    for other in (1, 99):  # an older version, whose sections were others, and one yet to come
        changed = bytearray(data)
        struct.pack_into("<I", changed, 8, other)
        with pytest.raises(ImageVersionError, match=f"version {other}: this program reads version 2"):
            open_image(sealed(changed))
    with pytest.raises(DamagedImageError, match="header"):
        open_image(data[:20] + bytes([data[20] ^ 1]) + data[21:])
    with pytest.raises(DamagedImageError, match="contiguous"):
        open_image(memoryview(data)[::2])


def test_every_truncation_is_refused():
    data = bytes(compile_chain(["a b c", "a c"], 2))
    for length in range(len(data)):
        with pytest.raises((TruncatedImageError, ForeignImageError)):
            open_image(data[:length])


def test_verify_names_the_damaged_section_and_merge_refuses_it():
    data = bytes(compile_chain(MESSAGES, 3))
    for place, name in enumerate(WIDTHS):
        offset, size, _, _ = ENTRY.unpack_from(data, PREFIX.size + ENTRY.size * place)
        assert size, name
        damaged = bytearray(data)
        damaged[offset + size // 2] ^= 0x10
        try:
            image = open_image(damaged)
        except DamagedImageError:
            continue
        with pytest.raises(DamagedImageError, match=f"section {name}:"):
            image.verify()
        with pytest.raises(DamagedImageError, match=f"section {name}:"):
            merge(image, ["more"])


def drawn(found, state):
    """By the document: how a state's successor is drawn, and the share that each destination has."""
    row = range(found["row"][state], found["row"][state + 1])
    draws, start, dest = found["draws"][state], found["start"][state], found["dest"]
    if draws == 1:
        return "single", {start: 1}
    if draws:
        each = Counter(dest[start : start + draws])
        assert set(each) == set(dest[row.start : row.stop])
        return ("even" if start == row.start else "list"), {state: times / draws for state, times in each.items()}
    shares = Counter()
    for column, transition in enumerate(row):
        keep, jump = found["cell"][2 * (start + column) : 2 * (start + column) + 2]
        shares[dest[transition]] += keep / 2**32 / len(row)
        shares[dest[row.start + jump]] += (1 - keep / 2**32) / len(row)
    return "alias", shares


def test_read_as_the_document_says():
    """A reader of its own, by docs/chain-image.md alone: the same transitions come out."""
    data = bytes(compile_chain(MESSAGES, 2))
    magic, version, header, size, order, sections, tokens = struct.unpack_from("<8sIIQIIQ", data)
    assert (magic, version, size, order, sections) == (b"\x89MKVIMG\n", 2, len(data), 2, 18)
    assert header == 40 + 24 * 18 + 4
    names = "word_hash word_end word_text token_states fold_hash fold_token row start draws state_tokens dest count "
    names += "big_index big_count source source_ids cell fingerprints"
    found = {}
    for place, name in enumerate(names.split()):
        offset, length, checksum, width = struct.unpack_from("<QQII", data, 40 + 24 * place)
        assert offset % 64 == 0
        assert crc32(data[offset : offset + length]) == checksum
        kind = "q" if name == "source_ids" else {1: "B", 4: "I", 8: "Q"}[width]
        found[name] = struct.unpack(f"<{length // width}{kind}", data[offset : offset + length])
    ends, text = found["word_end"], bytes(found["word_text"])
    words = [None, *(text[low:high].decode() for low, high in pairwise(ends))]
    rows, states = found["row"], len(found["draws"])
    last, context = found["state_tokens"][:states], found["state_tokens"][states:]
    counts = list(found["count"])
    for index, count in zip(found["big_index"], found["big_count"], strict=True):
        assert counts[index] == 255
        counts[index] = count
    read, kinds = set(), Counter()
    for state in range(states):
        spelled = tuple(words[token] for token in (context[state], last[state]) if token)
        row = range(rows[state], rows[state + 1])
        for transition in row:
            read.add((spelled, words[last[found["dest"][transition]]], counts[transition]))
        kind, shares = drawn(found, state)
        kinds[kind] += 1
        weight = sum(counts[row.start : row.stop])
        for transition in row:
            assert shares[found["dest"][transition]] == pytest.approx(counts[transition] / weight, abs=1e-6)
    assert min(kinds.values()) > 0
    assert len(kinds) == 4
    assert read == set(Chain(open_image(data)).transitions())
    assert tokens == sum(len(message.text.split()) for message in MESSAGES)
    assert list(found["fingerprints"]) == sorted(found["fingerprints"])


def contents(thing):
    """All that an overlay holds, to be compared."""
    if isinstance(thing, Overlay | Rows):
        return {name: contents(value) for name, value in vars(thing).items() if name not in ("image", "_image")}
    if isinstance(thing, Row | Losses):
        return {name: contents(getattr(thing, name)) for name in thing.__slots__}
    return {key: contents(value) for key, value in thing.items()} if isinstance(thing, dict) else copy(thing)


def changed_whole_or_not_at_all(chain, rng):
    """Learn, unlearn and remove by index, over an image that may be damaged."""
    for change, message in (
        (chain.learn, MESSAGES[0]),
        (chain.learn, "b1 unheard a1 b1 unheard"),
        (chain.unlearn, MESSAGES[0]),
        (chain.unlearn, rng.choice(MESSAGES)),
        (lambda message: chain.remove_transitions(chain.image.locate(message), message.id), rng.choice(MESSAGES)),
    ):
        before = contents(chain._overlay)
        try:
            change(message)
        except ChainError:
            assert contents(chain._overlay) == before
        with suppress(ChainError):
            chain.answer(rng, max_tries=3, max_words=50)


def fuzzed_images(rounds, seed):
    """Damaged images: each is refused by name, or answers and learns, or says that an index points outside."""
    rng = random.Random(seed)
    originals = [bytes(compile_chain(MESSAGES[: rng.randrange(1, 60)], order)) for order in (1, 2, 3, 5)]
    opened = 0
    for _ in range(rounds):
        data = bytearray(rng.choice(originals))
        for _ in range(rng.choice((1, 1, 2, 8, 64))):
            place = rng.randrange(HEADER_SIZE if rng.random() < 0.3 else len(data))
            if rng.random() < 0.5:
                data[place] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
            else:
                wide = min(place & ~3, len(data) - 4)
                struct.pack_into("<I", data, wide, rng.choice((0, 1, len(data), 0x7FFFFFFF, 0xFFFFFFFF)))
        if rng.random() < 0.2:
            del data[rng.randrange(len(data)) :]
        if len(data) >= HEADER_SIZE and rng.random() < 0.9:
            sealed(data)
        try:
            image = open_image(data)
        except ImageError:
            continue
        opened += 1
        chain = Chain(image)
        with suppress(ChainError):
            chain.answer(rng, max_tries=5, max_words=50)
        with suppress(ChainError):
            chain.answer(rng, "a1 B1 c1 déjà1 x", max_tries=5, max_words=50)
        with suppress(ChainError):
            chain.walk(rng, 50)
        changed_whole_or_not_at_all(chain, rng)
        with suppress(ChainError):
            merge(image, ["a1 c1"], [MESSAGES[0]])
        with suppress(ChainError):
            image.verify()
    assert opened > rounds // 10  # otherwise only the header was tried


@pytest.mark.parametrize("name", WIDTHS)
def test_what_a_damaged_section_hinders_is_not_done_by_half(name):
    data = bytearray(bytes(compile_chain(MESSAGES, 2)))
    offset, size, _, width = ENTRY.unpack_from(data, PREFIX.size + ENTRY.size * list(WIDTHS).index(name))
    data[offset : offset + size - width] = b"\xff" * (size - width)  # where it ends is still right, and so it opens
    chain = Chain(open_image(data))
    rng = random.Random(1)
    for _ in range(5):
        changed_whole_or_not_at_all(chain, rng)
    if name == "count":  # of many, and none of them in `big_count`
        with pytest.raises(DamagedImageError, match="points outside"):
            chain.learn(MESSAGES[0])
        with pytest.raises(DamagedImageError, match="points outside"):
            chain.unlearn(MESSAGES[0])


def test_fuzzed_images():
    fuzzed_images(3000, 1)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_100_000_fuzzed_images():
    fuzzed_images(100_000, 2)


def fuzzed_batches(rounds, seed):
    """Batches of any code points at all: refused by name or compiled, and then merged with another."""
    rng = random.Random(seed)
    alphabet = "ab \t\n\0\x1c\u00a0\u2028\ud800\udfff\ufeff😀\U0010ffffé\u0301ß"
    for _ in range(rounds):
        texts = [
            "".join(
                rng.choice(alphabet[: rng.choice((3, 9, len(alphabet)))])
                if rng.random() < 0.97
                else chr(rng.randrange(0x110000))
                for _ in range(rng.randrange(12))
            )
            for _ in range(rng.randrange(8))
        ]
        good = [text for text in texts if "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)]
        order = rng.randrange(1, 6)
        if len(good) < len(texts):
            with pytest.raises(ChainError, match="of the batch"):
                compile_chain(texts, order)
        image = compile_chain(good[: len(good) // 2], order)
        merged = merge(image, good[len(good) // 2 :], good[:1])
        assert merged.messages == sum(bool(text.split()) for text in good[1:])
        np.testing.assert_array_equal(merged.tables.dest, compile_chain(good[1:], order).tables.dest)
        Chain(merged).answer(rng, max_tries=5)


def test_fuzzed_batches():
    fuzzed_batches(500, 1)


@pytest.mark.long
@pytest.mark.timeout(3000)
def test_100_000_fuzzed_batches():
    fuzzed_batches(100_000, 2)
