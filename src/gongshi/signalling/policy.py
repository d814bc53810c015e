"""Every number of the signalling server in one place; tests shorten them."""

from dataclasses import dataclass, field

from gongshi.protocols.sip import Timers


@dataclass(frozen=True, slots=True)
class Policy:
    """Times are seconds. The defaults are those of gb28181.md §19 where it names one."""

    expires_default: int = 86_400
    expires_minimum: int = 3_600
    expires_maximum: int = 7 * 86_400
    keepalive_slack: float = 1.1
    """Offline after interval x misses x this (§5)."""
    source_rate: float = 200.0
    """REGISTER per second and source address; a lower platform's NAT may hide a thousand devices (Q-41)."""
    source_burst: float = 2_000.0
    device_rate: float = 1.0
    """REGISTER per second of one ID from one address."""
    device_burst: float = 20.0
    refusals_every: float = 60.0
    """The log hears of the same refusal at most so often, with a count."""
    write_every: float = 0.5
    keepalive_write_every: float = 15.0
    housekeeping: float = 0.5
    catalogue_on_register: bool = True
    catalogue_first: float = 120.0
    catalogue_gap: float = 10.0
    catalogue_settle: float = 10.0
    """After the declared number is reached a late packet may still show that it was wrong."""
    catalogue_fresh: float = 300.0
    """A peer that comes back within so many seconds of a complete answer is not asked again."""
    catalogue_retry: tuple[float, ...] = (60.0, 300.0, 1_800.0)
    catalogue_confirm: float = 5.0
    invite_seconds: float = 15.0
    """How long a person waits for a camera to answer."""
    bye_seconds: float = 3.0
    query_seconds: float = 8.0
    """How long a device has for its answer, after it acknowledged the question."""
    records_first: float = 15.0
    records_gap: float = 5.0
    records_seconds: float = 60.0
    """A search for recordings ends then, with what it has found (Q-25)."""
    records_span: float = 12 * 3600.0
    dead_man: float = 5.0
    """A camera that moves is stopped when nobody repeats the command for so long (§8.3)."""
    ptz_hold: float = 10.0
    """A camera belongs to who moved it last for so long (§13.4)."""
    interview: bool = True
    """Ask a peer that comes for its information and its heartbeat settings (§4.5)."""
    subscribe: tuple[str, ...] = ("catalogue", "alarm")
    """What we subscribe to at a peer unless somebody chose otherwise."""
    subscription_expires: int = 600
    alarms_every: float = 0.5
    alarms_owed: int = 2_000
    """Alarms waiting for the database; more are counted and dropped."""
    dialog_sweep: float = 30.0
    trace_messages: int = 200
    trace_bytes: int = 64 * 1024 * 1024
    instance_beat: float = 2.0
    """How often a server renews its row."""
    instance_gone: float = 10.0
    """A server whose row is older is gone, and others take over."""
    idle_connection: float = 60.0
    """A TCP connection on which nobody registers is closed after this."""
    connections: int = 20_000
    connections_per_source: int = 2_000
    """Of one address; a lower platform's NAT may hide a thousand devices."""
    timers: Timers = field(default_factory=Timers)
