"""discord.py, which somebody else wrote, against the stand-in: only its base URL is changed."""

import io
from collections.abc import AsyncIterator
from typing import Any

import discord
import pytest
import pytest_asyncio

from discord_sim import DEMO_BOT_ID
from discord_sim.chat import Draft
from discord_sim.client import SimClient
from discord_sim.client.core import ControlError
from discord_sim.server import DiscordSim
from tests.integration.discord_sim.conftest import GUILDS, Place, two_guilds
from tests.integration.discord_sim.discord_py_bot import Bot, running
from tests.standin import no_limits, stand_in

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sim() -> AsyncIterator[DiscordSim]:
    async with stand_in(rest_limits=no_limits()) as made:  # else the library waits, as it should
        made.world.applications[DEMO_BOT_ID].shards = 2
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(sim: DiscordSim) -> AsyncIterator[SimClient]:
    async with SimClient(sim.public_url) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def places(client: SimClient) -> list[Place]:
    return await two_guilds(client)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bot(sim: DiscordSim, places: list[Place]) -> AsyncIterator[Bot]:
    async with running(sim) as connected:
        await connected.tree.sync()
        yield connected


@pytest.fixture
def place(places: list[Place]) -> Place:
    return places[0]


@pytest.fixture
def channel(bot: Bot, place: Place) -> discord.TextChannel:
    bot.heard.clear()
    return bot.text(place.channel)


async def test_connects_sharded(bot: Bot, client: SimClient) -> None:
    assert bot.shard_count == 2
    assert sorted((guild.id, guild.shard_id) for guild in bot.guilds) == [(GUILDS[0], 0), (GUILDS[1], 1)]
    assert all(member.name in {"olga", "mira", "Markov"} for guild in bot.guilds for member in guild.members)
    assert [guild.member_count for guild in bot.guilds] == [3, 3]
    assert all(len(guild.members) == 3 for guild in bot.guilds), "members were asked for by opcode 8"
    assert [session["shard"] for session in await client.sessions()] == [[0, 2], [1, 2]]


async def test_receives_messages_with_attachments(bot: Bot, client: SimClient, place: Place) -> None:
    sent = await client.send_message(place.channel, place.member, f"hi <@{place.bot}>", files=[("a.txt", b"text")])
    heard = await bot.event("message", lambda message: str(message.id) == sent["id"])
    assert (heard.content, heard.author.name, heard.guild.id) == (f"hi <@{place.bot}>", "mira", GUILDS[0])
    assert bot.user in heard.mentions
    assert [(file.filename, await file.read()) for file in heard.attachments] == [("a.txt", b"text")]


async def test_sends_messages_with_attachments_embeds_and_replies(
    bot: Bot, client: SimClient, place: Place, channel: discord.TextChannel
) -> None:
    embed = discord.Embed(title="Title", description="Text", colour=0x112233).add_field(name="a", value="b")
    sent = await channel.send("with files", embed=embed, file=discord.File(io.BytesIO(b"\x00\x01"), "b.bin"))
    answer = await sent.reply("a reply", mention_author=False)
    assert await sent.attachments[0].read() == b"\x00\x01"
    seen = {message["id"]: message for message in await client.messages(place.channel)}
    assert seen[str(sent.id)]["embeds"][0]["fields"] == [{"name": "a", "value": "b", "inline": True}]
    assert answer.reference is not None
    assert answer.reference.message_id == sent.id
    heard = await bot.event("message", lambda message: message.id == answer.id)
    assert heard.reference.resolved.id == sent.id
    with pytest.raises(discord.HTTPException) as refused:
        await channel.send("x" * 2001)
    assert (refused.value.status, refused.value.code) == (400, 50035)
    assert "Must be 2000 or fewer in length." in refused.value.text


async def test_a_nonce_that_is_enforced_is_sent_once(channel: discord.TextChannel) -> None:
    first, second = [await channel.send("once", nonce="n-1") for _ in range(2)]
    assert first.id == second.id


