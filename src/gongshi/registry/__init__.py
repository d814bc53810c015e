"""The registry: regions, organisations, platforms, poles, cameras and every change to them."""
