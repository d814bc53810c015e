"""From an envelope to the message that it is: one table of everything that annex A defines."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from gongshi.protocols.manscdp.alarm import Alarm, MobilePosition
from gongshi.protocols.manscdp.answers import (
    CruiseTrack,
    CruiseTrackList,
    HomePositionAnswer,
    PresetList,
    PtzPosition,
    Result,
    SdCardStatus,
)
from gongshi.protocols.manscdp.catalog import CatalogChange, CatalogResponse
from gongshi.protocols.manscdp.configuration import ConfigDownload, DeviceConfig
from gongshi.protocols.manscdp.control import DeviceControl
from gongshi.protocols.manscdp.envelope import Envelope, Root
from gongshi.protocols.manscdp.messages import CatalogQuery, DeviceInfo, DeviceStatus, Keepalive
from gongshi.protocols.manscdp.notifies import Broadcast, MediaStatus, SnapShotFinished, UpgradeResult, VideoUpload
from gongshi.protocols.manscdp.queries import (
    AlarmQuery,
    ConfigDownloadQuery,
    CruiseTrackListQuery,
    CruiseTrackQuery,
    DeviceInfoQuery,
    DeviceStatusQuery,
    HomePositionQuery,
    MobilePositionQuery,
    PresetQuery,
    PtzPositionQuery,
    SdCardStatusQuery,
)
from gongshi.protocols.manscdp.records import RecordInfo, RecordInfoQuery

AnyMessage: TypeAlias = (
    Alarm
    | AlarmQuery
    | Broadcast
    | CatalogChange
    | CatalogQuery
    | CatalogResponse
    | ConfigDownload
    | ConfigDownloadQuery
    | CruiseTrack
    | CruiseTrackList
    | CruiseTrackListQuery
    | CruiseTrackQuery
    | DeviceConfig
    | DeviceControl
    | DeviceInfo
    | DeviceInfoQuery
    | DeviceStatus
    | DeviceStatusQuery
    | HomePositionAnswer
    | HomePositionQuery
    | Keepalive
    | MediaStatus
    | MobilePosition
    | MobilePositionQuery
    | PresetList
    | PresetQuery
    | PtzPosition
    | PtzPositionQuery
    | RecordInfo
    | RecordInfoQuery
    | Result
    | SdCardStatus
    | SdCardStatusQuery
    | SnapShotFinished
    | UpgradeResult
    | VideoUpload
)

_READERS: Final[Mapping[tuple[Root, str], Callable[[Envelope], AnyMessage]]] = {
    ("Control", "devicecontrol"): DeviceControl.parse,
    ("Control", "deviceconfig"): DeviceConfig.parse,
    ("Query", "catalog"): CatalogQuery.parse,
    ("Query", "deviceinfo"): DeviceInfoQuery.parse,
    ("Query", "devicestatus"): DeviceStatusQuery.parse,
    ("Query", "recordinfo"): RecordInfoQuery.parse,
    ("Query", "configdownload"): ConfigDownloadQuery.parse,
    ("Query", "presetquery"): PresetQuery.parse,
    ("Query", "homepositionquery"): HomePositionQuery.parse,
    ("Query", "cruisetracklistquery"): CruiseTrackListQuery.parse,
    ("Query", "cruisetrackquery"): CruiseTrackQuery.parse,
    ("Query", "ptzposition"): PtzPositionQuery.parse,
    ("Query", "sdcardstatus"): SdCardStatusQuery.parse,
    ("Query", "alarm"): AlarmQuery.parse,
    ("Query", "mobileposition"): MobilePositionQuery.parse,
    ("Notify", "keepalive"): Keepalive.parse,
    ("Notify", "mediastatus"): MediaStatus.parse,
    ("Notify", "alarm"): Alarm.parse,
    ("Notify", "broadcast"): Broadcast.parse,
    ("Notify", "catalog"): CatalogChange.parse,
    ("Notify", "mobileposition"): MobilePosition.parse,
    ("Notify", "ptzposition"): PtzPosition.parse,
    ("Notify", "uploadsnapshotfinished"): SnapShotFinished.parse,
    ("Notify", "videouploadnotify"): VideoUpload.parse,
    ("Notify", "deviceupgraderesult"): UpgradeResult.parse,
    ("Response", "catalog"): CatalogResponse.parse,
    ("Response", "deviceinfo"): DeviceInfo.parse,
    ("Response", "devicestatus"): DeviceStatus.parse,
    ("Response", "recordinfo"): RecordInfo.parse,
    ("Response", "configdownload"): ConfigDownload.parse,
    ("Response", "presetquery"): PresetList.parse,
    ("Response", "homepositionquery"): HomePositionAnswer.parse,
    ("Response", "cruisetracklistquery"): CruiseTrackList.parse,
    ("Response", "cruisetrackquery"): CruiseTrack.parse,
    ("Response", "ptzposition"): PtzPosition.parse,
    ("Response", "sdcardstatus"): SdCardStatus.parse,
    ("Response", "devicecontrol"): Result.parse,
    ("Response", "deviceconfig"): Result.parse,
    ("Response", "alarm"): Result.parse,
    ("Response", "broadcast"): Result.parse,
}


def read(envelope: Envelope) -> AnyMessage | None:
    """The message as a value; None for a command that the standard does not know (Q-51).

    Raises RemoteProtocolError when a known message lacks what it cannot do without.
    """
    reader = _READERS.get((envelope.root, envelope.cmd_type.lower()))
    return None if reader is None else reader(envelope)
