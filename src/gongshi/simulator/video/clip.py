"""Clips: the encoded loop of a camera, made group by group when it is first watched and kept on disk.

After the first loop a camera costs no more than the exchange of its clock once a second. As long as groups are missing,
those that exist are repeated, so that a busy machine shows a shorter loop instead of a stopped picture.
"""

import hashlib
import os
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock

import numpy as np

from gongshi.protocols.ps import VideoCodec
from gongshi.simulator.video.canvas import Picture
from gongshi.simulator.video.encoder import ClipEncoder, Format, OpenFrame, cut, make_encoder
from gongshi.simulator.video.fonts import Typeface
from gongshi.simulator.video.osd import Label, OnScreenText
from gongshi.simulator.video.scenes import LOOP, Daylight, Scene, SceneName, build

GROUP_SECONDS = 2
GROUPS = int(LOOP) // GROUP_SECONDS
VERSION = 1
"""Part of every cache name; goes up when pictures or files change."""
_LENGTH = struct.Struct("!I")
_MAX_UNIT = 1 << 22
_MAX_IDLE = 24


@dataclass(frozen=True, slots=True)
class Look:
    """All that decides how a camera's picture looks, the time aside."""

    scene: SceneName
    seed: int
    label: Label
    codec: VideoCodec = "h264"


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """An access unit in Annex B form."""

    data: bytes
    key: bool


def daylight_at(moment: datetime) -> Daylight:
    """Day from six to six on a Beijing clock."""
    return "day" if 6 <= moment.hour < 18 else "night"


