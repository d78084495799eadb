"""What REDIS_URL may be."""

import pytest
from redis.asyncio import RedisCluster
from redis.exceptions import OutOfMemoryError

from markov_shard.errors import RedisUnavailableError
from markov_shard.shared.connect import _client, connect_redis, place_of, redis_errors, server_of


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("redis://u:secret@h/3", "h:6379/3"),
        ("unix:///run/valkey.sock", "socket /run/valkey.sock"),
        ("redis+cluster://u:secret@a:7000,b", "cluster of a:7000, b:6379"),
        ("rediss+cluster://[::1]:7000,[::2]", "cluster of ::1:7000, ::2:6379"),
        ("redis+sentinel://u:secret@a,b:26380/mymaster?db=2", "mymaster of Sentinel a:26379, b:26380"),
    ],
)
def test_where_it_points_is_said_without_the_password(url: str, place: str) -> None:
    assert place_of(url) == place


async def test_a_clusters_client_knows_user_password_and_nodes() -> None:
    client = _client("rediss+cluster://shard:p%40ss@a:7000,b", "tests")
    assert isinstance(client, RedisCluster)
    options = client.connection_kwargs
    assert (options["username"], options["password"], options["client_name"]) == ("shard", "p@ss", "tests")
    assert {node.name for node in client.nodes_manager.startup_nodes.values()} == {"a:7000", "b:6379"}


async def test_a_primary_is_asked_of_sentinels() -> None:
    url = "redis+sentinel://u:p@a,b:26380/mymaster?db=2&sentinel_password=s"
    client = _client(url, "tests")
    assert server_of(client) == "mymaster of Sentinel"
    options = client.connection_pool.connection_kwargs
    assert (options["db"], options["username"], options["password"]) == (2, "u", "p")
    sentinels = client.connection_pool.sentinel_manager.sentinels
    assert [s.connection_pool.connection_kwargs["host"] for s in sentinels] == ["a", "b"]
    assert sentinels[0].connection_pool.connection_kwargs["password"] == "s"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("redis+sentinel://a,b", "names the primary"),
        ("redis+cluster://", "names no host"),
        ("redis+cluster://a:port", "port"),
        ("redis+sentinel://a/m?dp=1", "no option 'dp'"),
        ("http://a", "scheme"),
    ],
)
async def test_what_cannot_be_understood_says_why(url: str, reason: str) -> None:
    with pytest.raises(RedisUnavailableError, match=f"REDIS_URL cannot be understood: .*{reason}"):
        await connect_redis(url)


async def test_what_the_client_stumbles_over_is_a_redis_out_of_reach() -> None:
    client = _client("redis://127.0.0.1:9", "tests")
    connection = client.connection_pool.make_connection()
    with pytest.raises(RedisUnavailableError, match="has no attribute 'writelines'"), redis_errors("here"):
        await connection._send_packed_command([b"PING"])  # dropped by another task
    with pytest.raises(AttributeError, match="of ours"), redis_errors("here"):
        raise AttributeError("a fault of ours")


def test_a_server_that_is_full_is_as_good_as_away() -> None:
    with pytest.raises(RedisUnavailableError, match="command not allowed when used memory"), redis_errors("h:6379/0"):
        raise OutOfMemoryError("command not allowed when used memory > 'maxmemory'.")