async def test_edits_and_deletes(bot: Bot, client: SimClient, place: Place, channel: discord.TextChannel) -> None:
    sent = await channel.send("before")
    await bot.event("message", lambda message: message.id == sent.id)
    await sent.edit(content="after", suppress=True)
    before, after = await bot.event("message_edit", lambda before, after: after.id == sent.id)
    assert (before.content, after.content) == ("before", "after")
    assert after.edited_at is not None
    assert after.flags.suppress_embeds
    await sent.delete()
    assert (await bot.event("message_delete", lambda message: message.id == sent.id)).content == "after"
    with pytest.raises(discord.NotFound) as gone:
        await channel.fetch_message(sent.id)
    assert gone.value.code == 10008
    theirs = await client.send_message(place.channel, place.member, "mine")
    await client.edit_message(place.channel, theirs["id"], "mine, edited")
    payload = await bot.event("raw_message_edit", lambda payload: str(payload.message_id) == theirs["id"])
    assert payload.data["content"] == "mine, edited"
    many = [await channel.send(str(number)) for number in range(3)]
    await channel.delete_messages(many)
    bulk = await bot.event("raw_bulk_message_delete")
    assert bulk.message_ids == {message.id for message in many}


async def test_pages_a_history(client: SimClient, bot: Bot, place: Place) -> None:
    made = await client.create_channel(place.guild, "archive")
    await client.generate_history(made["id"], 350)
    await bot.event("guild_channel_create", lambda channel: str(channel.id) == made["id"])
    archive = bot.text(made["id"])
    newest = [message async for message in archive.history(limit=None)]
    assert len(newest) == 350
    assert [m.id for m in newest] == sorted((m.id for m in newest), reverse=True)
    oldest = [message.id async for message in archive.history(limit=None, oldest_first=True)]
    assert oldest == [message.id for message in reversed(newest)]
    middle = newest[100]
    around = [message.id async for message in archive.history(limit=11, around=middle)]
    assert around == [message.id for message in newest[95:106]]


async def test_reactions_pins_and_typing(
    bot: Bot, client: SimClient, place: Place, channel: discord.TextChannel
) -> None:
    sent = await channel.send("react")
    await sent.add_reaction("🙂")
    await client.react(place.channel, str(sent.id), place.member, "🙂")
    await bot.event("raw_reaction_add", lambda payload: payload.user_id == int(place.member))
    fetched = await channel.fetch_message(sent.id)
    assert [(str(reaction.emoji), reaction.count, reaction.me) for reaction in fetched.reactions] == [("🙂", 2, True)]
    assert {user.name async for user in fetched.reactions[0].users()} == {"mira", "Markov"}
    await fetched.clear_reactions()
    await bot.event("raw_reaction_clear")
    await sent.pin()
    assert [message.id async for message in channel.pins()] == [sent.id]
    await bot.event("guild_channel_pins_update")
    await sent.unpin()
    assert [message async for message in channel.pins()] == []
    async with channel.typing():
        pass
    await client.type(place.channel, place.member)
    _, user, _ = await bot.event("typing", lambda where, user, when: user.id == int(place.member))
    assert user.name == "mira"


async def test_threads(bot: Bot, client: SimClient, place: Place, channel: discord.TextChannel) -> None:
    sent = await channel.send("a subject")
    thread = await sent.create_thread(name="subject", auto_archive_duration=60)
    assert thread.id == sent.id
    assert thread.owner_id == DEMO_BOT_ID
    await bot.event("thread_create", lambda made: made.id == thread.id)
    await client.send_message(str(thread.id), place.member, "inside")
    heard = await bot.event("message", lambda message: message.content == "inside")
    assert heard.channel.id == thread.id
    assert heard.channel.parent_id == channel.id
    await thread.edit(name="renamed", archived=True)
    _, after = await bot.event("thread_update", lambda before, after: after.archived)
    assert after.name == "renamed"
    assert [item.id async for item in channel.archived_threads()] == [thread.id]
    private = await channel.create_thread(name="private", type=discord.ChannelType.private_thread)
    member = bot.guilds[0].get_member(int(place.member))
    assert member is not None
    await private.add_user(member)
    assert {item.id for item in await private.fetch_members()} == {DEMO_BOT_ID, member.id}
    await private.remove_user(member)
    await private.edit(archived=True, locked=True)
    assert [item.id async for item in channel.archived_threads(private=True)] == [private.id]
    assert [item.id async for item in channel.archived_threads(private=True, joined=True)] == [private.id]
    await thread.delete()
    await bot.event("raw_thread_delete", lambda payload: payload.thread_id == thread.id)


