"""The platform registers, stays registered and comes back after every kind of failure."""

import asyncio
from collections.abc import Callable

from gongshi.protocols.codes import Edition
from gongshi.simulator import PlatformConfig, SimulatedPlatform
from integration.simulator.upper import Upper


async def until(condition: Callable[[], bool], seconds: float = 8.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def test_registers_with_digest_keeps_alive_and_unregisters(upper: Upper, config: PlatformConfig) -> None:
    async with SimulatedPlatform(config) as platform:
        await platform.wait_registered()
        first, second = upper.registers[:2]
        assert first.headers.get("Authorization") is None
        assert second.headers.get("Authorization") is not None
        assert second.call_id == first.call_id
        assert second.cseq.number == first.cseq.number + 1
        assert second.expires == 86_400
        await until(lambda: upper.keepalives >= 3)
        assert config.code in upper.bindings
    assert upper.registers[-1].expires == 0
    assert config.code not in upper.bindings


async def test_registers_over_tcp_and_again_when_the_connection_breaks(upper: Upper, config: PlatformConfig) -> None:
    config.transport = "tcp"
    async with SimulatedPlatform(config) as platform:
        await platform.wait_registered()
        assert upper.bindings[config.code].transport == "TCP"
        before = upper.bindings[config.code].connection
        upper.drop_connections()
        await until(lambda: upper.bindings[config.code].connection > before)
        await platform.wait_registered()


async def test_a_wrong_password_is_refused_and_retried_until_it_is_right(upper: Upper, config: PlatformConfig) -> None:
    config.faults.wrong_password = True
    async with SimulatedPlatform(config) as platform:
        await until(lambda: platform.registration.refusals >= 3)
        assert not platform.registration.registered.is_set()
        assert not upper.bindings
        platform.faults.wrong_password = False
        await platform.wait_registered()


async def test_a_keepalive_answered_403_leads_to_a_new_registration(upper: Upper, config: PlatformConfig) -> None:
    async with SimulatedPlatform(config) as platform:
        await platform.wait_registered()
        seen = len(upper.registers)
        upper.keepalive_status = 403
        await until(lambda: len(upper.registers) >= seen + 2)
        upper.keepalive_status = 200
        answered = platform.registration.keepalives
        await until(lambda: platform.registration.keepalives > answered)


async def test_a_silent_server_makes_it_offline_and_it_comes_back(upper: Upper, config: PlatformConfig) -> None:
    async with SimulatedPlatform(config) as platform:
        await platform.wait_registered()
        upper.deaf = True
        await until(lambda: not platform.registration.registered.is_set())
        upper.deaf = False
        # A REGISTER that nobody heard is repeated by the transaction layer, so this is quick.
        await platform.wait_registered()


async def test_dropped_keepalives_are_not_sent(upper: Upper, config: PlatformConfig) -> None:
    config.faults.drop_keepalives = True
    async with SimulatedPlatform(config) as platform:
        await platform.wait_registered()
        await asyncio.sleep(0.2)
        assert upper.keepalives == 0
        platform.faults.drop_keepalives = False
        await until(lambda: upper.keepalives > 0)


async def test_a_2022_platform_names_its_version(upper: Upper, config: PlatformConfig) -> None:
    config.edition = Edition.E2022
    async with SimulatedPlatform(config) as platform:
        await platform.wait_registered()
    assert {request.gb_version for request in upper.registers} == {"3.0"}


async def test_a_refusal_other_than_401_is_retried(upper: Upper, config: PlatformConfig) -> None:
    upper.register_status = 500
    async with SimulatedPlatform(config) as platform:
        await until(lambda: platform.registration.refusals >= 2)
        upper.register_status = 200
        await platform.wait_registered()
