"""One process per role (design.md §4). Each role is a module of its own, so that a process loads only what it runs."""

import importlib

import structlog

from gongshi.node.runtime import Runtime


async def run(role: str, runtime: Runtime) -> None:
    """Run one role until SIGINT or SIGTERM."""
    structlog.contextvars.bind_contextvars(role=role)
    await importlib.import_module(f"gongshi.node.roles.{role}").run(runtime)