async def test_commands_are_answered(client: SimClient, bot: Bot, place: Place) -> None:
    done = await client.run_command(
        place.channel, place.member, "say", {"text": "hey", "times": 3, "where": place.channel, "who": place.owner}
    )
    assert done["response"]["content"] == "hey hey hey general olga"
    with pytest.raises(ControlError, match="lacks the permissions"):
        await client.run_command(place.channel, place.member, "list add", {"kind": "f"})
    done = await client.run_command(place.channel, place.owner, "list add", {"kind": "f"})
    done = await client.wait_for_interaction(done["id"], lambda now: now["response"]["edited_timestamp"] is not None)
    assert done["response"]["content"] == "added f for good"
    with pytest.raises(ControlError, match="choices"):
        await client.run_command(place.channel, place.owner, "list add", {"kind": "b"})


async def test_deferral_and_follow_ups(client: SimClient, bot: Bot, place: Place) -> None:
    done = await client.run_command(
        place.channel, place.member, "think", {"file": 0}, files=[("file.bin", b"\x01" * 700)]
    )
    done = await client.wait_for_interaction(done["id"], lambda now: len(now["followups"]) == 1)
    assert done["ephemeral"]
    assert done["response"]["content"] == "read 700 bytes"
    assert done["followups"][0]["attachments"][0]["size"] == 700
    page = await client.messages(place.channel, user=place.owner)
    assert all(message["id"] != done["response"]["id"] for message in page), "only the member who asked sees it"


async def test_select_menus_and_buttons(client: SimClient, bot: Bot, place: Place) -> None:
    offered = (await client.run_command(place.channel, place.member, "choose"))["response"]
    await client.choose(offered["id"], place.member, "word", ["red", "blue"])
    changed = next(m for m in await client.messages(place.channel) if m["id"] == offered["id"])
    assert changed["content"] == "chose red and blue"
    done = await client.choose(offered["id"], place.member, "who", [place.owner])
    assert (done["response"]["content"], done["ephemeral"]) == ("chose olga", True)
    await client.press(offered["id"], place.member, "more")
    changed = next(m for m in await client.messages(place.channel) if m["id"] == offered["id"])
    assert "Much more" in [part.get("label") for row in changed["components"] for part in row["components"]]
    with pytest.raises(ControlError, match="takes 1 to 2 choices"):
        await client.choose(offered["id"], place.member, "word", ["red", "blue", "green"])


async def test_modals(client: SimClient, bot: Bot, place: Place) -> None:
    offered = (await client.run_command(place.channel, place.member, "choose"))["response"]
    shown = await client.press(offered["id"], place.member, "ask")
    assert shown["modal"]["title"] == "A question"
    done = await client.submit_modal(shown["id"], place.member, {"name": "mira"})
    assert done["response"]["content"] == "hello mira"
    with pytest.raises(ControlError, match="required"):
        await client.submit_modal(shown["id"], place.member, {"name": ""})


async def test_autocomplete_and_context_menus(client: SimClient, bot: Bot, place: Place) -> None:
    found = await client.suggestions(place.channel, place.member, "fruit", "name", {"name": "ap"})
    assert [item["value"] for item in found] == ["apple", "apricot"]
    done = await client.run_on_target(place.channel, place.member, "Greet", place.owner)
    assert done["response"]["content"] == "hello olga"
    said = await client.send_message(place.channel, place.owner, "wise words")
    done = await client.run_on_target(place.channel, place.member, "Quote", said["id"])
    assert (done["response"]["content"], done["ephemeral"]) == ("> wise words", True)


