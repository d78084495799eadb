"""Attached files: fetched from Discord's CDN only, streamed to disk, bounded in size and time."""

import ipaddress
import socket
from collections.abc import Collection
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from markov_shard.errors import TrainingInputError

CDN_HOSTS = frozenset({"cdn.discordapp.com", "media.discordapp.net"})
MAX_BYTES = 512 << 20
_MAX_SECONDS = 3600
_PIECE = 1 << 16


def allowed_hosts(rest_url: str) -> frozenset[str]:
    """Discord's CDN or, for a REST_URL on this machine (the stand-in), that server too."""
    parts = urlsplit(rest_url)
    local = parts.hostname in ("127.0.0.1", "localhost", "::1") or (parts.hostname or "").count(".") == 0
    return CDN_HOSTS | {parts.netloc} if local else CDN_HOSTS


_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
"""Where a network without IPv4 reaches it (RFC 6052): the address is the last four bytes."""


def is_public(host: str) -> bool:
    """Whether an address is one of the internet's, whatever it is wrapped in: IPv4 in IPv6, 6to4, Teredo, NAT64."""
    address = ipaddress.ip_address(host)
    if isinstance(address, ipaddress.IPv6Address):
        wrapped = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in _TRANSLATED:
            wrapped.append(ipaddress.IPv4Address(address.packed[-4:]))
        if any(inner is not None and not inner.is_global for inner in wrapped):
            return False
        if address.ipv4_mapped is not None:
            address = address.ipv4_mapped
    return address.is_global and not address.is_multicast


class PublicResolver(AbstractResolver):
    """Names to addresses, but for those of private networks: no name leads a download inside."""

    def __init__(self, resolver: AbstractResolver) -> None:
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The public addresses of a host. Raises TrainingInputError when it has private ones only."""
        found = await self._resolver.resolve(host, port, family)
        public = [result for result in found if is_public(result["host"])]
        if found and not public:
            raise TrainingInputError(f"files are taken from Discord only: {host} leads to a private address here")
        return public

    async def close(self) -> None:
        """Closes the resolver that this one asks."""
        await self._resolver.close()


async def download(
    url: str,
    path: Path,
    *,
    hosts: Collection[str],
    max_bytes: int = MAX_BYTES,
    resolver: AbstractResolver | None = None,
) -> int:
    """Writes the file to `path` and returns its bytes. `resolver`: what knows names' addresses, the system by default.

    Follows no redirect. Raises TrainingInputError for another host, a refusal or too large a file,
    and aiohttp.ClientError or TimeoutError when it is worth trying again.
    """
    parts = urlsplit(url)
    if parts.netloc not in hosts or (parts.scheme != "https" and parts.netloc in CDN_HOSTS):
        raise TrainingInputError(f"files are taken from Discord only, not from {parts.netloc or url[:40]!r}")
    timeout = aiohttp.ClientTimeout(total=_MAX_SECONDS, sock_connect=10, sock_read=30)
    resolver = resolver or aiohttp.ThreadedResolver()
    if parts.netloc in CDN_HOSTS:  # a stand-in lives on this machine
        resolver = PublicResolver(resolver)
    async with (
        aiohttp.TCPConnector(resolver=resolver) as connector,
        aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
        session.get(url, allow_redirects=False) as response,
    ):
        if response.status >= 500 or response.status == 429:
            response.raise_for_status()
        if response.status != 200:
            moved = ", and redirects are not followed" if 300 <= response.status < 400 else ""
            raise TrainingInputError(f"Discord does not give the file: status {response.status}{moved}")
        if (response.content_length or 0) > max_bytes:
            raise TrainingInputError(f"the file is larger than {max_bytes >> 20} MiB")
        written = 0
        with path.open("wb") as file:
            async for piece in response.content.iter_chunked(_PIECE):
                written += len(piece)
                if written > max_bytes:
                    raise TrainingInputError(f"the file is larger than {max_bytes >> 20} MiB")
                file.write(piece)
    return written
