"""Every room's jobs, imported for their declarations: the web role queues them, the work role runs them."""

from gongshi.inventory import jobs as inventory
from gongshi.sharing import jobs as sharing

DECLARED = (inventory, sharing)
