"""Where files are taken from: Discord's CDN, and no address of a private network."""

import socket
from pathlib import Path

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from markov_shard.errors import TrainingInputError
from markov_shard.training.downloads import CDN_HOSTS, PublicResolver, allowed_hosts, download, is_public

PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fd00::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:a9fe:a9fe",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
]
PUBLIC = ["162.159.130.233", "2606:4700::6810:1", "::ffff:162.159.130.233", "64:ff9b::a29f:82e9"]


class Names(AbstractResolver):
    """Knows one answer to every question."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self.addresses
        ]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_told_whatever_it_is_wrapped_in(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_allowed(address: str) -> None:
    assert is_public(address)


async def test_of_a_names_addresses_the_public_ones_are_asked() -> None:
    found = await PublicResolver(Names("127.0.0.1", "162.159.130.233", "::1")).resolve("cdn.discordapp.com")
    assert [result["host"] for result in found] == ["162.159.130.233"]


@pytest.mark.parametrize("address", PRIVATE)
async def test_a_name_of_discords_that_leads_inside_is_not_followed(tmp_path: Path, address: str) -> None:
    path, names = tmp_path / "chat.json", Names(address)
    with pytest.raises(TrainingInputError) as caught:
        await download("https://cdn.discordapp.com/a/chat.json", path, hosts=CDN_HOSTS, resolver=names)
    assert str(caught.value) == (
        "files are taken from Discord only: cdn.discordapp.com leads to a private address here"
    )
    assert names.asked == ["cdn.discordapp.com"]
    assert not path.exists()


@pytest.mark.parametrize(
    "url",
    [
        "http://cdn.discordapp.com/a/chat.json",  # in the clear
        "https://cdn.discordapp.com.evil.example/chat.json",
        "https://cdn.discordapp.com@evil.example/chat.json",
        "https://evil.example\\@cdn.discordapp.com/chat.json",
        "https://cdn.discordapp.com:8443/chat.json",
        "https://127.0.0.1/chat.json",
        "https://[::1]/chat.json",
        "file:///etc/passwd",
        "ftp://cdn.discordapp.com/chat.json",
        "//cdn.discordapp.com/chat.json",
        "chat.json",
        "",
    ],
)
async def test_other_places_are_refused_unasked(tmp_path: Path, url: str) -> None:
    path, names = tmp_path / "chat.json", Names("162.159.130.233")
    with pytest.raises(TrainingInputError, match="files are taken from Discord only, not from"):
        await download(url, path, hosts=allowed_hosts("https://discord.com/api/v10"), resolver=names)
    assert names.asked == []
    assert not path.exists()
