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
from gongshi.signalling.alarm_api import door as alarms
from gongshi.signalling.api import door as signalling
from gongshi.signalling.camera_api import door as steering
from gongshi.signalling.channel_api import door as channels
from gongshi.signalling.manage_api import door as managing
from gongshi.signalling.uppers.api import door as uppers

DOORS: tuple[Door, ...] = (
    identity,
    registry,
    inventory,
    signalling,
    managing,
    channels,
    steering,
    alarms,
    uppers,
    sharing,
    media,
    audit,
    events,
    system,
)
