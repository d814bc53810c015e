"""Whether a request is an upper's: from its registered path or its own networks, and nobody else's (design.md §6)."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from time import monotonic
from typing import Any, Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from gongshi.audit import service as audit
from gongshi.db.engine import Database
from gongshi.kit.i18n import Text
from gongshi.protocols.errors import RemoteProtocolError
from gongshi.protocols.sip import Flow, Request
from gongshi.signalling.inbox import path_text
from gongshi.signalling.limits import Sparse
from gongshi.signalling.uppers.account import Account, inside
from gongshi.signalling.uppers.client import Link

log = structlog.get_logger(__name__)

REFUSED: Final = "signalling.upper.refused"
_WHY: Final = {
    "source": Text("不是该上级平台的地址", "it did not come from the upper platform's address"),
    "media": Text(
        "要求把视频送往不属于该上级平台的地址", "it asked for media to an address that is not the upper platform's"
    ),
}


class Links:
    """All uppers by number and code."""

    def __init__(self) -> None:
        self._by_id: dict[int, Link] = {}
        self._by_code: dict[str, Link] = {}

    def __iter__(self) -> Iterator[Link]:
        return iter(list(self._by_id.values()))

    def put(self, link: Link) -> None:
        self._by_id[link.account.id] = link
        self._by_code[link.account.code] = link

    def drop(self, link: Link) -> None:
        self._by_id.pop(link.account.id, None)
        if self._by_code.get(link.account.code) is link:
            del self._by_code[link.account.code]

    def get(self, upper_id: int) -> Link | None:
        return self._by_id.get(upper_id)

    def named(self, code: str) -> Link | None:
        return self._by_code.get(code)

    def speaking(self, request: Request, flow: Flow) -> Link | None:
        """The upper that a request says it is from, or whose path it came on; who may lie is judged by `trusted`."""
        try:
            link = self._by_code.get(request.from_.user)
        except RemoteProtocolError:
            link = None
        return link or self.at(flow)

    def at(self, flow: Flow) -> Link | None:
        """Whose registered path this is."""
        for link in self._by_id.values():
            own = link.flow
            if own is None or own.transport != flow.transport or own.host != flow.host:
                continue
            if own.connection == flow.connection if flow.transport == "TCP" else own.port == flow.port:
                return link
        return None


def trusted(link: Link, flow: Flow) -> bool:
    """Did it come from the upper's registered address, or from a network that the operator named?"""
    return inside(flow.host, link.account.sources, own_addresses(link))


def own_addresses(link: Link) -> Iterable[str]:
    """Where we reach the upper: its path, and its configured address when that is one."""
    if link.flow is not None:
        yield link.flow.host
    yield link.account.host


def welcome(link: Link, host: str) -> bool:
    """May media be sent to this address? (design.md §6: only into `media_networks`)."""
    return inside(host, link.account.media_networks, own_addresses(link))


class Refusals:
    """Tells the log of refused requests: every first at once, repetitions once a minute with their number."""

    def __init__(self, database: Database, spawn: Callable[..., Any]) -> None:
        self._database = database
        self._spawn = spawn
        self._sparse = Sparse(60.0)

    def note(self, account: Account, request: Request, flow: Flow, why: str, **detail: Any) -> None:
        """`why`: `source` (not the upper's address) or `media` (asks for media to a stranger)."""
        count = self._sparse.count((why, account.id, flow.host), monotonic())
        if not count:
            return
        log.warning("signal.upper.refused", upper=account.code, source=path_text(flow), why=why, **detail)
        known = {
            "name": account.name,
            "code": account.code,
            "why": why,
            "because": {"zh": _WHY[why].zh, "en": _WHY[why].en},
            "source": path_text(flow),
            "method": request.method,
            "count": count,
        }
        self._spawn(self._write(account, flow, known | detail))

    async def _write(self, account: Account, flow: Flow, detail: dict[str, Any]) -> None:
        try:
            async with self._database.unit(account.actor(flow.host)) as uow:
                await audit.record(uow, REFUSED, object_kind="upper", object_id=account.id, detail=detail)
        except (SQLAlchemyError, OSError, asyncio.CancelledError) as error:
            log.warning("signal.upper.unlogged", upper=account.code, error=type(error).__name__)
