"""Pages of a channel that people write in meanwhile."""

from types import SimpleNamespace
from typing import Any

import hikari
from hikari.impl.special_endpoints import MessageIterator

from markov_shard.training.discord_pages import Pages


class Busy:
    """A REST client of one channel in which a message is written between any two requests; hikari's own iterator."""

    def __init__(self, messages: int) -> None:
        self.ids = list(range(1, messages + 1))
        self.requests = 0

    def fetch_messages(self, channel_id: int, *, before: Any, after: Any) -> MessageIterator:
        direction, first = ("before", before or 1 << 63) if after is hikari.UNDEFINED else ("after", after)
        entities: Any = SimpleNamespace(deserialize_message=lambda made: SimpleNamespace(id=int(made["id"])))
        return MessageIterator(entities, self._request, channel_id, direction, first)  # type: ignore[arg-type]

    async def _request(self, *, compiled_route: object, query: Any) -> list[dict[str, str]]:
        self.requests += 1
        assert self.requests < 50, "it runs after what is written"
        if "after" in query:
            found = [made for made in self.ids if made > int(query["after"])][:100]
        else:
            found = [made for made in self.ids if made < int(query["before"])][-100:]
        self.ids.append(len(self.ids) + 1)
        return [{"id": str(made)} for made in reversed(found)]


async def test_a_busy_channel_is_read_up_to_where_its_reading_began() -> None:
    rest: Any = Busy(250)
    pages = Pages(rest)
    newest = await pages.newest(1)
    assert (newest, rest.requests) == (250, 1)
    read, after = [], 0
    while True:
        page = await pages.after(1, after, newest)
        read += [int(message.id) for message in page]
        if len(page) < pages.size:
            break
        after = read[-1]
    assert read == list(range(1, 251))
    assert rest.requests <= 5


async def test_an_empty_channel_has_no_newest_message() -> None:
    rest: Any = Busy(0)
    pages = Pages(rest)
    assert await pages.newest(1) == 0
    assert not await pages.after(1, 0, 0)
