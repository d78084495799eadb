"""Attached files: fetched from Discord's CDN only, streamed to disk, bounded in size."""

from collections.abc import Collection
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from markov_shard.errors import TrainingInputError

CDN_HOSTS = frozenset({"cdn.discordapp.com", "media.discordapp.net"})
MAX_BYTES = 512 << 20
_PIECE = 1 << 16


def allowed_hosts(rest_url: str) -> frozenset[str]:
    """Discord's CDN or, for a REST_URL on this machine (the stand-in), that server too."""
    parts = urlsplit(rest_url)
    local = parts.hostname in ("127.0.0.1", "localhost", "::1") or (parts.hostname or "").count(".") == 0
    return CDN_HOSTS | {parts.netloc} if local else CDN_HOSTS


async def download(url: str, path: Path, *, hosts: Collection[str], max_bytes: int = MAX_BYTES) -> int:
    """Writes the file to `path` and returns its bytes.

    Follows no redirect. Raises TrainingInputError for another host, a refusal or too large a file, and
    aiohttp.ClientError or TimeoutError when it is worth trying again.
    """
    parts = urlsplit(url)
    if parts.netloc not in hosts or (parts.scheme != "https" and parts.netloc in CDN_HOSTS):
        raise TrainingInputError(f"files are taken from Discord only, not from {parts.netloc or url[:40]!r}")
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=30)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.get(url, allow_redirects=False) as response,
    ):
        if response.status >= 500:
            response.raise_for_status()
        if response.status != 200:
            raise TrainingInputError(f"Discord does not give the file: status {response.status}")
        written = 0
        with path.open("wb") as file:
            async for piece in response.content.iter_chunked(_PIECE):
                written += len(piece)
                if written > max_bytes:
                    raise TrainingInputError(f"the file is larger than {max_bytes >> 20} MiB")
                file.write(piece)
    return written