async def test_roles_overwrites_and_channels(
    bot: Bot, client: SimClient, place: Place, channel: discord.TextChannel
) -> None:
    guild = channel.guild
    role = await guild.create_role(name="helpers", permissions=discord.Permissions(manage_messages=True))
    await bot.event("guild_role_create", lambda made: made.id == role.id)
    member = guild.get_member(int(place.member))
    assert member is not None
    await member.add_roles(role)
    _, after = await bot.event("member_update", lambda before, after: role in after.roles)
    assert channel.permissions_for(after).manage_messages
    made = await guild.create_text_channel("staff", overwrites={role: discord.PermissionOverwrite(send_messages=False)})
    await bot.event("guild_channel_create", lambda found: found.id == made.id)
    assert not made.permissions_for(after).send_messages
    with pytest.raises(ControlError, match="Missing Permissions"):
        await client.send_message(str(made.id), place.member, "may I?")
    await made.set_permissions(role, overwrite=None)
    await client.send_message(str(made.id), place.member, "I may")
    await made.edit(name="crew", topic="about", slowmode_delay=5)
    _, changed = await bot.event("guild_channel_update", lambda before, after: after.name == "crew")
    assert (changed.topic, changed.slowmode_delay) == ("about", 5)
    await made.delete()
    await bot.event("guild_channel_delete", lambda found: found.id == made.id)
    await member.remove_roles(role)
    await member.edit(nick="M")
    await bot.event("member_update", lambda before, after: after.nick == "M")
    await role.delete()
    await bot.event("guild_role_delete", lambda found: found.id == role.id)


async def test_webhooks(bot: Bot, client: SimClient, place: Place, channel: discord.TextChannel) -> None:
    made = await channel.create_webhook(name="Herald")
    assert [found.id for found in await channel.webhooks()] == [made.id]
    sent = await made.send("news", username="Crier", wait=True)
    heard = await bot.event("message", lambda message: message.id == sent.id)
    assert (heard.webhook_id, heard.author.name, heard.author.bot) == (made.id, "Crier", True)
    await sent.edit(content="old news")
    await sent.delete()
    await bot.event("message_delete", lambda message: message.id == sent.id)
    await made.delete()
    assert await channel.webhooks() == []


async def test_direct_messages(bot: Bot, client: SimClient, place: Place) -> None:
    user = await bot.fetch_user(int(place.member))
    sent = await user.send("between us")
    await client.send_message(str(sent.channel.id), place.member, "and back")
    heard = await bot.event("message", lambda message: message.content == "and back")
    assert heard.guild is None
    done = await client.run_command(str(sent.channel.id), place.member, "say", {"text": "alone"})
    assert done["response"]["content"] == "alone"


async def test_a_429_is_obeyed(client: SimClient, place: Place, channel: discord.TextChannel) -> None:
    for scope in ("user", "global", "shared"):
        await client.clear_log()
        await client.fail_requests("/messages$", 429, retry_after=0.05, scope=scope)
        sent = await channel.send(scope)
        first, second = await client.requests("POST", f"/channels/{place.channel}/messages$")
        assert [first["status"], second["status"]] == [429, 200]
        assert second["at"] - first["at"] >= 0.05
        assert sent.content == scope


async def test_members_come_and_go(bot: Bot, client: SimClient, places: list[Place]) -> None:
    there = places[1]
    joined = await client.add_member(there.guild, "tobi")
    assert (await bot.event("member_join")).name == "tobi"
    guild = bot.get_guild(int(there.guild))
    assert guild is not None
    assert [member.name for member in await guild.query_members("to")] == ["tobi"]
    fetched = {member.name async for member in guild.fetch_members(limit=None)}
    assert fetched == {"olga", "mira", "Markov", "tobi"}
    await client.remove_member(there.guild, joined["id"])
    assert (await bot.event("member_remove")).name == "tobi"


