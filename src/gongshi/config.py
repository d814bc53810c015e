"""Settings: one TOML file, overridden by `GONGSHI_SECTION__KEY` variables, checked as a whole at start."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from gongshi.kit.errors import FieldError, Invalid
from gongshi.kit.i18n import Text
from gongshi.kit.wording import reason

Port = Annotated[int, Field(ge=0, le=65535)]


class Section(BaseModel):
    """Unknown keys are errors: a mistyped key must not be a silent default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NodeSettings(Section):
    """Who this node is: one platform of the guideline (design.md §2)."""

    code: Annotated[str, Field(pattern=r"^[0-9]{10}200[0-9]{7}$")] = "34150000002000000001"
    name: str = "六安市公共视频共享平台"
    name_en: str = "Lu'an public video sharing platform"
    kind: Literal["integration", "police", "general", "industry"] = "general"
    level: Literal["province", "city", "county"] = "city"
    domain: Literal["integration", "video", "egov", "industry", "internet"] = "egov"
    region: Annotated[str, Field(pattern=r"^[0-9]{6}$")] = "341500"


class DatabaseSettings(Section):
    """Leave `url` out for the embedded PostgreSQL."""

    url: str | None = None
    url_file: Path | None = None
    owner_url: str | None = None
    """Role that owns the schemas and runs migrations; the same as `url` when left out."""
    owner_url_file: Path | None = None
    pool_size: Annotated[int, Field(ge=2, le=100)] = 10


class WebSettings(Section):
    """Where people and scripts reach the node."""

    host: str = "127.0.0.1"
    port: Port = 8080
    origins: list[str] = []
    """Origins pages may come from, for media on a port of its own; the node's own addresses are always in."""
    secure_cookie: bool = False
    """True behind TLS (deploy/)."""
    trusted_proxies: list[str] = []


class SipSettings(Section):
    """Where devices and lower platforms reach the node (GB/T 28181 §9.1)."""

    host: str = "0.0.0.0"  # noqa: S104 -- devices come from other networks
    port: Port = 5060
    advertise: str | None = None
    """Address peers should use; the local address towards the peer when left out."""
    transports: Annotated[list[Literal["udp", "tcp"]], Field(min_length=1)] = ["udp", "tcp"]
    proxies: list[str] = []
    """Addresses of SIP proxies in front of this node; what they say about where a request came from is believed."""
    expires_minimum: Annotated[int, Field(ge=60, le=86400)] = 3600
    catalogue_on_register: bool = True


class MediaSettings(Section):
    """The embedded media engine (design.md §7)."""

    workers: Annotated[int, Field(ge=1, le=64)] = 1
    host: str = "0.0.0.0"  # noqa: S104 -- cameras and viewers come from other networks
    advertise: str | None = None
    """Address cameras send to; the local address towards the peer when left out."""
    rtp_ports: Annotated[str, Field(pattern=r"^[0-9]{4,5}-[0-9]{4,5}$")] = "30000-30999"
    http_port: Port = 0
    """First viewer port, one per worker; 0: any free."""
    same_origin: bool = False
    """True when the proxy of deploy/ maps /media/<worker>/ to the workers."""
    first_packet_seconds: Annotated[float, Field(gt=0, le=60)] = 10.0
    linger_seconds: Annotated[float, Field(ge=0, le=600)] = 15.0


class AuditSettings(Section):
    """The log (design.md §8)."""

    algorithm: Literal["sha256", "sm3"] = "sha256"
    checkpoint_entries: Annotated[int, Field(ge=1)] = 1000
    checkpoint_seconds: Annotated[float, Field(gt=0)] = 60.0
    witnesses: list[Path] = []
    """Directories outside the database that each get a copy of every checkpoint."""


