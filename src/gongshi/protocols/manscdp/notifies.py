"""Notifies that are neither keepalive, alarm, position nor catalogue (gb28181.md §9, §12; GB/T 28181-2022 §9.13, §9.14)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gongshi.protocols.codes import Edition
from gongshi.protocols.manscdp.charset import Charset
from gongshi.protocols.manscdp.editions import require_modern
from gongshi.protocols.manscdp.element import Element, leaf, optional
from gongshi.protocols.manscdp.envelope import Envelope, build
from gongshi.protocols.manscdp.messages import format_time, parse_time
from gongshi.protocols.manscdp.values import read_result, result_word, sn_of

FILE_ENDED: Final = 121
FAILURES: Final = {"01": "download timed out", "02": "package damaged", "03": "system error", "99": "other"}


@dataclass(frozen=True, slots=True)
class MediaStatus:
    """Notify MediaStatus: 121 = the recording was sent to its end; inside the INVITE dialog (§9.8, Q-28)."""

    device_id: str
    sn: int
    notify_type: int = FILE_ENDED

    @classmethod
    def parse(cls, envelope: Envelope) -> "MediaStatus":
        """From an envelope that `is_("Notify", "MediaStatus")`; without a type it means the end."""
        kind = envelope.element.integer("NotifyType")
        return cls(envelope.device_id, envelope.sn or 0, FILE_ENDED if kind is None else kind)

    def to_bytes(self, edition: Edition = Edition.E2016, charset: Charset = "gb18030") -> bytes:
        """The body."""
        children = [leaf("NotifyType", self.notify_type)]
        return build("Notify", "MediaStatus", self.sn, self.device_id, children, edition=edition, charset=charset)

    @property
    def ended(self) -> bool:
        """The recording was sent to its end."""
        return self.notify_type == FILE_ENDED


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Notify Broadcast: asks the target to call the source for its voice (§9.12.1). Answered by Result."""

    source_id: str
    """Voice input."""
    target_id: str
    """Voice output, or a main device for all of its."""
    sn: int

    @classmethod
    def parse(cls, envelope: Envelope) -> "Broadcast":
        """From an envelope that `is_("Notify", "Broadcast")`; vendors put the target into DeviceID."""
        e = envelope.element
        return cls(e.get("SourceID") or "", e.get("TargetID") or envelope.device_id, sn_of(envelope))

    def to_bytes(self, edition: Edition = Edition.E2016, charset: Charset = "gb18030") -> bytes:
        """The body: this message alone has no DeviceID of its own."""
        children = [leaf("SourceID", self.source_id), leaf("TargetID", self.target_id)]
        return build("Notify", "Broadcast", self.sn, None, children, edition=edition, charset=charset)


@dataclass(frozen=True, slots=True)
class VideoUpload:
    """Notify VideoUploadNotify (2022): a mobile device asks to be called for its stream."""

    device_id: str
    sn: int
    time: datetime | None = None
    longitude: float | None = None
    latitude: float | None = None

    @classmethod
    def parse(cls, envelope: Envelope) -> "VideoUpload":
        """From an envelope that `is_("Notify", "VideoUploadNotify")`."""
        e = envelope.element
        return cls(
            envelope.device_id,
            envelope.sn or 0,
            parse_time(e.get("Time")),
            e.number("Longitude"),
            e.number("Latitude"),
        )

    def to_bytes(self, edition: Edition = Edition.E2022, charset: Charset = "gb18030") -> bytes:
        """The body."""
        require_modern(edition, "VideoUploadNotify")
        children = optional(
            [
                ("Time", format_time(self.time) if self.time else None),
                ("Longitude", self.longitude),
                ("Latitude", self.latitude),
            ]
        )
        return build("Notify", "VideoUploadNotify", self.sn, self.device_id, children, edition=edition, charset=charset)


@dataclass(frozen=True, slots=True)
class SnapShotFinished:
    """Notify UploadSnapShotFinished (2022): which pictures of an order arrived; fewer than asked is partial failure."""

    device_id: str
    sn: int
    session_id: str
    files: tuple[str, ...] = ()

    @classmethod
    def parse(cls, envelope: Envelope) -> "SnapShotFinished":
        """From an envelope that `is_("Notify", "UploadSnapShotFinished")`."""
        e = envelope.element
        holder = e.find("SnapShotList")
        files = tuple(c.text for c in holder.all("SnapShotFileID") if c.text) if holder else ()
        return cls(envelope.device_id, envelope.sn or 0, e.get("SessionID") or "", files)

    def to_bytes(self, edition: Edition = Edition.E2022, charset: Charset = "gb18030") -> bytes:
        """The body."""
        require_modern(edition, "UploadSnapShotFinished")
        children = [leaf("SessionID", self.session_id)]
        if self.files:
            children.append(Element("SnapShotList", "", [leaf("SnapShotFileID", f) for f in self.files]))
        return build(
            "Notify", "UploadSnapShotFinished", self.sn, self.device_id, children, edition=edition, charset=charset
        )


@dataclass(frozen=True, slots=True)
class UpgradeResult:
    """Notify DeviceUpgradeResult (2022), after the device registered again."""

    device_id: str
    sn: int
    session_id: str
    result: bool
    firmware: str = ""
    reason: str = ""
    """A key of `FAILURES`."""

    @classmethod
    def parse(cls, envelope: Envelope) -> "UpgradeResult":
        """From an envelope that `is_("Notify", "DeviceUpgradeResult")`."""
        e = envelope.element
        word = e.get("UpgradeResult")
        result = word.upper() == "OK" if word else read_result(e)
        return cls(
            envelope.device_id,
            envelope.sn or 0,
            e.get("SessionID") or "",
            result,
            e.get("Firmware") or "",
            e.get("UpgradeFailedReason") or "",
        )

    def to_bytes(self, edition: Edition = Edition.E2022, charset: Charset = "gb18030") -> bytes:
        """The body."""
        require_modern(edition, "DeviceUpgradeResult")
        children = optional(
            [
                ("SessionID", self.session_id),
                ("UpgradeResult", result_word(self.result)),
                ("Firmware", self.firmware),
                ("UpgradeFailedReason", self.reason),
            ]
        )
        return build(
            "Notify", "DeviceUpgradeResult", self.sn, self.device_id, children, edition=edition, charset=charset
        )
