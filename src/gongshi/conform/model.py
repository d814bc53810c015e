"""What a conformance run is made of: cases, outcomes, settings, the report (GB/T 28181, both editions)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from gongshi.kit.i18n import Text
from gongshi.protocols.codes import Edition

Side = Literal["upper", "lower"]
"""Who we are: the upper platform of a device, or a device below a platform."""
Level = Literal["must", "should"]


class Verdict(StrEnum):
    """What a case came to."""

    PASS = "pass"  # noqa: S105 -- a verdict, no password
    FAIL = "fail"
    NOT_APPLICABLE = "not_applicable"
    """The device has nothing that the case is about."""
    NOT_RUN = "not_run"
    """Another case that it needs did not pass, or it was not chosen."""


class Conformity(StrEnum):
    """The answer to 是否符合 GB/T 28181 for one edition."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    """Too little could be tried."""


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that the standard asks for. A clause is None where that edition does not have it."""

    id: str
    side: Side
    clause_2016: str | None
    clause_2022: str | None
    title: Text
    expected: Text
    """What should be seen, in one sentence."""
    needs: tuple[str, ...] = ()
    level: Level = "must"
    needs_leave: str = ""
    """Run only when the operator allowed this by name, because it interrupts the device."""

    def in_edition(self, edition: Edition) -> bool:
        """Does the edition have this case?"""
        return (self.clause_2022 if edition == Edition.E2022 else self.clause_2016) is not None


class Failed(Exception):
    """The case did not find what it expects; `seen` says what it found."""

    def __init__(self, seen: Text) -> None:
        super().__init__(seen.en)
        self.seen = seen


class NotApplicable(Exception):
    """The device has nothing to try this on."""

    def __init__(self, why: Text) -> None:
        super().__init__(why.en)
        self.why = why


@dataclass(frozen=True, slots=True)
class Exchanged:
    """One message on the wire. `seconds` since the start of the run."""

    seconds: float
    sent: bool
    transport: str
    peer: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Result:
    """What a case came to, and the messages that were exchanged while it ran."""

    case: Case
    verdict: Verdict
    seen: Text
    seconds: float = 0.0
    exchanged: tuple[Exchanged, ...] = ()


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that a run waits for things. The defaults suit real devices on a network; tests shorten them."""

    register: float = 150.0
    """For the device to come by itself."""
    grant: int = 60
    """Granted at first, so that the refresh is seen."""
    keepalive: float = 70.0
    """For one keepalive."""
    answer: float = 10.0
    gap: float = 10.0
    """Between packets of a list."""
    media: float = 12.0
    """From the ACK to the first picture."""
    watch: float = 3.0
    """How long pictures are looked at."""
    silence: float = 1.5
    """How long nothing must come where nothing is due."""
    hold: float = 0.4
    """How long an answer of ours is held back."""
    repeat: float = 3.0
    """For an answer to be repeated."""
    clip: float = 20.0
    """Length of a recording that is played."""
    operator: float = 60.0
    """For what only a person can do."""
    notify: float = 10.0
    move: float = 1.5
    """How long a camera is turned."""


async def nobody(_what: str, _text: Text) -> bool:
    """Nobody is there to do what only a person can."""
    return False


def unheard(_result: Result, _done: int, _total: int) -> None:
    """Progress that nobody listens to."""


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of a run. As upper we listen and `peer` is the device; as lower we register with `target`."""

    side: Side
    code: str
    """Our own 20 digits."""
    peer: str
    """Theirs."""
    password: str
    host: str = "0.0.0.0"  # noqa: S104 -- a platform listens on its interfaces; the command line asks for one
    port: int = 5060
    target: tuple[str, int] | None = None
    transport: Literal["udp", "tcp"] = "udp"
    edition: Edition | None = None
    """None: by what the device announces."""
    only: frozenset[str] = frozenset()
    allow: frozenset[str] = frozenset()
    """What may interrupt the device: `reboot`, `redirect`."""
    redirect: tuple[str, int] | None = None
    """Second address of ours, which a redirect names; the device must trust it."""
    channel: str = ""
    """The camera to try pictures on; by default the first of the catalogue that is on."""
    patience: Patience = field(default_factory=Patience)
    t1: float = 0.5
    prompt: Callable[[str, Text], Awaitable[bool]] = nobody
    """Asks a person to do something (`alarm`, `invite`); True when it was done."""
    progress: Callable[[Result, int, int], None] = unheard


@dataclass(frozen=True, slots=True)
class Report:
    """All results of a run, and what they come to."""

    side: Side
    code: str
    peer: str
    edition: Edition
    """That was tried."""
    announced: str | None
    """X-GB-Ver of the device, if it sent one."""
    started: datetime
    seconds: float
    user_agent: str
    results: tuple[Result, ...]
    conformity: dict[Edition, Conformity]
    chosen: frozenset[str] = frozenset()
    """Cases that were chosen; empty is all."""

    @property
    def failures(self) -> tuple[Result, ...]:
        """Cases that failed."""
        return tuple(result for result in self.results if result.verdict is Verdict.FAIL)

    def count(self, verdict: Verdict) -> int:
        """How many cases came to this."""
        return sum(result.verdict is verdict for result in self.results)

    @property
    def exit_code(self) -> int:
        """0 conforms, 1 does not, 2 nothing can be said. When cases were chosen, it is about them alone."""
        if any(result.case.level == "must" for result in self.failures):
            return 1
        if not self.chosen:
            codes = {Conformity.YES: 0, Conformity.NO: 1, Conformity.UNKNOWN: 2}
            return codes[self.conformity[self.edition]]
        wanted = [result.verdict for result in self.results if result.case.id in self.chosen]
        return 0 if Verdict.PASS in wanted and Verdict.NOT_RUN not in wanted else 2
