"""Our registration with uppers: challenged, kept, lost, found again (GB/T 28181 §9.1, §9.6)."""

import asyncio
from dataclasses import replace

import pytest

from gongshi.signalling.uppers.states import STATES, TABLE
from integration.cascade.conftest import NODE, PACE, World, registered
from integration.cascade.scripted import ScriptedUpper
from integration.signalling.conftest import until


def link_of(world):
    (link,) = list(world.uppers.links)
    return link


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "SM3"])
async def test_it_registers_with_the_digest_that_is_asked_for(world, upper, transport, algorithm):
    upper.algorithm, upper.version = algorithm, "3.0"
    async with registered(world, upper, transport=transport) as number:
        link = link_of(world)
        await until(lambda: link.state == "registered")
        first = upper.registers[0]
        assert first.headers.get("X-GB-Ver") == "3.0"
        assert first.from_.user == first.to.user == NODE
        assert first.uri == f"sip:{upper.code}@{upper.code[:10]}"
        assert upper.registers[1].call_id == first.call_id
        assert upper.registers[1].cseq.number == first.cseq.number + 1
        assert link.edition.value == "2022"
        # Its clock is far off, and ours does not care.
        assert link.clock_offset is not None
        assert abs(link.clock_offset) > 86_400
        rows = await until(lambda: world.rows("SELECT state FROM signalling.upper WHERE state = 'registered'"))
        assert rows == [("registered",)]
        events = await world.rows("SELECT payload FROM system.outbox WHERE name = 'signalling.upper.registered'")
        assert events[0][0]["id"] == number
        await until(lambda: upper.keepalives >= 2)
        await world.stop()
        assert upper.unregistered == 1


async def test_a_wrong_password_is_a_reason_and_is_tried_again_later(world, upper):
    await world.add(upper, password="something else")
    await world.start()
    link = link_of(world)
    await until(lambda: link.state == "failing")
    assert link.reason == "403 Forbidden"
    upper.password = "something else"
    await asyncio.wait_for(upper.bound.wait(), 10)
    await until(lambda: link.state == "registered")


async def test_an_upper_that_restarts_is_found_again(world, upper):
    """It forgot us: its first refusal of a keepalive sends us back to it at once."""
    async with registered(world, upper):
        link = link_of(world)
        await until(lambda: upper.keepalives)
        before = len(upper.registers)
        upper.keepalive_status = 403
        await until(lambda: len(upper.registers) > before)
        upper.keepalive_status = 200
        await until(lambda: link.state == "registered")


async def test_silence_is_counted_and_ends_the_registration(world, upper):
    async with registered(world, upper, keepalive_misses=2):
        link = link_of(world)
        await until(lambda: link.state == "registered")
        seen = []
        link._changed = lambda told: seen.append((told.state, told.reason))
        upper.deaf = True
        await until(lambda: ("trying", "keepalive_unanswered") in seen, 20)
        await until(lambda: link.state == "failing", 20)
        upper.deaf = False
        await until(lambda: link.state == "registered", 20)


async def test_a_lost_connection_is_opened_again(world, upper):
    async with registered(world, upper, transport="tcp"):
        link = link_of(world)
        await until(lambda: link.state == "registered")
        first = upper.flow
        upper.bound.clear()
        upper.drop_connections()
        await asyncio.wait_for(upper.bound.wait(), 10)
        assert upper.flow != first
        await until(lambda: link.state == "registered")


async def test_it_is_renewed_in_time(world, upper):
    upper.expires = 1
    async with registered(world, upper):
        before = len(upper.registers)
        await until(lambda: len(upper.registers) >= before + 4, 10)
        assert link_of(world).state in {"registered", "refreshing"}


async def test_a_redirect_is_followed_once_and_only_where_it_may_lead(world, upper):
    async with ScriptedUpper(code="34000000002000000002").on() as second:
        upper.redirect = f"<sip:{second.code}@127.0.0.1:{second.port}>"
        number = await world.add(upper)
        await world.start()
        link = link_of(world)
        await until(lambda: link.state == "failing")
        assert link.reason == f"redirect_untrusted 127.0.0.1:{second.port}"
        assert second.registers == []
        await world.execute(
            "UPDATE signalling.upper SET redirects = ARRAY[:r], version = version + 1", r=f"127.0.0.1:{second.port}"
        )
        await world.uppers.reload(number)
        await asyncio.wait_for(second.bound.wait(), 10)
        assert second.registers[0].uri == f"sip:{second.code}@{second.code[:10]}"
        # A second redirect is one too many.
        second.redirect = upper.redirect
        second.keepalive_status = 403
        link = link_of(world)
        await until(lambda: link.reason == "redirected_twice")


async def test_the_address_that_it_sees_us_at_goes_into_contact(world, upper):
    """Q-02: an upper that routes to Contact must find a way back to us."""
    async with registered(world, upper, contact="203.0.113.9:5070"):
        assert upper.registers[0].headers.get("Contact") == f"<sip:{NODE}@203.0.113.9:5070>"


async def test_a_changed_account_registers_anew_and_a_removed_one_never(world, upper):
    async with registered(world, upper) as number:
        await world.execute("UPDATE signalling.upper SET enabled = false WHERE id = :i", i=number)
        await world.uppers.reload(number)
        assert upper.unregistered == 1
        assert link_of(world).state == "off"
        await world.execute("UPDATE signalling.upper SET removed_at = now() WHERE id = :i", i=number)
        await world.uppers.reload(number)
        assert list(world.uppers.links) == []


async def test_of_two_processes_one_registers_and_the_other_takes_over(world, upper):
    """Several signalling processes may share a database; an upper must see one of them."""
    async with registered(world, upper):
        second = World(world.database, world.url, cameras=world.cameras)
        await second.start(replace(PACE, contend=0.1))
        await asyncio.sleep(0.5)
        assert list(second.uppers.links) == []
        upper.bound.clear()
        # It dies without a word: its connection to the database ends, and nothing is said to the upper.
        await world.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = "
            "(SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        await asyncio.wait_for(upper.bound.wait(), 15)
        # Whoever it was: only one is registered.
        await until(lambda: len(list(world.uppers.links)) + len(list(second.uppers.links)) == 1, 15)
        await second.stop()


def test_the_table_leads_nowhere_and_leaves_nobody_out():
    """Every state can be reached and left, and every state can be stopped."""
    assert {state for state, _ in TABLE} == set(STATES)
    assert set(TABLE.values()) == set(STATES)
    assert all((state, "stop") in TABLE for state in STATES)
