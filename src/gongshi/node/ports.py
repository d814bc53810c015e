"""The ports a node needs, tried before anything starts: a port that is taken is said at once and by its key."""

import errno
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gongshi.config import Settings
from gongshi.kit.errors import Conflict, FieldError
from gongshi.kit.i18n import Text

_REASONS = {
    errno.EADDRINUSE: Text("已被占用", "is in use"),
    errno.EACCES: Text("无权使用（1024 以下的端口需要特权）", "is not allowed (ports below 1024 need privileges)"),
    errno.EADDRNOTAVAIL: Text("不是本机地址", "is not an address of this machine"),
}
_STREAM, _DATAGRAM = socket.SOCK_STREAM, socket.SOCK_DGRAM


@dataclass(frozen=True, slots=True)
class Wanted:
    """One port of the configuration."""

    key: str
    host: str
    port: int
    kind: socket.SocketKind

    @property
    def shown(self) -> str:
        return f"{self.key} {self.host}:{self.port}/{'tcp' if self.kind == _STREAM else 'udp'}"


def wanted(settings: Settings) -> Iterator[Wanted]:
    """Every fixed port of all roles; those the system chooses (0) cannot be taken."""
    ports = [Wanted("web.port", settings.web.host, settings.web.port, _STREAM)]
    for transport, kind in (("udp", _DATAGRAM), ("tcp", _STREAM)):
        if transport in settings.sip.transports:
            ports.append(Wanted("sip.port", settings.sip.host, settings.sip.port, kind))
    first = settings.media.http_port
    ports += [
        Wanted("media.http_port", settings.media.host, first + number, _STREAM)
        for number in range(settings.media.workers if first else 0)
    ]
    return (port for port in ports if port.port)


def obstacle(port: Wanted) -> Text | None:
    """Why a port cannot be used now; None when it can."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            port.host, port.port, type=port.kind, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            if kind == _STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            if kind == _STREAM:
                probe.listen(1)
    except socket.gaierror:
        return _REASONS[errno.EADDRNOTAVAIL]
    except (OSError, OverflowError) as error:
        number = error.errno if isinstance(error, OSError) else None
        return _REASONS.get(number or 0, Text(f"无法使用（{error}）", f"cannot be used ({error})"))
    return None


def require(settings: Settings, options: Mapping[str, str] | None = None) -> None:
    """Conflict naming every port that cannot be used; `options` are command line options by configuration key."""
    errors: list[FieldError] = []
    for port in wanted(settings):
        reason = obstacle(port)
        if reason is None:
            continue
        option = (options or {}).get(port.key)
        change = Text(f"用 {option} 或配置项 {port.key}", f"{option} or the key {port.key}") if option else None
        change = change or Text(f"用配置项 {port.key}", f"the key {port.key}")
        errors.append(
            FieldError(
                port.key,
                "port_taken",
                Text(
                    f"{port.shown} {reason.zh}；停止占用它的程序，或{change.zh} 换一个端口",
                    f"{port.shown} {reason.en}; stop what holds it, or change it by {change.en}",
                ),
            )
        )
    if errors:
        raise Conflict(errors=errors, code="port_taken")
