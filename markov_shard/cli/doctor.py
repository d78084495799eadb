"""`markov-shard doctor`: is everything there that a fleet needs, and if not, how to mend it."""

import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass

import aiohttp
import click

from markov_shard.cli.options import data_dir_option, json_option, prepare, print_json, run
from markov_shard.errors import MarkovShardError, SettingsError
from markov_shard.runtime import service_urls
from markov_shard.settings import Settings, reveal
from markov_shard.shared.connect import connect_redis
from markov_shard.store.migrate import check_schema
from markov_shard.store.pool import Database

_MESSAGE_CONTENT = (1 << 18) | (1 << 19)  # application flags: the intent, granted or limited
_ENOUGH_BYTES = 2 << 30


@dataclass(frozen=True)
class Check:
    """One thing looked at. `mend` says what to do when it is not ok."""

    name: str
    ok: bool
    text: str
    mend: str = ""


@click.command()
@data_dir_option
@json_option
def command(data_dir: str | None, as_json: bool) -> None:
    """Checks settings, token, intents, Postgres, Redis, migrations and disk; says how to mend each."""
    checks = run(_all_checks(data_dir))
    if as_json:
        print_json({"checks": [asdict(check) for check in checks]})
    else:
        for check in checks:
            click.echo(f"{'ok  ' if check.ok else 'FAIL'} {check.name}: {check.text}")
            if check.mend:
                click.echo(f"     → {check.mend}")
    if not all(check.ok for check in checks):
        sys.exit(1)


async def _all_checks(data_dir: str | None) -> list[Check]:
    try:
        settings = prepare("doctor", quiet=True, data_dir=data_dir)
    except SettingsError as error:
        return [Check("settings", False, str(error), "correct it in the environment, .env or config.json5")]
    found = [Check("settings", True, "all values are allowed")]
    found.append(await _token(settings))
    found += [check async for check in _servers(settings)]
    found.append(_disk(settings))
    return found


async def _token(settings: Settings) -> Check:
    token = reveal(settings.token)
    if not token:
        return Check("token", True, "no TOKEN is set: `markov-shard up` uses the local stand-in for Discord")
    url = f"{settings.rest_url}/applications/@me"
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
            session.get(url, headers={"Authorization": f"Bot {token}"}) as response,
        ):
            if response.status == 401:
                mend = "copy the token anew from the Developer Portal (Bot, Reset Token) into TOKEN"
                return Check("token", False, "Discord refuses the token", mend)
            application = await response.json()
            flags = int(application.get("flags", 0))
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return Check("token", False, f"Discord cannot be asked: {error}", "check the network and REST_URL")
    if not flags & _MESSAGE_CONTENT:
        mend = "switch on Message Content in the Developer Portal (Bot, Privileged Gateway Intents)"
        return Check("token", False, "the bot may not read messages", mend)
    return Check("token", True, f"Discord knows the bot as {application.get('name', 'unnamed')}")


async def _servers(settings: Settings) -> AsyncIterator[Check]:
    mend = "start the server or correct DATABASE_URL / REDIS_URL; without them embedded servers are used"
    try:
        async with service_urls(settings) as urls:
            yield await _postgres(urls.database, embedded=settings.database_url is None)
            yield await _redis(urls.redis)
    except MarkovShardError as error:
        yield Check("servers", False, str(error), mend)


async def _postgres(url: str, *, embedded: bool) -> Check:
    try:
        async with await Database.open(url, size=1) as database, database.connection() as connection:
            version = await connection.fetchval("SHOW server_version")
            if embedded:
                return Check("postgres", True, f"embedded, version {version}; `up` migrates it by itself")
            await check_schema(connection, database.place)
    except MarkovShardError as error:
        return Check("postgres", False, str(error), "start it, correct DATABASE_URL, or run `markov-shard migrate`")
    return Check("postgres", True, f"version {version} at {database.place}, schema up to date")


async def _redis(url: str) -> Check:
    try:
        redis = await connect_redis(url)
    except MarkovShardError as error:
        return Check("redis", False, str(error), "start it or correct REDIS_URL")
    try:
        policy = (await redis.config_get("maxmemory-policy")).get("maxmemory-policy", "")
    finally:
        await redis.aclose()
    if policy not in ("noeviction", "volatile-lru"):
        mend = "set `maxmemory-policy volatile-lru`: other policies may evict leases and sessions"
        return Check("redis", False, f"its maxmemory-policy is {policy}", mend)
    return Check("redis", True, f"answers, maxmemory-policy {policy}")


def _disk(settings: Settings) -> Check:
    folder = settings.data_dir.absolute()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    text = f"{free / 2**30:.1f} GiB free for {settings.data_dir}"
    return Check("disk", free >= _ENOUGH_BYTES, text, "" if free >= _ENOUGH_BYTES else "2 GiB at least should be free")
