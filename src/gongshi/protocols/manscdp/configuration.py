"""DeviceConfig writes settings, ConfigDownload reads them (annex A.2.3.2, A.2.6; gb28181.md §7.6, §8.2)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from gongshi.protocols.codes import Edition
from gongshi.protocols.errors import LocalProtocolError, RemoteProtocolError
from gongshi.protocols.manscdp.charset import Charset
from gongshi.protocols.manscdp.editions import require_modern
from gongshi.protocols.manscdp.element import Element, leaf
from gongshi.protocols.manscdp.envelope import Envelope, build
from gongshi.protocols.manscdp.settings import (
    AlarmReport,
    BasicParam,
    FrameMirror,
    OsdConfig,
    PictureMask,
    RawSetting,
    Setting,
    SnapShotConfig,
    VideoAlarmRecord,
    VideoParamAttribute,
    VideoParamOpt,
    VideoRecordPlan,
    setting_name,
    too_new,
)
from gongshi.protocols.manscdp.values import read_result, result_word, sn_of

_FRAME: Final = frozenset({"cmdtype", "sn", "deviceid", "result", "info", "extrainfo", "sumnum"})
_KINDS: Final = (
    BasicParam,
    VideoParamOpt,
    VideoParamAttribute,
    VideoRecordPlan,
    VideoAlarmRecord,
    PictureMask,
    FrameMirror,
    AlarmReport,
    OsdConfig,
    SnapShotConfig,
)
_READERS: Final[Mapping[str, Callable[[Element], Setting]]] = {
    **{kind.NAME.lower(): kind.parse for kind in _KINDS},
    "snapshot": SnapShotConfig.parse,  # S-16
}


def read_settings(element: Element) -> tuple[Setting, ...]:
    """The settings in a message; unknown elements and damaged known ones are kept raw."""
    found: list[Setting] = []
    for child in element.children:
        low = child.name.lower()
        if low in _FRAME or not (child.children or child.text or child.attributes):
            continue
        reader = _READERS.get(low)
        try:
            found.append(reader(child) if reader else RawSetting(child.name, child))
        except RemoteProtocolError:
            found.append(RawSetting(child.name, child))
    return tuple(found)


def _write(settings: tuple[Setting, ...], edition: Edition) -> list[Element]:
    for setting in settings:
        if too_new(setting, edition):
            require_modern(edition, setting_name(setting))
    return [setting.to_element() for setting in settings]


@dataclass(frozen=True, slots=True)
class DeviceConfig:
    """Control DeviceConfig: answered by a Result."""

    device_id: str
    sn: int
    settings: tuple[Setting, ...]

    @classmethod
    def parse(cls, envelope: Envelope) -> "DeviceConfig":
        """From an envelope that `is_("Control", "DeviceConfig")`. Raises RemoteProtocolError when it sets nothing."""
        settings = read_settings(envelope.element)
        if not settings:
            raise RemoteProtocolError("DeviceConfig sets nothing")
        return cls(envelope.device_id, sn_of(envelope), settings)

    def to_bytes(self, edition: Edition = Edition.E2016, charset: Charset = "gb18030") -> bytes:
        """The body. Raises LocalProtocolError for settings that the edition lacks or that cannot be written."""
        if not self.settings or any(isinstance(s, VideoParamOpt) for s in self.settings):
            raise LocalProtocolError("DeviceConfig writes settings; VideoParamOpt can only be read")
        children = _write(self.settings, edition)
        return build("Control", "DeviceConfig", self.sn, self.device_id, children, edition=edition, charset=charset)


@dataclass(frozen=True, slots=True)
class ConfigDownload:
    """Response ConfigDownload: one type each, all with the query's SN."""

    device_id: str
    sn: int
    ok: bool = True
    settings: tuple[Setting, ...] = ()

    @classmethod
    def parse(cls, envelope: Envelope) -> "ConfigDownload":
        """From an envelope that `is_("Response", "ConfigDownload")`."""
        element = envelope.element
        return cls(envelope.device_id, sn_of(envelope), read_result(element), read_settings(element))

    def to_bytes(self, edition: Edition = Edition.E2016, charset: Charset = "gb18030") -> bytes:
        """The body."""
        children = [leaf("Result", result_word(self.ok)), *_write(self.settings, edition)]
        return build("Response", "ConfigDownload", self.sn, self.device_id, children, edition=edition, charset=charset)
