"""Settings of the device: ConfigDownload shows them, DeviceConfig changes them, a snapshot order makes pictures (§8.2)."""

import asyncio
from collections.abc import Callable, Coroutine
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from io import BytesIO
from urllib.parse import urlsplit

import structlog
from PIL import Image, ImageDraw

from gongshi.kit.clock import local, now
from gongshi.protocols.codes import Edition
from gongshi.protocols.errors import RemoteProtocolError
from gongshi.protocols.manscdp import ConfigDownloadQuery, Envelope, Result, SnapShotFinished
from gongshi.protocols.manscdp.configuration import ConfigDownload, DeviceConfig
from gongshi.protocols.manscdp.settings import (
    AlarmReport,
    BasicParam,
    FrameMirror,
    OsdConfig,
    PictureMask,
    Setting,
    SnapShotConfig,
    VideoAlarmRecord,
    VideoAttribute,
    VideoParamAttribute,
    VideoParamOpt,
    VideoRecordPlan,
    setting_name,
    too_new,
)
from gongshi.simulator.controls import Tell
from gongshi.simulator.site import Site

log = structlog.get_logger(__name__)

_UPLOAD_SECONDS = 10.0
_KIND_OF_SNAPSHOT = "02"


class Settings:
    """One set for the whole device; there is nothing in it that cameras would need apart."""

    def __init__(self, site: Site, spawn: Callable[[Coroutine[None, None, None]], None], tell: Tell) -> None:
        self._site = site
        self._spawn = spawn
        self._tell = tell
        kept: list[Setting] = [
            VideoParamOpt("1/2/4", "5"),
            VideoParamAttribute((VideoAttribute(0, "2", "5", "15", "2", "2048"),)),
            VideoRecordPlan(enabled=True),
            VideoAlarmRecord(enabled=False),
            PictureMask(enabled=False),
            FrameMirror(0),
            AlarmReport(motion=True, field=False),
            OsdConfig(1280, 720),
        ]
        self._kept = {setting_name(setting): setting for setting in kept}

    def show(self, envelope: Envelope) -> list[bytes]:
        """One answer per type, all with the query's SN (§7.6). Raises RemoteProtocolError when no type is named."""
        query, site = ConfigDownloadQuery.parse(envelope), self._site
        if "configdownload" in site.config.faults.unanswered:
            return []
        types = query.types[:1] if site.config.faults.config_first_only else query.types
        return [self._shown(query, name) for name in types]

    def _shown(self, query: ConfigDownloadQuery, name: str) -> bytes:
        site = self._site
        sn = query.sn + 1 if site.config.faults.wrong_sn else query.sn
        setting: Setting | None = self._kept.get(name)
        if name == BasicParam.NAME:
            basics = site.basics
            setting = BasicParam(basics.name, basics.expiration, basics.heartbeat, basics.misses)
        if setting is None or too_new(setting, site.edition):
            return ConfigDownload(query.device_id, sn, ok=False).to_bytes(site.edition)
        return ConfigDownload(query.device_id, sn, True, (setting,)).to_bytes(site.edition)

    def change(self, envelope: Envelope) -> list[bytes]:
        """Take settings over. Raises RemoteProtocolError when there are none."""
        order, site = DeviceConfig.parse(envelope), self._site
        done = all(self._take(order, setting) for setting in order.settings)
        if site.config.faults.config_silent:
            return []
        sn = order.sn + 1 if site.config.faults.wrong_sn else order.sn
        return [Result("DeviceConfig", order.device_id, sn, done).to_bytes(site.edition)]

    def _take(self, order: DeviceConfig, setting: Setting) -> bool:
        basics = self._site.basics
        if isinstance(setting, BasicParam):
            basics.name = setting.name or basics.name
            basics.expiration = setting.expiration or basics.expiration
            basics.heartbeat, basics.misses = setting.keepalive(basics.heartbeat, basics.misses)
            return True
        if isinstance(setting, SnapShotConfig):
            if self._site.edition != Edition.E2022:
                return False
            self._spawn(self._snap(order.device_id, setting))
            return True
        if setting_name(setting) not in self._kept or too_new(setting, self._site.edition):
            return False
        self._kept[setting_name(setting)] = setting
        return True

    # --- snapshots (2022 §9.14) --------------------------------------------------------------------------------------

    async def _snap(self, code: str, order: SnapShotConfig) -> None:
        done: list[str] = []
        for number in range(1, max(1, min(order.count, 10)) + 1):
            if number > 1:
                await asyncio.sleep(order.interval)
            moment = local(now())
            stamp = f"{moment:%Y%m%d%H%M%S}{moment.microsecond // 1000:03d}"
            name = f"{code}{_KIND_OF_SNAPSHOT}{stamp}{number:02d}"
            try:
                await asyncio.to_thread(_upload, order.upload_url, name, picture(code, f"{moment:%Y-%m-%d %H:%M:%S}"))
            except (OSError, HTTPException, ValueError, RemoteProtocolError) as error:
                log.warning("simulator.snapshot.failed", error=str(error))
                continue
            done.append(name)
        if self._site.config.faults.snapshot_silent:
            return
        told = SnapShotFinished(code, self._site.next_serial(), order.session_id, tuple(done))
        await self._tell(told.to_bytes(self._site.edition))


def picture(code: str, clock: str) -> bytes:
    """A JPEG with a code and a time on it."""
    image = Image.new("RGB", (640, 360), (64, 96, 128))
    ImageDraw.Draw(image).text((16, 16), f"{clock}  {code}", fill=(250, 250, 250))
    out = BytesIO()
    image.save(out, "JPEG")
    return out.getvalue()


def _upload(url: str, name: str, data: bytes) -> None:
    parts = urlsplit(url)
    kinds = {"http": HTTPConnection, "https": HTTPSConnection}
    if parts.scheme not in kinds or not parts.hostname:
        raise ValueError("the upload address is neither http nor https")
    connection = kinds[parts.scheme](parts.hostname, parts.port, timeout=_UPLOAD_SECONDS)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"Content-Type": "image/jpeg", "Content-Disposition": f'attachment; filename="{name}.jpg"'}
        connection.request("POST", path, data, headers)
        status = connection.getresponse().status
        if status >= 300:
            raise RemoteProtocolError(f"the upload was answered {status}", status)
    finally:
        connection.close()
