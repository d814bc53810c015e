from integration.media.contract import EngineContract
from integration.media.relays import RelayContract


class TestEmbeddedEngine(EngineContract):
    """The fixtures of conftest start the embedded engine."""


class TestEmbeddedRelay(RelayContract):
    """As above."""
