"""Entries of training files: what is learned, what is skipped, what is refused."""

import pytest

from markov_shard.training.entries import BadEntryError, Entry, made_up_id, parse_entry, parse_exported


def test_a_string_is_a_message() -> None:
    assert parse_entry("hello there") == Entry("hello there")


def test_an_object_carries_ids_as_numbers_or_text() -> None:
    value = {"message": "hi", "id": "12", "author": 34, "channel": "56", "attachments": ["https://cdn/x.png", 7]}
    assert parse_entry(value) == Entry("hi", 12, 34, 56, ("https://cdn/x.png",))


def test_names_in_place_of_foreign_ids_are_no_ids() -> None:
    assert parse_entry({"message": "hi", "author": "bob", "channel": "#general"}) == Entry("hi")


@pytest.mark.parametrize("value", ["", "  \n", {"message": ""}])
def test_nothing_to_learn(value: object) -> None:
    assert parse_entry(value) is None


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (5, "of type int"),
        (None, "null"),
        ({"text": "hi"}, "no `message`"),
        ({"message": 5}, "its text is of type int"),
        ({"message": "hi", "id": "twelve"}, "not a Discord ID"),
        ({"message": "a\0b"}, "NUL"),
        ({"message": "a\ud800b"}, "lone surrogate"),
    ],
)
def test_a_bad_entry_says_what_is_wrong(value: object, said: str) -> None:
    with pytest.raises(BadEntryError, match=said):
        parse_entry(value)


def test_an_exported_message_takes_its_channel_from_the_file() -> None:
    value = {
        "id": "9",
        "type": "Reply",
        "content": "hey you",
        "author": {"id": "3", "isBot": False},
        "attachments": [{"url": "https://cdn/a.png"}],
    }
    assert parse_exported(value, 7) == Entry("hey you", 9, 3, 7, ("https://cdn/a.png",))


@pytest.mark.parametrize(
    "change", [{"author": {"id": "3", "isBot": True}}, {"type": "GuildMemberJoin"}, {"content": ""}]
)
def test_bots_and_system_messages_of_an_export_are_left_out(change: dict[str, object]) -> None:
    value = {"id": "9", "type": "Default", "content": "hey", "author": {"id": "3", "isBot": False}} | change
    assert parse_exported(value, 7) is None


def test_a_made_up_id_is_negative_stable_and_different_for_each_entry() -> None:
    ids = {made_up_id(b"hash", position) for position in range(1000)}
    assert len(ids) == 1000
    assert all(-(2**63) <= number < 0 for number in ids)
    assert made_up_id(b"hash", 5) == made_up_id(b"hash", 5) != made_up_id(b"other", 5)
