"""API shapes of the log."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel


class EntryOut(BaseModel):
    """One line of the log."""

    id: int
    at: datetime
    action: str
    sentence: str
    actor_kind: str
    actor_name: str
    organisation_id: int | None
    organisation_name: str
    address: str | None
    object_kind: str | None
    object_id: str | None
    camera: int | None
    camera_code: str | None
    camera_name: str | None
    session_id: str | None
    grant: int | None
    grant_number: str | None
    request_id: str | None
    detail: dict[str, Any]
    leaf_index: int | None
    leaf_hash: str


class EntryList(BaseModel):
    items: list[EntryOut]
    next_cursor: str | None


class CheckpointOut(BaseModel):
    """A signed statement about the whole log."""

    size: int
    at: datetime
    node: str
    algorithm: str
    root: str
    key_id: str
    signature: str


class CheckpointList(BaseModel):
    items: list[CheckpointOut]
    next_cursor: str | None
    keys: dict[str, str]
    """Public keys by id, base64; pin them outside this node."""


class FaultOut(BaseModel):
    entry_id: int | None
    leaf: int | None
    kind: str
    text: str


class VerifyOut(BaseModel):
    """The result of a verification, fit for printing."""

    ok: bool
    node: str
    at: datetime
    entries: int
    signed: int
    checkpoints: int
    witnesses: int
    root: str
    problem: FaultOut | None
    notes: list[str]
    seconds: float
