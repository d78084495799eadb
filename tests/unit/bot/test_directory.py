"""Which channels are learned from, threads and age restriction included."""

from markov_shard.bot.directory import ChannelDirectory, channel_row
from markov_shard.store.channels import ChannelRow


def test_threads_follow_their_parent() -> None:
    directory = ChannelDirectory([ChannelRow(1, listen=True, nsfw=True), ChannelRow(11, parent_id=1), ChannelRow(2)])
    assert directory.is_listened(1)
    assert directory.is_listened(11)
    assert directory.is_nsfw(11)
    assert directory.is_listened(2) is False


def test_an_unknown_channel_must_be_asked_for_until_the_guild_was_seen_whole() -> None:
    directory = ChannelDirectory([ChannelRow(1, listen=True)])
    assert directory.is_listened(99) is None
    directory.complete = True
    assert directory.is_listened(99) is False


def test_nothing_need_be_asked_where_no_channel_is_listened_to() -> None:
    assert ChannelDirectory([]).is_listened(99) is False


def test_a_deleted_channel_takes_its_threads_along() -> None:
    directory = ChannelDirectory([ChannelRow(1, listen=True), ChannelRow(11, parent_id=1), ChannelRow(12, parent_id=1)])
    assert sorted(directory.forget(1)) == [1, 11, 12]
    directory.complete = True
    assert not any(directory.is_listened(channel) for channel in (1, 11, 12))


def test_discords_channel_objects_become_rows() -> None:
    thread = {"id": "11", "type": 11, "parent_id": "1"}
    in_category = {"id": "1", "type": 0, "parent_id": "5", "nsfw": True}
    assert channel_row(thread) == ChannelRow(11, parent_id=1)
    assert channel_row(in_category) == ChannelRow(1, nsfw=True)