class LogSettings(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"


class Settings(Section):
    """Everything; `data` is the only key without a default."""

    data: Path
    node: NodeSettings = NodeSettings()
    database: DatabaseSettings = DatabaseSettings()
    web: WebSettings = WebSettings()
    sip: SipSettings = SipSettings()
    media: MediaSettings = MediaSettings()
    audit: AuditSettings = AuditSettings()
    log: LogSettings = LogSettings()

    @property
    def run(self) -> Path:
        """Sockets of this node's processes."""
        return self.data / "run"

    def rtp_range(self) -> tuple[int, int]:
        first, _, last = self.media.rtp_ports.partition("-")
        return int(first), int(last)

    def application_url(self) -> str | None:
        """The configured database, or None for the embedded one."""
        return _address("database.url", _secret(self.database.url, self.database.url_file))

    def owner_url(self) -> str | None:
        own = _secret(self.database.owner_url, self.database.owner_url_file)
        return _address("database.owner_url", own) or self.application_url()


def _secret(value: str | None, file: Path | None) -> str | None:
    return file.read_text().strip() if file is not None else value


def bad_address(key: str) -> Invalid:
    """A database address that is none; it is not shown, for it may hold a password."""
    return Invalid(
        Text(
            f"{key} 不是有效的数据库地址，应为 postgresql://用户名:口令@主机:端口/库名",
            f"{key} is not a database address; write postgresql://user:password@host:port/database",
        ),
        code="bad_configuration",
    )


def _address(key: str, value: str | None) -> str | None:
    """The address when it can be one; Invalid otherwise."""
    if value is None:
        return None
    try:
        parts = urlsplit(value)
        sound = parts.scheme.startswith("postgres") and bool(parts.path.strip("/")) and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise bad_address(key)
    return value


def load(file: Path | None, environment: Mapping[str, str] | None = None) -> Settings:
    """Read and check the settings. Raises `Invalid` naming every wrong key at once."""
    values: dict[str, Any] = {}
    if file is not None:
        try:
            values = tomllib.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise Invalid(
                Text(
                    f"没有找到配置文件 {file}；用 gongshi init --data 目录 生成一份",
                    f"There is no configuration file {file}; make one with gongshi init --data DIRECTORY",
                ),
                code="no_configuration",
            ) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise Invalid(
                Text(f"配置文件 {file} 不是有效的 TOML：{error}", f"{file} is not valid TOML: {error}"),
                code="bad_configuration",
            ) from None
        if "data" in values:
            values["data"] = str((file.parent / str(values["data"])).resolve())
    _override(values, os.environ if environment is None else environment)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise _readable(error, file) from None
    first, last = settings.rtp_range()
    if not 1024 <= first < last <= 65535:
        raise Invalid(
            Text(
                f"media.rtp_ports = {settings.media.rtp_ports}：应为 1024-65535 之间从小到大的端口范围",
                f"media.rtp_ports = {settings.media.rtp_ports}: must be a rising range within 1024-65535",
            ),
            code="bad_configuration",
        )
    return settings


def _override(values: dict[str, Any], environment: Mapping[str, str]) -> None:
    for name, value in environment.items():
        if not name.startswith("GONGSHI_"):
            continue
        path = name.removeprefix("GONGSHI_").lower().split("__")
        if path == ["data"]:
            values["data"] = value
        elif len(path) == 2 and path[0] in Settings.model_fields:
            section = values.setdefault(path[0], {})
            model = Settings.model_fields[path[0]].annotation
            known: Mapping[str, FieldInfo] = (
                model.model_fields if isinstance(model, type) and issubclass(model, Section) else {}
            )
            many = path[1] in known and str(known[path[1]].annotation).startswith("list")
            section[path[1]] = [v.strip() for v in value.split(",") if v.strip()] if many else value


_UNKNOWN_KEY = Text("没有这个配置项，请检查拼写", "is not a known key; check the spelling")


def _readable(error: ValidationError, file: Path | None) -> Invalid:
    found: list[FieldError] = []
    for item in error.errors(include_url=False):
        key = ".".join(str(part) for part in item["loc"])
        why = _UNKNOWN_KEY if item["type"] == "extra_forbidden" else reason(item)
        found.append(FieldError(key, item["type"], Text(f"{key} {why.zh}", f"{key} {why.en}")))
    place = Text(str(file), str(file)) if file else Text("环境变量", "environment")
    return Invalid(
        Text(
            f"配置有误（{place.zh}）：" + "；".join(e.message.zh for e in found),
            f"The configuration is wrong ({place.en}): " + "; ".join(e.message.en for e in found),
        ),
        code="bad_configuration",
        errors=found,
    )
