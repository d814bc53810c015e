"""From rows of text to columns: what every rule works on, read once per distinct value."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import polars as pl

from gongshi.inventory.form import NETWORK_TYPES, TABLES, Sheet
from gongshi.inventory.recognise import Form, Row
from gongshi.inventory.rules.base import Context
from gongshi.inventory.values import read_amount, read_coordinate, read_month, read_place, squash

_BLANKS = " \t\r\n\u3000\u00a0\u200b\ufeff"


def frames(form: Form, context: Context) -> dict[Sheet, pl.DataFrame]:
    """One frame per table, data rows only; also stored in `context.frames`."""
    platforms = _frame(form.data("platform"), "platform")
    cameras = _frame(form.data("camera"), "camera")
    context.frames = {"platform": _platforms(platforms), "camera": platforms}
    context.frames["camera"] = _cameras(cameras, context)
    return context.frames


def mapped(
    frame: pl.DataFrame, column: str, read: Callable[[str], Mapping[str, Any]], schema: Mapping[str, Any]
) -> pl.DataFrame:
    """Add the columns of `schema` by calling `read` once per distinct text of `column`; null stays null."""
    distinct: Iterable[str] = frame[column].drop_nulls().unique().to_list()
    rows = [{column: text, **read(text)} for text in distinct]
    table = pl.DataFrame(rows, schema={column: pl.String, **schema}, orient="row")
    return frame.join(table, on=column, how="left", maintain_order="left")


def _frame(rows: list[Row], sheet: Sheet) -> pl.DataFrame:
    keys = TABLES[sheet].keys
    columns: dict[str, list[str | None]] = {key: [] for key in keys}
    padded: list[str | None] = []
    numeric: list[str | None] = []
    for row in rows:
        cells = row.cells
        around: list[str] = []
        for key in keys:
            text = cells.get(key)
            if text is None:
                columns[key].append(None)
                continue
            stripped = text.strip(_BLANKS)
            if stripped != text:
                around.append(key)
            columns[key].append(stripped or None)
        padded.append(",".join(around) or None)
        numeric.append(",".join(sorted(row.numeric)) or None)
    return pl.DataFrame(
        {
            "ord": pl.Series(range(len(rows)), dtype=pl.UInt32),
            "tab": pl.Series([row.tab for row in rows], dtype=pl.String),
            "row": pl.Series([row.number for row in rows], dtype=pl.Int64),
            **{key: pl.Series(values, dtype=pl.String) for key, values in columns.items()},
            "_padded": pl.Series(padded, dtype=pl.String),
            "_numeric": pl.Series(numeric, dtype=pl.String),
        }
    )


def _platforms(frame: pl.DataFrame) -> pl.DataFrame:
    frame = _month(frame)
    for key in ("build_cost", "yearly_cost"):
        frame = mapped(frame, key, lambda text, key=key: {f"_{key}": read_amount(text)}, {f"_{key}": pl.Float64})
    frame = mapped(frame, "name", lambda text: {"_name": squash(text)}, {"_name": pl.String})
    known = list(NETWORK_TYPES)
    return mapped(
        frame,
        "network_type",
        lambda text: {"_network": squash(text) if squash(text) in known else None},
        {"_network": pl.String},
    )


def _cameras(frame: pl.DataFrame, context: Context) -> pl.DataFrame:
    frame = _month(frame)
    for key in ("longitude", "latitude"):
        frame = mapped(
            frame,
            key,
            lambda text, key=key: _coordinate(key, text),
            {f"_{key}": pl.Float64, f"_{key}_issue": pl.String},
        )
    frame = mapped(
        frame,
        "place",
        lambda text: _place(text, context),
        {"_county": pl.String, "_township": pl.String, "_place_issue": pl.String},
    )
    frame = mapped(frame, "platform", lambda text: {"_platform": squash(text)}, {"_platform": pl.String})
    networks = _networks(context)
    return mapped(frame, "_platform", lambda name: {"_network": networks.get(name)}, {"_network": pl.String})


def _networks(context: Context) -> dict[str, str | None]:
    """Network type of every platform that the rows may name: those of the file before those of the registry."""
    found = {squash(name): network for name, network in context.registered_platforms.items()}
    declared = context.frames["platform"].select("_name", "_network").iter_rows()
    found.update((name, network) for name, network in declared if name)
    return found


def _month(frame: pl.DataFrame) -> pl.DataFrame:
    def read(text: str) -> dict[str, Any]:
        month = read_month(text)
        return {"_month": month.value, "_month_issue": month.issue}

    return mapped(frame, "built_month", read, {"_month": pl.String, "_month_issue": pl.String})


def _coordinate(key: str, text: str) -> dict[str, Any]:
    read = read_coordinate(text)
    return {f"_{key}": read.value, f"_{key}_issue": read.issue}


def _place(text: str, context: Context) -> dict[str, Any]:
    place = read_place(text, context.divisions)
    return {"_county": place.county, "_township": place.township, "_place_issue": place.issue}
