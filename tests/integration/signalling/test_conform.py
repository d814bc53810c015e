"""Our own platform, tested by our own conformance tool from below."""

import asyncio

import pytest

from gongshi.conform import Conformity, Options, Patience, Verdict, run
from gongshi.protocols.codes import Edition
from integration.signalling.conftest import NODE, PASSWORD, PLATFORM, until

QUICK = Patience(answer=5.0, silence=0.3, operator=5.0, notify=5.0)


@pytest.mark.parametrize(("edition", "transport"), [("2016", "udp"), ("2022", "tcp")])
async def test_our_platform_conforms(world, edition, transport):
    await world.peer()
    server = await world.start()
    opened: list[asyncio.Task] = []

    async def prompt(what, _text) -> bool:
        if what != "invite":
            return False

        async def channel():
            rows = await world.rows("SELECT id FROM signalling.channel WHERE kind = 'device'")
            return rows[0][0] if rows else None

        number = await until(channel)
        opened.append(asyncio.create_task(server.invite("s1", number, "127.0.0.1", 30012)))
        return True

    report = await run(
        Options(
            "lower",
            PLATFORM,
            NODE,
            PASSWORD,
            host="127.0.0.1",
            port=0,
            target=("127.0.0.1", server.port),
            transport=transport,
            edition=Edition(edition),
            patience=QUICK,
            t1=0.2,
            prompt=prompt,
        )
    )
    await asyncio.gather(*opened, return_exceptions=True)
    assert {r.case.id: r.seen.en for r in report.failures} == {}
    assert report.conformity[Edition(edition)] is Conformity.YES
    assert [r.case.id for r in report.results if r.verdict is Verdict.NOT_RUN] == []