async def test_an_outage_is_no_removal(bot: Bot, client: SimClient, places: list[Place]) -> None:
    there = places[1]
    await client.outage(there.guild, unavailable=True)
    await bot.event("guild_unavailable", lambda guild: str(guild.id) == there.guild)
    await client.outage(there.guild, unavailable=False)
    await bot.event("guild_available", lambda guild: str(guild.id) == there.guild)
    bot.heard.clear()
    await client.remove_member(there.guild, there.bot)
    await bot.event("guild_remove", lambda guild: str(guild.id) == there.guild)
    await client.invite_bot(there.guild, there.bot)
    await bot.event("guild_join", lambda guild: str(guild.id) == there.guild)


async def _missed(bot: Bot, sim: DiscordSim, place: Place, how: str, **more: Any) -> list[str]:
    """Ends shard 0's connection and writes at once; what was written and what the library heard of it, in order."""
    bot.heard.clear()
    channel, member = sim.world.channels[int(place.channel)], sim.world.users[int(place.member)]
    assert sim.faults.add({"disconnect": {"shard_id": 0, "how": how, **more}}) == 1
    sim.chat.post(channel, member, Draft(f"missed 1 {how}"))
    sim.chat.post(channel, member, Draft(f"missed 2 {how}"))
    await bot.event("message", lambda message: message.content == f"missed 2 {how}")
    return [args[0].content for name, args in bot.heard if name == "message"]


@pytest.mark.parametrize("how", ["cut", "close", "reconnect"])
async def test_resumes_and_hears_what_it_missed(
    how: str, bot: Bot, sim: DiscordSim, client: SimClient, place: Place
) -> None:
    await client.clear_log()
    heard = await _missed(bot, sim, place, how)
    assert heard == [f"missed 1 {how}", f"missed 2 {how}"]
    assert await bot.event("shard_resumed") == 0
    opened = [(entry["t"], entry["accepted"]) for entry in await client.log("session")]
    assert opened == [("RESUME", True)]


async def test_opcode_9_ends_a_session_or_not(bot: Bot, client: SimClient, place: Place) -> None:
    await client.clear_log()
    bot.heard.clear()
    await client.disconnect(0, how="invalid", resumable=True)
    assert await bot.event("shard_resumed") == 0
    await client.disconnect(0, how="invalid", resumable=False)
    assert await bot.event("shard_ready") == 0
    opened = [(entry["t"], entry["accepted"]) for entry in await client.log("session")]
    assert opened == [("RESUME", True), ("IDENTIFY", True)]


async def test_a_refused_resume_leads_to_an_identify(bot: Bot, sim: DiscordSim, client: SimClient) -> None:
    await client.clear_log()
    bot.heard.clear()
    await client.disconnect(0, how="cut", forget=True)
    assert await bot.event("shard_ready") == 0
    opened = [(entry["t"], entry["accepted"]) for entry in await client.log("session")]
    assert opened == [("RESUME", False), ("IDENTIFY", True)]


async def test_dispatches_can_be_doubled_turned_round_and_lost(bot: Bot, client: SimClient, place: Place) -> None:
    async def heard(count: int, **trouble: object) -> list[str]:
        bot.heard.clear()
        await client.trouble_gateway(**trouble)
        for number in range(1, 4):
            await client.send_message(place.channel, place.member, str(number))
        await client.trouble_gateway()
        await client.send_message(place.channel, place.member, "end")
        await bot.event("message", lambda message: message.content == "end")
        found = [args[0].content for name, args in bot.heard if name == "message"]
        assert len(found) == count + 1
        return found

    assert await heard(6, duplicate=1.0) == ["1", "1", "2", "2", "3", "3", "end"]
    assert await heard(0, drop=1.0) == ["end"]
    assert sorted(await heard(3, reorder=0.5, seed=1)) == ["1", "2", "3", "end"]
