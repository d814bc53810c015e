from integration.media.contract import EngineContract


class TestEmbeddedEngine(EngineContract):
    """The fixtures of conftest start the embedded engine."""
