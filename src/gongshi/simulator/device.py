"""The mechanics of a simulated camera: where it looks, its presets and cruises, and what was switched on (§8)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from gongshi.protocols.ptz import Auxiliary, Cruise, Lens, Move, Preset, PtzCommand, Scan, Stop

PAN_SPEED, TILT_SPEED = 120.0, 60.0
"""Degrees per second at speed 255."""
ZOOM_SPEED = 4.0
"""Times per second at speed 15."""
TILT_UP, TILT_DOWN, ZOOM_MOST = -30.0, 90.0, 32.0
STAY, LONGEST_STAY = 5, 3600


@dataclass(frozen=True, slots=True)
class Position:
    """Pan in degrees clockwise 0-360, tilt -30 (up) to 90 (down), zoom 1 and more (GB/T 28181-2022 annex A)."""

    pan: float = 0.0
    tilt: float = 0.0
    zoom: float = 1.0

    def clamped(self) -> "Position":
        """Inside what the camera can reach."""
        return Position(self.pan % 360.0, min(max(self.tilt, TILT_UP), TILT_DOWN), min(max(self.zoom, 1.0), ZOOM_MOST))


@dataclass(slots=True)
class Track:
    """A cruise: presets in order, seconds at each, speed 1-15 as reported."""

    name: str
    points: list[int] = field(default_factory=list[int])
    stay: int = STAY
    speed: int = 5


@dataclass(slots=True)
class Home:
    """Where the camera returns to after `reset` seconds without a command."""

    enabled: bool = False
    reset: int = 60
    preset: int = 1


class Camera:
    """One camera. Positions are worked out when they are asked for, so nothing runs while nobody looks."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._at = clock()
        self._position = Position()
        self._speed = (0.0, 0.0, 0.0)
        self._touring: tuple[int, float] | None = None
        self.presets: dict[int, tuple[str, Position]] = {1: ("预置位1", Position())}
        self.tracks: dict[int, Track] = {}
        self.home = Home()
        self.auxiliaries: set[int] = set()
        self.guarded = False
        self.recording = True
        self.alarmed = False

    @property
    def position(self) -> Position:
        """Where it looks now."""
        now = self._clock()
        passed, self._at = now - self._at, now
        position = self._toured(now)
        if position is None:
            pan, tilt, zoom = self._speed
            at = self._position
            position = Position(at.pan + pan * passed, at.tilt + tilt * passed, at.zoom + zoom * passed).clamped()
        self._position = position
        return position

    def _toured(self, now: float) -> Position | None:
        if self._touring is None:
            return None
        number, since = self._touring
        track = self.tracks.get(number)
        places = [self.presets[point][1] for point in track.points if point in self.presets] if track else []
        if track is None or not places:
            return None
        return places[int((now - since) / max(1, track.stay)) % len(places)]

    def look(self, *, pan: float | None = None, tilt: float | None = None, zoom: float | None = None) -> None:
        """Turn at once; what is None stays."""
        here = self._rest()
        self._position = Position(
            here.pan if pan is None else pan, here.tilt if tilt is None else tilt, here.zoom if zoom is None else zoom
        ).clamped()

    def drag(self, width: int, height: int, middle: tuple[int, int], box: tuple[int, int], *, closer: bool) -> None:
        """Centre on a box of the player's window and fill the picture with it, or the reverse (DragZoomIn, -Out)."""
        if min(width, height, *box) <= 0:
            return
        here = self._rest()
        factor = min(width / box[0], height / box[1])
        view = 60.0 / here.zoom
        self._position = Position(
            here.pan + (middle[0] / width - 0.5) * view,
            here.tilt + (middle[1] / height - 0.5) * view * 9 / 16,
            here.zoom * factor if closer else here.zoom / factor,
        ).clamped()

    def obey(self, command: PtzCommand) -> None:
        """Carry out a PTZ code."""
        match command:
            case Stop():
                self._rest()
            case Move():
                self._rest()
                self._speed = (
                    command.pan * command.pan_speed / 255 * PAN_SPEED,
                    # Up is a positive tilt of the code and a smaller angle of the position.
                    -command.tilt * command.tilt_speed / 255 * TILT_SPEED,
                    command.zoom * command.zoom_speed / 15 * ZOOM_SPEED,
                )
            case Preset():
                self._preset(command)
            case Cruise():
                self._cruise(command)
            case Auxiliary():
                (self.auxiliaries.add if command.on else self.auxiliaries.discard)(command.number)
            case Scan():
                self._scan(command)
            case Lens():
                return

    def _rest(self) -> Position:
        here = self.position
        self._speed, self._touring = (0.0, 0.0, 0.0), None
        return here

    def _preset(self, command: Preset) -> None:
        if command.action == "set":
            name = self.presets.get(command.number, (f"预置位{command.number}", Position()))[0]
            self.presets[command.number] = (name, self._rest())
        elif command.action == "delete":
            self.presets.pop(command.number, None)
        elif command.number in self.presets:
            self._rest()
            self._position = self.presets[command.number][1]

    def _cruise(self, command: Cruise) -> None:
        track = self.tracks.get(command.group)
        if command.action == "start":
            self._rest()
            self._touring = (command.group, self._clock())
            return
        if command.action == "remove":
            if track is None:
                return
            if command.value == 0:
                del self.tracks[command.group]
            elif command.value in track.points:
                track.points.remove(command.value)
            return
        if track is None:
            track = self.tracks[command.group] = Track(f"巡航{command.group}")
        if command.action == "add":
            track.points.append(command.value)
        elif command.action == "stay":
            track.stay = min(command.value, LONGEST_STAY)
        else:
            track.speed = max(1, min(15, command.value // 16))

    def _scan(self, command: Scan) -> None:
        if command.action == "start":
            self._rest()
            self._speed = (PAN_SPEED / 8, 0.0, 0.0)
