"""The doors of every room, in the order they stand in the API description."""

from gongshi.access.door import Door
from gongshi.audit.api import door as audit
from gongshi.identity.api import door as identity
from gongshi.inventory.api import door as inventory
from gongshi.media.api import door as media
from gongshi.node.stream import door as events
from gongshi.node.system import door as system
from gongshi.registry.api import door as registry
from gongshi.sharing.api import door as sharing
from gongshi.signalling.api import door as signalling
from gongshi.signalling.uppers.api import door as uppers

DOORS: tuple[Door, ...] = (
    identity,
    registry,
    inventory,
    signalling,
    uppers,
    sharing,
    media,
    audit,
    events,
    system,
)
