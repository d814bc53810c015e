"""Cameras and lower platforms that speak GB/T 28181 on real sockets, with moving pictures."""

from gongshi.simulator.config import Channel, ConfigError, PlatformConfig, generate_channels, load_catalog
from gongshi.simulator.faults import Faults
from gongshi.simulator.platform import SimulatedPlatform

__all__ = [
    "Channel",
    "ConfigError",
    "Faults",
    "PlatformConfig",
    "SimulatedPlatform",
    "generate_channels",
    "load_catalog",
]
