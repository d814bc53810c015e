"""The node's part in its own log: who may sign checkpoints, and where they are kept outside the database."""

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gongshi.audit.checkpoints import DirectoryKeeper, Keeper, Signer, key_id_of
from gongshi.audit.checks import AuditPorts
from gongshi.audit.tree import algorithm_named
from gongshi.node.runtime import Runtime


def keepers(runtime: Runtime) -> list[Keeper]:
    """The object store first, then the configured witnesses."""
    return [runtime.objects(), *(DirectoryKeeper(path) for path in runtime.settings.audit.witnesses)]


def signer(runtime: Runtime) -> Signer:
    return Signer(runtime.secrets.audit, runtime.settings.node.code)


def audit_ports(runtime: Runtime) -> AuditPorts:
    """What the log's door and command line work with."""
    public = runtime.secrets.audit.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return AuditPorts(
        node_code=runtime.settings.node.code,
        keys={key_id_of(public): public},
        keepers=keepers(runtime),
        algorithm=algorithm_named(runtime.settings.audit.algorithm),
    )
