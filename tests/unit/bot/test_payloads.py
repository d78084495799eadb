"""What counts as a person's message, and what of it is kept."""

from typing import Any

import pytest

from markov_shard.bot.payloads import clean_text, is_from_person, stored_message


def payload(**changes: Any) -> dict[str, Any]:
    message = {"id": "5", "channel_id": "6", "author": {"id": "7"}, "content": "hello there", "type": 0}
    return {**message, **changes}


@pytest.mark.parametrize("kind", [0, 19])
def test_messages_and_replies_of_people_are_learned(kind: int) -> None:
    assert is_from_person(payload(type=kind))


@pytest.mark.parametrize(
    "changes", [{"author": {"id": "7", "bot": True}}, {"webhook_id": "8"}, {"type": 7}, {"type": 20}, {"type": 6}]
)
def test_bots_webhooks_and_system_messages_are_not(changes: dict[str, Any]) -> None:
    assert not is_from_person(payload(**changes))


def test_a_stored_message_keeps_ids_text_and_attachments() -> None:
    attachments = [{"url": "https://cdn/a.png"}, {"url": "https://cdn/b.png"}]
    message = stored_message(payload(attachments=attachments), nsfw=True)
    assert (message.message_id, message.channel_id, message.author_id) == (5, 6, 7)
    assert message.attachments == ("https://cdn/a.png", "https://cdn/b.png")
    assert message.nsfw


@pytest.mark.parametrize(
    ("text", "clean"), [("a\0b", "ab"), ("a\ud800b", "ab"), ("héllo 👋🏽", "héllo 👋🏽"), ("", ""), ("\0", "")]
)
def test_what_cannot_be_stored_is_cut_out(text: str, clean: str) -> None:
    assert clean_text(text) == clean
