"""What every process of a node has in hand: settings, keys, addresses of the database and of the other roles."""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from gongshi.config import Settings
from gongshi.db.embedded import APPLICATION, EmbeddedPostgres
from gongshi.db.engine import PATIENCE, Database
from gongshi.db.objects import Objects
from gongshi.kit.i18n import Text
from gongshi.node.rpc import RpcClient
from gongshi.node.secrets import NodeSecrets, require

ROLE_NAMES = {
    "web": Text("门户进程", "web process"),
    "signal": Text("信令进程", "signalling process"),
    "media": Text("媒体进程", "media process"),
    "work": Text("后台进程", "background process"),
}
_LONGEST_SOCKET = 100


@dataclass(frozen=True, slots=True)
class Runtime:
    """Built once per process from the settings."""

    settings: Settings
    secrets: NodeSecrets
    embedded: EmbeddedPostgres | None
    """The cluster this node starts itself; None with an external database."""
    database_url: str
    owner_url: str
    sockets: Path

    @classmethod
    def of(cls, settings: Settings) -> "Runtime":
        """Of these settings; LostSecrets when keys are gone beside data that needs them."""
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        url = settings.application_url()
        embedded = EmbeddedPostgres(settings.data) if url is None else None
        if embedded is not None:
            if embedded.stands:
                require(settings.data, embedded.cluster, ["database.json"])
            (settings.data / "secrets").mkdir(mode=0o700, exist_ok=True)
        elif any((settings.data / "objects").glob("*")):
            require(settings.data, settings.data / "objects")
        return cls(
            settings=settings,
            secrets=NodeSecrets.of(settings.data),
            embedded=embedded,
            database_url=url or (embedded.url if embedded else ""),
            owner_url=settings.owner_url() or (embedded.owner_url if embedded else ""),
            sockets=_socket_directory(settings.run),
        )

    @property
    def application_role(self) -> str | None:
        """The role that gets its rights after a migration; None when one role owns and uses everything."""
        if self.embedded is not None:
            return APPLICATION
        if self.owner_url == self.database_url:
            return None
        from sqlalchemy.engine import make_url  # noqa: PLC0415 -- rarely needed

        return make_url(self.database_url).username

    def database(self, *, patience: float = PATIENCE) -> Database:
        """A pool of connections; `patience` as `db.engine.Database` has it."""
        return Database(self.database_url, pool_size=self.settings.database.pool_size, patience=patience)

    def objects(self) -> Objects:
        return Objects.local(self.settings.data / "objects")

    def socket(self, role: str) -> Path:
        return self.sockets / f"{role}.sock"

    def client(self, role: str) -> RpcClient:
        return RpcClient(self.socket(role), ROLE_NAMES[role])


def _socket_directory(wanted: Path) -> Path:
    """Unix socket paths end at 108 bytes; a deep data directory gets a short name elsewhere."""
    if len(str(wanted)) > _LONGEST_SOCKET - len("/signal.sock"):
        key = hashlib.sha256(str(wanted).encode()).hexdigest()[:12]
        wanted = Path(tempfile.gettempdir()) / f"gongshi-run-{os.geteuid()}-{key}"
    wanted.mkdir(mode=0o700, parents=True, exist_ok=True)
    if wanted.is_symlink() or wanted.stat().st_uid != os.geteuid():
        message = f"{wanted} belongs to someone else"
        raise PermissionError(message)
    return wanted
