"""A session is let in by the agent alone, ends by itself, and what has ended stays ended."""

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gongshi.media.embedded import admission
from gongshi.media.embedded.admission import Admission, Session

WALL = 1_000_000.0


@dataclass
class Line:
    octets: int = 100
    waiting: bool = False
    cuts: list[str] = field(default_factory=list)

    def cut(self, reason: str) -> None:
        self.cuts.append(reason)


class House:
    def __init__(self) -> None:
        self.ended: list[tuple[str, str, int]] = []
        self.admission = Admission(self._closed, reconnect=5.0, connect=60.0)

    def _closed(self, session: Session, reason: str, now: float) -> None:
        self.ended.append((session.name, reason, session.octets))

    def may(self, name: str, stream: str = "s", now: float = 0.0) -> bool:
        return self.admission.find(name, stream, now, WALL + now) is not None


def test_only_the_admitted_session_on_its_own_stream_may_connect() -> None:
    house = House()
    assert house.admission.admit("a", "s", None, 15, 0.0)
    assert house.may("a")
    assert not house.may("b")
    assert not house.may("a", "t")
    assert not house.admission.admit("a", "t", None, 15, 0.0), "a session is bound to its stream"


def test_a_lapsed_lease_closes_before_the_sweep_and_ends_at_it() -> None:
    house = House()
    house.admission.admit("a", "s", None, 15, 0.0)
    assert house.may("a", now=14.9)
    assert not house.may("a", now=15.0)
    house.admission.sweep(15.0, WALL)
    assert house.ended == [("a", "control_lost", 0)]
    assert house.admission.renew(["a"], 15, 15.0) == ["a"]
    assert not house.admission.admit("a", "s", None, 15, 16.0)


def test_leases_are_cut_to_fifteen_seconds() -> None:
    house = House()
    house.admission.admit("a", "s", None, 3600, 0.0)
    assert not house.may("a", now=15.0)
    house = House()
    house.admission.admit("a", "s", None, 15, 0.0)
    house.admission.renew(["a"], 3600, 10.0)
    assert not house.may("a", now=25.0)


def test_a_renewed_session_goes_on_to_its_period_and_no_further() -> None:
    house = House()
    house.admission.admit("a", "s", WALL + 50, 15, 0.0)
    for second in range(0, 50, 5):
        assert house.admission.renew(["a", "never"], 15, second) == ["never"]
        house.admission.sweep(second, WALL + second)
    line = Line()
    session = house.admission.find("a", "s", 49, WALL + 49)
    assert session is not None
    house.admission.connected(session, "flv", line, 49)
    house.admission.sweep(50, WALL + 50)
    assert house.ended == [("a", "period_over", 100)]
    assert line.cuts == ["period_over"]


def test_a_kick_that_overtakes_its_admission_still_counts() -> None:
    house = House()
    assert not house.admission.end("a", "revoked", 0.0)
    assert not house.admission.admit("a", "s", None, 15, 1.0)


def test_one_session_counts_all_its_connections() -> None:
    house = House()
    house.admission.admit("a", "s", None, 15, 0.0)
    session = house.admission.find("a", "s", 0.0, WALL)
    assert session is not None
    first, second = Line(70), Line(30)
    assert house.admission.connected(session, "flv", first, 1.0)
    assert not house.admission.connected(session, "fmp4", second, 2.0)
    house.admission.disconnected(session, "flv", first, 3.0)
    house.admission.sweep(9.0, WALL)
    assert house.ended == [], "one connection is still there"
    house.admission.renew(["a"], 15, 9.0)
    house.admission.disconnected(session, "fmp4", second, 10.0)
    house.admission.sweep(14.9, WALL)
    assert house.ended == []
    house.admission.sweep(15.1, WALL)
    assert house.ended == [("a", "viewer_left", 100)]


def test_who_never_comes_is_let_go() -> None:
    house = House()
    house.admission.admit("a", "s", None, 15, 0.0)
    for second in range(5, 65, 5):
        house.admission.renew(["a"], 15, second)
        house.admission.sweep(second, WALL)
    assert house.ended == []
    house.admission.sweep(60.5, WALL)
    assert house.ended == [("a", "not_started", 0)]


def test_the_memory_of_ended_sessions_is_bounded() -> None:
    house = House()
    before, admission.REMEMBERED = admission.REMEMBERED, 10
    try:
        for number in range(50):
            house.admission.end(f"s{number}", "revoked", 0.0)
    finally:
        admission.REMEMBERED = before
    assert len(house.admission._ended) == 10
    assert not house.admission.admit("s49", "s", None, 15, 0.0)


class AdmissionMachine(RuleBasedStateMachine):
    """Whatever happens in whatever order: nobody may connect beyond lease, period or end; each end is told once."""

    names = st.sampled_from("abcd")

    def __init__(self) -> None:
        super().__init__()
        self.house = House()
        self.now = 0.0
        self.lease: dict[str, float] = {}
        self.period: dict[str, float | None] = {}

    @rule(name=names, lease=st.floats(0, 40), period=st.none() | st.floats(0, 60))
    def admit(self, name: str, lease: float, period: float | None) -> None:
        gone = {ended[0] for ended in self.house.ended}
        until = None if period is None else WALL + self.now + period
        held = self.house.admission.admit(name, "s", until, lease, self.now)
        if name in gone:
            assert not held
        if held:
            self.lease[name] = self.now + min(lease, 15)
            self.period[name] = until

    @rule(names=st.lists(names), lease=st.floats(0, 40))
    def renew(self, names: list[str], lease: float) -> None:
        missing = self.house.admission.renew(names, lease, self.now)
        for name in set(names) - set(missing):
            self.lease[name] = self.now + min(lease, 15)

    @rule(name=names)
    def kick(self, name: str) -> None:
        self.house.admission.end(name, "revoked", self.now)
        self.lease.pop(name, None)

    @rule(step=st.floats(0, 10))
    def wait(self, step: float) -> None:
        self.now += step

    @rule()
    def sweep(self) -> None:
        self.house.admission.sweep(self.now, WALL + self.now)

    @invariant()
    def nobody_beyond_right(self) -> None:
        for name in "abcd":
            if self.house.may(name, now=self.now):
                period = self.period[name]
                assert self.now < self.lease[name]
                assert period is None or WALL + self.now < period
                assert name not in {ended[0] for ended in self.house.ended}

    @invariant()
    def each_end_is_told_once(self) -> None:
        told = [ended[0] for ended in self.house.ended]
        assert len(told) == len(set(told))


TestAdmissionMachine = AdmissionMachine.TestCase
TestAdmissionMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
