"""Every table of the node, for migrations and tests; the one import that sees all rooms' models."""

from gongshi.access import models as access
from gongshi.audit import models as audit
from gongshi.db import events
from gongshi.db.base import Base
from gongshi.identity import models as identity
from gongshi.inventory import models as inventory
from gongshi.media import models as media
from gongshi.registry import models as registry
from gongshi.sharing import models as sharing
from gongshi.signalling import models as signalling
from gongshi.signalling.uppers import models as uppers

__all__ = [
    "Base",
    "access",
    "audit",
    "events",
    "identity",
    "inventory",
    "media",
    "registry",
    "sharing",
    "signalling",
    "uppers",
]
