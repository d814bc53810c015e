"""Answering an upper's catalogue query: many items a packet, one packet after the other (gb28181.md §7.5)."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from gongshi.db.engine import Database
from gongshi.protocols.manscdp import CatalogItem, CatalogQuery, Charset, Element, build, leaf
from gongshi.protocols.manscdp.element import write_xml
from gongshi.signalling.agent import NoAnswer
from gongshi.signalling.uppers.client import Link
from gongshi.signalling.uppers.directory import Directory, Outline

log = structlog.get_logger(__name__)

DATAGRAM: Final = 1_300
"""Bytes of a whole message over UDP, so that nothing on the way cuts it to pieces."""
_HEAD: Final = 600
"""Bytes of the SIP headers and of the frame around the items."""
_PER_STREAM: Final = 200
"""Items of a message over TCP."""
_PAGE: Final = 500
_QUEUED: Final = 16
"""Queries of one upper that wait for their turn; more are dropped, it asks again."""


class Answers:
    """All uppers' catalogue queries; each upper's one after the other."""

    def __init__(self, database: Database, directory: Directory) -> None:
        self._database = database
        self._directory = directory
        self._turns: dict[int, asyncio.Lock] = {}
        self._waiting: dict[int, int] = {}

    async def answer(self, link: Link, query: CatalogQuery) -> None:
        """Send everything that was asked for, or stop when the upper does not take it."""
        upper = link.account.id
        if self._waiting.get(upper, 0) >= _QUEUED:
            log.warning("signal.upper.catalogue.busy", upper=link.account.code)
            return
        self._waiting[upper] = self._waiting.get(upper, 0) + 1
        try:
            async with self._turns.setdefault(upper, asyncio.Lock()):
                await self._answer(link, query)
        except (NoAnswer, SQLAlchemyError) as error:
            # The upper sees a partial answer and asks again; sending the rest would not help it (§7.5).
            log.warning("signal.upper.catalogue.stopped", upper=link.account.code, error=str(error)[:200])
        finally:
            self._waiting[upper] -= 1

    async def _answer(self, link: Link, query: CatalogQuery) -> None:
        async with self._database.read() as session:
            outline = await self._directory.outline(
                session, link.account, query.device_id, since=query.start, until=query.end
            )
        if not outline.total:
            await self._send(link, query, 0, [])
            return
        packets = 0
        async for elements in self._packets(link, outline):
            packets += 1
            if not await self._send(link, query, outline.total, elements):
                return
        log.info("signal.upper.catalogue.answered", upper=link.account.code, items=outline.total, packets=packets)

    async def _packets(self, link: Link, outline: Outline) -> AsyncGenerator[list[Element]]:
        """Items in portions that fit into one message; cameras are read a page at a time."""
        datagrams = link.account.transport == "UDP"
        room, most = DATAGRAM - _HEAD, 64 if datagrams else _PER_STREAM
        portion: list[Element] = []
        used = 0
        async for item in self._items(link, outline):
            element = item.to_element(link.edition)
            size = len(write_xml(element).encode(link.account.charset or "gb18030")) if datagrams else 0
            if portion and (used + size > room or len(portion) >= most):
                yield portion
                portion, used = [], 0
            portion.append(element)
            used += size
        if portion:
            yield portion

    async def _items(self, link: Link, outline: Outline) -> AsyncGenerator[CatalogItem]:
        for item in outline.head:
            yield item
        for start in range(0, len(outline.cameras), _PAGE):
            async with self._database.read() as session:
                page = await self._directory.items(session, link.account, outline.cameras[start : start + _PAGE])
            for item in page:
                yield item

    async def _send(self, link: Link, query: CatalogQuery, total: int, elements: Sequence[Element]) -> bool:
        charset: Charset = link.account.charset or "gb18030"
        children = [leaf("SumNum", total)]
        if elements:
            children.append(Element("DeviceList", "", list(elements), {"Num": str(len(elements))}))
        body = build("Response", "Catalog", query.sn, query.device_id, children, edition=link.edition, charset=charset)
        answer = await link.say(body)
        if answer.status >= 300:
            log.warning("signal.upper.catalogue.refused", upper=link.account.code, status=answer.status)
            return False
        return True
