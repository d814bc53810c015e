"""The processes of a running demonstration, found from outside: children of its supervisor, by what they are."""

from dataclasses import dataclass
from pathlib import Path

from support.demo import Demo, wait_for


@dataclass(frozen=True)
class Process:
    """One process; `started` tells it from a later one with the same number."""

    pid: int
    parent: int
    started: str
    command: tuple[str, ...]

    @property
    def gone(self) -> bool:
        """Ended; one that nobody has waited for counts as ended."""
        found = _read(self.pid)
        return found is None or found.started != self.started


def _read(pid: int) -> Process | None:
    directory = Path(f"/proc/{pid}")
    try:
        words = (directory / "stat").read_text().rpartition(")")[2].split()
        command = (directory / "cmdline").read_bytes().rstrip(b"\0").decode(errors="replace").split("\0")
    except OSError:
        return None
    if words[0] == "Z":
        return None
    return Process(pid, int(words[1]), words[19], tuple(command))


def family(demo: Demo) -> list[Process]:
    """The supervisor and all that descend from it."""
    everybody = [
        found for entry in Path("/proc").iterdir() if entry.name.isdigit() and (found := _read(int(entry.name)))
    ]
    members = {int(demo.ready["pid"])}
    while True:
        more = {each.pid for each in everybody if each.parent in members} - members
        if not more:
            return [each for each in everybody if each.pid in members]
        members |= more


def _one(demo: Demo, *words: str) -> Process:
    return wait_for(
        lambda: next((p for p in family(demo) if all(any(w in part for part in p.command) for w in words)), None),
        what=f"a process with {words}",
    )


def role(demo: Demo, name: str) -> Process:
    """The process of a role; waits for one that is being started again."""
    return wait_for(
        lambda: next((p for p in family(demo) if p.command[-4:-2] == ("--role", name)), None), what=f"the role {name}"
    )


def worker(demo: Demo) -> Process:
    """The media worker."""
    return _one(demo, "gongshi.media.embedded.worker")


def database(demo: Demo) -> Process:
    """The embedded server's first process; its group holds all of it."""
    return _one(demo, "bin/postgres")
