"""Catalogue in packets with every mischief it can be told to do, and the other queries."""

import asyncio
from time import monotonic

import pytest

from gongshi.protocols.codes import Edition
from gongshi.protocols.manscdp import (
    CatalogCollector,
    CatalogResponse,
    CollectState,
    DeviceInfo,
    DeviceStatus,
    build_query,
)
from gongshi.protocols.sip import MANSCDP, Uri, new_request
from gongshi.simulator import PlatformConfig, SimulatedPlatform
from integration.simulator.upper import Upper


async def collect(upper: Upper, platform: SimulatedPlatform, device: str) -> tuple[CatalogCollector, int]:
    """Ask for the catalogue and take packets until the platform says that it sent the last; the packets' number."""
    done = platform.answers.catalogues
    sn, response = await upper.ask("Catalog", platform.config.code, device)
    assert response.status == 200
    collector = CatalogCollector(device, sn, monotonic())
    packets = 0
    async with asyncio.timeout(10):
        while platform.answers.catalogues == done or not upper.messages.empty():
            if upper.messages.empty():
                await asyncio.sleep(0.01)
                continue
            answer = CatalogResponse.parse(upper.messages.get_nowait())
            assert answer.sn == sn
            packets += 1
            collector.add(answer, monotonic())
    return collector, packets


@pytest.mark.parametrize("edition", [Edition.E2016, Edition.E2022])
async def test_the_catalogue_comes_in_several_packets(upper: Upper, config: PlatformConfig, edition: Edition) -> None:
    config.edition, config.items_per_packet = edition, 3
    async with SimulatedPlatform(config) as platform:
        await platform.wait_registered()
        collector, packets = await collect(upper, platform, config.code)
    assert packets == 3
    assert collector.state is CollectState.COMPLETE
    assert collector.declared == 8
    first = collector.items[config.channels[0].code]
    assert first.name == "中心广场东侧01"
    assert first.online is True
    assert first.parents == (config.code,)
    assert first.position == pytest.approx((116.48, 31.72))
    assert first.civil_code == "341502"


async def test_packets_out_of_order_and_twice_are_the_same_catalogue(upper: Upper, config: PlatformConfig) -> None:
    config.faults.catalog_out_of_order = config.faults.catalog_duplicates = True
    async with SimulatedPlatform(config) as platform:
        await platform.wait_registered()
        collector, packets = await collect(upper, platform, config.code)
    assert packets == 6
    assert collector.duplicates == 4
    assert collector.state is CollectState.COMPLETE
    assert next(iter(collector.items)) != config.channels[0].code


@pytest.mark.parametrize("fault", ["catalog_missing", "catalog_wrong_sum"])
async def test_a_short_catalogue_stays_incomplete(upper: Upper, config: PlatformConfig, fault: str) -> None:
    setattr(config.faults, fault, 1)
    async with SimulatedPlatform(config) as platform:
        await platform.wait_registered()
        collector, _ = await collect(upper, platform, config.code)
    assert collector.state is CollectState.WAITING
    assert collector.count == (6 if fault == "catalog_missing" else 8)


async def test_one_channel_and_a_region_can_be_asked(upper: Upper, config: PlatformConfig) -> None:
    async with SimulatedPlatform(config) as platform:
        await platform.wait_registered()
        one, _ = await collect(upper, platform, config.channels[2].code)
        region, _ = await collect(upper, platform, "3415")
        elsewhere, _ = await collect(upper, platform, "3401")
    assert list(one.items) == [config.channels[2].code]
    assert region.count == 8
    assert (elsewhere.count, elsewhere.declared) == (0, 0)


async def test_information_status_and_records(upper: Upper, config: PlatformConfig) -> None:
    async with SimulatedPlatform(config) as platform:
        await platform.wait_registered()
        await upper.ask("DeviceInfo", config.code, config.code)
        information = DeviceInfo.parse(await upper.messages.get())
        await upper.ask("DeviceStatus", config.code, config.code)
        status = DeviceStatus.parse(await upper.messages.get())
        await upper.ask("RecordInfo", config.code, config.channels[0].code)
        records = await upper.messages.get()
    assert (information.name, information.channels) == ("裕安区模拟平台", 8)
    assert status.online
    assert status.ok
    assert not records.result_ok


async def test_what_it_does_not_know_is_refused(upper: Upper, config: PlatformConfig) -> None:
    async with SimulatedPlatform(config) as platform:
        await platform.wait_registered()
        _, stranger = await upper.ask("Catalog", config.code, "34150200001310999999")
        assert stranger.status == 404
        garbage = await upper.message(b"<Query><CmdType>", config.code, config.code)
        assert garbage.status == 400
        subscribe = new_request(
            "SUBSCRIBE",
            Uri.of(config.code, "127.0.0.1"),
            Uri.of("34150000002000000001", "3415000000"),
            Uri.of(config.code, "3415020000"),
            body=build_query("Catalog", config.code, 1),
            content_type=MANSCDP,
        )
        assert (await upper.request(subscribe, upper.bindings[config.code])).status == 200
        subscribe = new_request("REFER", Uri.of(config.code, "127.0.0.1"), subscribe.from_.uri, subscribe.to.uri)
        assert (await upper.request(subscribe, upper.bindings[config.code])).status == 405


async def test_random_datagrams_change_nothing(upper: Upper, config: PlatformConfig) -> None:
    async with SimulatedPlatform(config) as platform:
        await platform.wait_registered()
        flow = upper.bindings[config.code]
        for junk in (b"\x00" * 300, b"\r\n\r\n", b"INVITE", bytes(range(256)) * 8, b"SIP/2.0 200 OK\r\n\r\n"):
            upper.udp.sendto(junk, (flow.host, flow.port))
        collector, _ = await collect(upper, platform, config.code)
    assert collector.state is CollectState.COMPLETE