class Clip:
    """The loop of one look. Groups are made in other threads through `request`."""

    def __init__(self, look: Look, daylight: Daylight, studio: "Studio") -> None:
        self.look = look
        self._daylight: Daylight = daylight
        self._studio = studio
        self._text = OnScreenText(look.label, studio.typeface, studio.form.width, studio.form.height)
        self.encoder = studio.encoder(look.codec)
        self._name = self._digest()
        self._scene: Scene | None = None
        self._groups: list[list[OpenFrame] | None] = [None] * GROUPS
        self._pending: dict[int, Future[list[OpenFrame]]] = {}
        self._lock = Lock()
        self._top: Picture | None = None
        self.users = 0

    def _digest(self) -> str:
        look, form, typeface = self.look, self._studio.form, self._studio.typeface
        face = (typeface.origin, typeface.path.name if typeface.path else "", typeface.face)
        text = repr((VERSION, look, self._daylight, form, face))
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def ready(self, index: int) -> list[OpenFrame] | None:
        """A group when it is there already."""
        return self._groups[index]

    def request(self, index: int, *, urgent: bool = False) -> "Future[list[OpenFrame]]":
        """Have a group made or loaded; the same future for everyone who asks meanwhile."""
        with self._lock:
            future = self._pending.get(index)
            if future is None:
                future = self._studio.submit(lambda: self._make(index), urgent=urgent)
                self._pending[index] = future
            return future

    def warm(self, moment: datetime) -> "Future[list[OpenFrame]]":
        """Have the group made that a viewer would need now, with low priority."""
        return self.request(first_group(moment, self))

    def kept(self, index: int) -> bool:
        """Whether a group is in memory or on disk."""
        return self._groups[index] is not None or self._path(index).exists()

    def _path(self, index: int) -> Path:
        return self._studio.cache / f"{self._name}-{index}.{self.look.codec}"

    def _make(self, index: int) -> list[OpenFrame]:
        path = self._path(index)
        group: list[OpenFrame] | None = None
        if units := _load(path):
            with suppress(ValueError, IndexError):
                group = self.encoder.open(units)
        if group is None:
            units = self.encoder.encode(self._pictures(index))
            group = self.encoder.open(units)
            _save(path, units)
        self._groups[index] = group
        if all(self._groups):
            self._scene = None
        return group

    def _paint(self) -> Scene:
        if self._scene is None:
            form = self._studio.form
            scene = build(self.look.scene, self.look.seed, form.width, form.height, self._daylight)
            self._top = cut(scene.background, 0, self.encoder.rows)
            _save(self._top_path, [self._top.data.tobytes()])
            self._scene = scene
        return self._scene

    @property
    def _top_path(self) -> Path:
        return self._studio.cache / f"{self._name}.top"

    def _bare_top(self) -> Picture:
        if self._top is None:
            shape = (self.encoder.rows * 3 // 2, self._studio.form.width)
            kept = b"".join(_load(self._top_path))
            if len(kept) == shape[0] * shape[1]:
                self._top = Picture(np.frombuffer(kept, dtype=np.uint8).reshape(shape))
            else:
                with self._studio.painting:
                    self._top = cut(self._paint().background, 0, self.encoder.rows)
        return self._top

    def _pictures(self, index: int) -> Iterator[Picture]:
        fps = self._studio.form.fps
        with self._studio.painting:
            scene = self._paint()
        # The scene's buffer is shared, so one group of a clip is drawn at a time.
        with scene.lock:
            for count in range(fps * GROUP_SECONDS):
                picture = scene.draw(index * GROUP_SECONDS + count / fps)
                for sprite, left, top in self._text.still:
                    picture.paste(sprite, left, top)
                yield picture

    def clock_top(self, moment: datetime) -> object:
        """The encoded top with a time of day (`moment` is Beijing time). Takes 1 to 10 ms of a thread."""
        picture = self._bare_top().copy()
        picture.paste(*self._text.clock(moment))
        return self.encoder.top(picture)


def _load(path: Path) -> list[bytes]:
    """The access units of a group; empty when there is no such file or it is damaged."""
    try:
        data = path.read_bytes()
        path.touch()
    except OSError:
        return []
    units: list[bytes] = []
    at = 0
    while at < len(data):
        if len(data) - at < _LENGTH.size:
            return []
        (size,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if not 0 < size <= _MAX_UNIT or at + size > len(data):
            return []
        units.append(data[at : at + size])
        at += size
    return units


def _save(path: Path, units: list[bytes]) -> None:
    """Keep a group; a cache that cannot be written costs speed only, so nothing is raised."""
    temporary = path.with_suffix(f".{os.getpid()}.part")
    with suppress(OSError):
        temporary.write_bytes(b"".join(_LENGTH.pack(len(unit)) + unit for unit in units))
        temporary.replace(path)


class Studio:
    """Shared by all cameras of a process: threads, encoders, typeface, cache directory and the clips in use."""

    def __init__(self, form: Format, typeface: Typeface, cache: Path, *, cache_limit: int = 1 << 30) -> None:
        self.form = form
        self.typeface = typeface
        self.cache = cache
        self.painting = Lock()
        self._encoders: dict[VideoCodec, ClipEncoder] = {}
        self.clips: dict[tuple[Look, Daylight], Clip] = {}
        # Two lanes: what a viewer waits for is never behind what is only made ahead.
        self._urgent = ThreadPoolExecutor(1, "picture")
        self._ahead = ThreadPoolExecutor(1, "picture-ahead")
        self.clocks = ThreadPoolExecutor(1, "picture-clock")
        with suppress(OSError):
            cache.mkdir(parents=True, exist_ok=True)
            _prune(cache, cache_limit)

    def encoder(self, codec: VideoCodec) -> ClipEncoder:
        encoder = self._encoders.get(codec)
        if encoder is None:
            encoder = self._encoders[codec] = make_encoder(codec, self.form)
        return encoder

    def submit(self, work: Callable[[], list[OpenFrame]], *, urgent: bool) -> "Future[list[OpenFrame]]":
        return (self._urgent if urgent else self._ahead).submit(work)

    def clip(self, look: Look, moment: datetime) -> Clip:
        """The clip of a look at this time of day; the caller counts itself in `users` while it streams."""
        key = (look, daylight_at(moment))
        clip = self.clips.get(key)
        if clip is None:
            idle = [other for other, held in self.clips.items() if held.users == 0]
            for other in idle[: max(0, len(idle) - _MAX_IDLE)]:
                del self.clips[other]
            clip = self.clips[key] = Clip(look, key[1], self)
        return clip

    def close(self) -> None:
        """Stop the threads; work not begun is dropped."""
        for pool in (self._urgent, self._ahead, self.clocks):
            pool.shutdown(wait=True, cancel_futures=True)


def _prune(cache: Path, limit: int) -> None:
    """Delete the files used longest ago until the directory is below `limit` bytes."""
    entries = [(stat.st_mtime, stat.st_size, path) for path in cache.iterdir() for stat in (path.stat(),)]
    total = sum(size for _, size, _ in entries)
    for _, size, path in sorted(entries):
        if total <= limit:
            return
        path.unlink(missing_ok=True)
        total -= size


def first_group(moment: datetime, clip: Clip) -> int:
    """Where to begin: at the group of this time of day, or the next that is there already."""
    index = int(moment.timestamp()) // GROUP_SECONDS % GROUPS
    return next((n % GROUPS for n in range(index, index + GROUPS) if clip.kept(n % GROUPS)), index)


class Feed:
    """One running picture of a camera: access units in order, the clock always right. Used from one thread."""

    def __init__(self, clip: Clip, studio: Studio) -> None:
        self._clip = clip
        self._studio = studio
        self._index = 0
        self._group: list[OpenFrame] = []
        self._position = 0
        self._tops: dict[datetime, Future[object]] = {}
        self._shown: datetime | None = None
        self._current: object | None = None
        clip.users += 1

    def prepare(self, moment: datetime) -> "list[Future[object]]":
        """Start making what the first picture needs; `frame` may be called when all of these are done."""
        available = first_group(moment, self._clip)
        self._index = (available - 1) % GROUPS
        second = moment.replace(microsecond=0)
        self._want(second)
        self._want(second + timedelta(seconds=1))
        group: Future[object] = self._clip.request(available, urgent=True)  # pyright: ignore[reportAssignmentType] -- only waited for
        return [group, self._tops[second]]

    def _want(self, second: datetime) -> None:
        if second not in self._tops:
            self._tops[second] = self._studio.clocks.submit(self._clip.clock_top, second)

    def restart(self) -> None:
        """Let the next picture be a key picture."""
        self._position = len(self._group)

    def frame(self, moment: datetime) -> EncodedFrame:
        """The next picture, showing `moment` (Beijing time). Quick: everything slow was made before in other threads."""
        if self._position >= len(self._group):
            self._next_group()
        opened = self._group[self._position]
        self._position += 1
        second = moment.replace(microsecond=0)
        changed = self._advance(second)
        top = self._current if changed or opened.key else None
        return EncodedFrame(self._clip.encoder.join(opened, top), opened.key)

    def _advance(self, second: datetime) -> bool:
        if second == self._shown:
            return False
        self._want(second)
        self._want(second + timedelta(seconds=1))
        future = self._tops[second]
        if self._current is not None and not future.done():
            return False
        self._current, self._shown = future.result(), second
        for old in [at for at in self._tops if at < second]:
            del self._tops[old]
        return True

    def _next_group(self) -> None:
        for step in range(1, GROUPS + 1):
            index = (self._index + step) % GROUPS
            group = self._clip.ready(index)
            if group is not None:
                self._index, self._group, self._position = index, group, 0
                break
        else:
            message = "frame was called before the first group was ready"
            raise RuntimeError(message)
        following = (self._index + 1) % GROUPS
        if self._clip.ready(following) is None:
            self._clip.request(following)

    def close(self) -> None:
        """The stream has ended."""
        self._clip.users -= 1
