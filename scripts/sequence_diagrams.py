"""A mkdocs hook: draws ```sequence blocks as inline SVG, so that diagrams need no program from the internet.

A block is readable as it stands, in an editor or on a code host:

    actors: browser, web, PostgreSQL
    browser -> web: POST session          a request or order
    PostgreSQL --> web: commit            an answer
    web => browser: pictures              a stream
    note web: denied or unknown: one 404  a remark on one actor's line
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

BLOCK = re.compile(r"^```sequence\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
ARROW = re.compile(r"(?P<source>[^:]+?) (?P<kind>-->|->|=>) (?P<target>[^:]+): (?P<text>.+)")
NOTE = re.compile(r"note (?P<actor>[^:]+): (?P<text>.+)")
COLUMN, LINE, CHARACTER, MARGIN, HEAD = 150, 15, 6.4, 75, 40


@dataclass(frozen=True)
class Step:
    """One arrow, or a note when both ends are the same actor."""

    source: int
    target: int
    kind: str
    text: str


def parse(body: str) -> tuple[list[str], list[Step]]:
    """Actors and steps of a block. Raises ValueError naming the line that is not one of ours."""
    first, *lines = [line.strip() for line in body.strip().splitlines() if line.strip()]
    if not first.startswith("actors:"):
        raise ValueError(f"a sequence begins with 'actors:', not with '{first}'")
    actors = [name.strip() for name in first.removeprefix("actors:").split(",")]
    steps: list[Step] = []
    for line in lines:
        found = NOTE.fullmatch(line) or ARROW.fullmatch(line)
        if found is None:
            raise ValueError(f"not a step of a sequence: '{line}'")
        values = found.groupdict()
        ends = [values["actor"]] * 2 if "actor" in values else [values["source"], values["target"]]
        strangers = [name for name in ends if name not in actors]
        if strangers:
            raise ValueError(f"'{strangers[0]}' is not among the actors of '{line}'")
        steps.append(Step(actors.index(ends[0]), actors.index(ends[1]), values.get("kind", "note"), values["text"]))
    return actors, steps


def width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def wrapped(text: str, room: float) -> list[str]:
    """The text in lines that fit into `room` pixels; Chinese may break anywhere, words only between them."""
    lines = [""]
    for word in re.findall(r"[\u3000-\u9fff\uff00-\uffef]|[^\s\u3000-\u9fff\uff00-\uffef]+\s*", text):
        if lines[-1] and width(lines[-1] + word.rstrip()) * CHARACTER > room:
            lines.append("")
        lines[-1] += word
    return [line.strip() for line in lines]


def place(actor: int) -> int:
    return MARGIN + actor * COLUMN


def words(lines: list[str], x: float, y: float, anchor: str) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield f'<text x="{x:g}" y="{y + number * LINE:g}" text-anchor="{anchor}">{html.escape(line)}</text>'


def draw(actors: list[str], steps: list[Step]) -> str:
    """The diagram in the colours of the page it stands on."""
    shapes: list[str] = []
    y = HEAD + 12.0
    total = place(len(actors) - 1) + MARGIN
    for step in steps:
        if step.kind == "note":
            right = step.source < len(actors) - 1
            lines = wrapped(step.text, COLUMN * 2 - 30)
            shapes += words(lines, place(step.source) + (8 if right else -8), y + LINE, "start" if right else "end")
            y += len(lines) * LINE + 10
            continue
        start, end = place(step.source), place(step.target)
        lines = wrapped(step.text, abs(end - start) - 16)
        shapes += words(lines, (start + end) / 2, y + LINE, "middle")
        y += len(lines) * LINE + 8
        tip = end - (7 if end > start else -7)
        dashes = ' stroke-dasharray="5 4"' if step.kind == "-->" else ""
        weight = 3 if step.kind == "=>" else 1.2
        shapes.append(f'<path d="M{start} {y:g}H{tip}" stroke="currentColor" stroke-width="{weight}"{dashes}/>')
        shapes.append(f'<path d="M{end} {y:g}L{tip} {y - 4:g}V{y + 4:g}Z" fill="currentColor"/>')
        y += 10
    frame: list[str] = []
    for number, name in enumerate(actors):
        x = place(number)
        frame.append(f'<path d="M{x} {HEAD}V{y + 8:g}" stroke="currentColor" stroke-opacity=".3"/>')
        frame.append(
            f'<rect x="{x - 60}" y="8" width="120" height="26" rx="3" fill="none" stroke="currentColor"/>'
            f'<text x="{x}" y="26" text-anchor="middle" font-weight="bold">{html.escape(name)}</text>'
        )
    title = html.escape("; ".join(f"{actors[s.source]} {s.kind} {actors[s.target]}: {s.text}" for s in steps))
    return (
        '<div style="overflow-x:auto" tabindex="0">'
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {total} {y + 16:g}" font-size="12"'
        f' style="min-width:{total * 0.8:.0f}px;width:100%;fill:currentColor"><title>{title}</title>'
        f"{''.join(frame)}{''.join(shapes)}</svg></div>"
    )


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs for each page."""
    return BLOCK.sub(lambda block: draw(*parse(block["body"])), markdown)
