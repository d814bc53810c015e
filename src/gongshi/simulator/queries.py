"""Bodies that answer queries (§7): one query may need several, which are sent one after the other."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, timedelta

from gongshi.kit.clock import now
from gongshi.protocols.codes import Edition
from gongshi.protocols.manscdp import (
    CatalogItem,
    CatalogResponse,
    CruisePoint,
    CruiseTrack,
    CruiseTrackEntry,
    CruiseTrackList,
    CruiseTrackQuery,
    DeviceInfo,
    DeviceStatus,
    Envelope,
    HomePosition,
    HomePositionAnswer,
    PresetItem,
    PresetList,
    PtzPosition,
    RecordInfo,
    RecordInfoQuery,
    RecordItem,
    Result,
    SdCardStatus,
    split_records,
)
from gongshi.simulator.calls import Calls
from gongshi.simulator.device import Camera
from gongshi.simulator.site import DEGREES_HIGH, DEGREES_WIDE, MANUFACTURER, METRES_FAR, MODEL, Site

_BEIJING_AHEAD = timedelta(hours=8)
_STRAY = timedelta(days=400)
Answer = Callable[[Envelope, int], list[bytes]]


class Queries:
    """Reads the site; changes nothing."""

    def __init__(self, site: Site, calls: Calls) -> None:
        self._site = site
        self._calls = calls
        self._both: dict[str, Answer] = {
            "catalog": self._catalog,
            "deviceinfo": self._info,
            "devicestatus": self._status,
            "recordinfo": self._records,
            "presetquery": self._presets,
        }
        self._modern: dict[str, Answer] = {
            "homepositionquery": self._home,
            "cruisetracklistquery": self._tracks,
            "cruisetrackquery": self._track,
            "ptzposition": self._position,
            "sdcardstatus": self._cards,
        }

    def answer(self, envelope: Envelope) -> list[bytes]:
        """The bodies, none where a fault says so. Raises RemoteProtocolError when the query lacks what it needs."""
        site, faults = self._site, self._site.config.faults
        name, sn = envelope.cmd_type.lower(), envelope.sn or 1
        if faults.wrong_sn:
            sn += 1
        if name in faults.unanswered:
            return []
        answer = self._both.get(name)
        if answer is None and site.edition == Edition.E2022:
            answer = self._modern.get(name)
        if answer is None:
            return [Result(envelope.cmd_type, envelope.device_id, sn, ok=False).to_bytes(site.edition)]
        return answer(envelope, sn)

    def _camera(self, code: str) -> Camera:
        camera = self._site.cameras.get(code)
        # Asked about itself, a platform shows its first camera, as a device with one lens would.
        return camera or next(iter(self._site.cameras.values()), Camera())

    def _info(self, envelope: Envelope, sn: int) -> list[bytes]:
        site, asked = self._site, envelope.device_id
        channel = site.channels.get(asked)
        name = channel.name if channel else site.basics.name
        count = 1 if channel else len(site.channels)
        info = DeviceInfo(asked, sn, name, True, MANUFACTURER, MODEL, site.firmware, count).build(site.edition)
        return [info.replace(b"<Result>OK</Result>", b"") if site.config.faults.info_without_result else info]

    def _status(self, envelope: Envelope, sn: int) -> list[bytes]:
        site, asked = self._site, envelope.device_id
        channel, camera = site.channels.get(asked), site.cameras.get(asked)
        online = channel.online if channel else True
        encode = any(stream.channel.code == asked for stream in self._calls.streams)
        record = bool(site.config.record_days) and (camera.recording if camera else True)
        moment = now().astimezone(UTC) - (_BEIJING_AHEAD if site.config.faults.clock_utc else timedelta())
        guarded = camera.guarded if camera else site.guarded
        alarmed = bool(camera and camera.alarmed)
        duty = ((asked, "ALARM" if alarmed else "ONDUTY"),) if guarded or alarmed else ()
        status = DeviceStatus(
            asked, sn, online=online, ok=online, encode=encode, record=record, device_time=moment, alarms=duty
        )
        body = status.build(site.edition)
        return [body.replace(b"<Online>ONLINE</Online>", b"") if site.config.faults.status_without_online else body]

    def _presets(self, envelope: Envelope, sn: int) -> list[bytes]:
        camera = self._camera(envelope.device_id)
        presets = tuple(PresetItem(number, name) for number, (name, _) in sorted(camera.presets.items()))
        return [PresetList(envelope.device_id, sn, presets).to_bytes(self._site.edition)]

    def _home(self, envelope: Envelope, sn: int) -> list[bytes]:
        home = self._camera(envelope.device_id).home
        position = HomePosition(home.enabled, home.reset, home.preset)
        return [HomePositionAnswer(envelope.device_id, sn, position).to_bytes(self._site.edition)]

    def _tracks(self, envelope: Envelope, sn: int) -> list[bytes]:
        tracks = self._camera(envelope.device_id).tracks
        entries = tuple(CruiseTrackEntry(number, track.name) for number, track in sorted(tracks.items()))
        return [CruiseTrackList(envelope.device_id, sn, entries).to_bytes(self._site.edition)]

    def _track(self, envelope: Envelope, sn: int) -> list[bytes]:
        number = CruiseTrackQuery.parse(envelope).number
        track = self._camera(envelope.device_id).tracks.get(number)
        points = tuple(CruisePoint(preset, track.stay, track.speed) for preset in track.points) if track else ()
        name = track.name if track else ""
        return [CruiseTrack(envelope.device_id, sn, number, name, points).to_bytes(self._site.edition)]

    def _position(self, envelope: Envelope, sn: int) -> list[bytes]:
        return [self.position(envelope.device_id, sn).to_bytes(self._site.edition)]

    def position(self, code: str, sn: int) -> PtzPosition:
        """Where a camera looks; the further it zooms, the narrower and the longer its view."""
        at = self._camera(code).position
        return PtzPosition(
            code,
            sn,
            round(at.pan, 2),
            round(at.tilt, 2),
            round(at.zoom, 2),
            round(DEGREES_WIDE / at.zoom, 2),
            round(DEGREES_HIGH / at.zoom, 2),
            round(METRES_FAR * at.zoom, 1),
        )

    def _cards(self, envelope: Envelope, sn: int) -> list[bytes]:
        return [SdCardStatus(envelope.device_id, sn, tuple(self._site.cards)).to_bytes(self._site.edition)]

    def _records(self, envelope: Envelope, sn: int) -> list[bytes]:
        site, faults, query = self._site, self._site.config.faults, RecordInfoQuery.parse(envelope)
        asked = envelope.device_id
        channels = list(site.channels) if asked == site.config.code else [asked]
        found = [
            file
            for code in channels
            if site.config.record_days and code in site.cameras
            for file in site.recorder(code).find(query.start, query.end, now(), query.type)
        ]
        items = [
            RecordItem(file.channel, file.name, file.start, file.end, file.path, type=file.kind, file_size=file.size)
            for file in found
        ]
        if faults.records_outside:
            items = [_moved(item) for item in items]
        name = channel.name if (channel := site.channels.get(asked)) else site.basics.name
        packets = split_records(asked, sn, name, items, site.config.items_per_packet)
        if faults.records_wrong_sum:
            packets = [replace(packet, sum_num=(packet.sum_num or 0) + 1) for packet in packets]
        return [packet.to_bytes(site.edition) for packet in packets] or [
            RecordInfo(asked, sn, name, 0).to_bytes(site.edition)
        ]

    # --- the catalogue -----------------------------------------------------------------------------------------------

    def _catalog(self, envelope: Envelope, sn: int) -> list[bytes]:
        site, faults, asked = self._site, self._site.config.faults, envelope.device_id
        site.renew()
        region = len(asked) < len(site.config.code)
        items = site.items() if region and faults.catalog_region_ignored else site.select(asked)
        items = self._spoiled(items)
        total = len(items) + faults.catalog_wrong_sum
        size = max(1, site.config.items_per_packet)
        chunks = [items[at : at + size] for at in range(0, len(items), size)] or [[]]
        named = site.config.server_code if faults.catalog_wrong_device else asked
        packets = [CatalogResponse(named, sn, total, chunk).build(site.edition) for chunk in chunks]
        if faults.catalog_wrong_num:
            packets = [packet.replace(b' Num="', b' Num="1') for packet in packets]
        if 0 < faults.catalog_missing < len(packets):
            packets = packets[: -faults.catalog_missing]
        if faults.catalog_out_of_order:
            packets = packets[1::2] + packets[0::2]
        if faults.catalog_duplicates:
            packets = [again for index, packet in enumerate(packets) for again in [packet] * (1 + index % 2)]
        return packets

    def _spoiled(self, items: list[CatalogItem]) -> list[CatalogItem]:
        faults = self._site.config.faults
        if faults.catalog_no_name:
            items = [replace(item, name="") for item in items]
        changes: dict[str, str] = {}
        if faults.catalog_bad_status:
            changes["Status"] = "RUNNING"
        if faults.catalog_lost_parent:
            changes["ParentID"] = f"{self._site.config.code[:14]}999999"
        return [replace(item, fields=item.fields | changes) if item.kind == "device" else item for item in items]


def _moved(item: RecordItem) -> RecordItem:
    start, end = item.start, item.end
    return replace(item, start=start - _STRAY if start else None, end=end - _STRAY if end else None)
