"""Every room's jobs, imported for their declarations: the web role queues them, the work role runs them."""

from gongshi.inventory import jobs as inventory

DECLARED = (inventory,)
