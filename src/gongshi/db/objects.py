"""Files too large for rows (uploaded workbooks, recordings, checkpoints): one object store per node."""

from pathlib import Path

import obstore
from obstore.store import LocalStore, ObjectStore


class Objects:
    """Named byte strings; names are paths with forward slashes, chosen by us and never by a user."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @classmethod
    def local(cls, directory: Path) -> "Objects":
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(LocalStore(directory))

    async def put(self, name: str, content: bytes) -> None:
        await obstore.put_async(self._store, name, content)

    async def get(self, name: str) -> bytes:
        """The whole object; FileNotFoundError when there is none."""
        return bytes(await (await obstore.get_async(self._store, name)).bytes_async())

    async def delete(self, name: str) -> None:
        await obstore.delete_async(self._store, name)

    async def names(self, prefix: str) -> list[str]:
        """The names below a prefix that ends in a slash, in alphabetical order."""
        found: list[str] = []
        async for batch in obstore.list(self._store, prefix):  # pyright: ignore[reportUnknownMemberType] -- an overload for Arrow is untyped
            found.extend(item["path"] for item in batch)
        return sorted(found)
