"""What every reader delivers: rows of texts, with the little that matters about how a cell was kept."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

MAX_COLUMNS = 256
"""Cells further right are not read; the form has 14 columns."""
MAX_ROWS = 1_000_000
"""Rows with content in one file."""
MAX_TEXT = 4_000
"""Characters in one cell."""

Tick = Callable[[], None]
"""Called while reading; raises to cancel."""


@dataclass(slots=True)
class GridRow:
    """One row that holds something."""

    number: int
    """As a person sees it in the file, from 1."""
    cells: dict[int, str]
    """Text by column index from 0; blank cells are absent."""
    numeric: int = 0
    """Bit per column: the cell was kept as a number, so that leading and trailing zeros are lost."""
    formula: int = 0
    """Bit per column: the text is a formula's last result."""
    dated: int = 0
    """Bit per column: the cell was a date (now YYYY-MM-DD)."""
    hidden: bool = False


@dataclass(slots=True)
class Grid:
    """One worksheet, document table or text file."""

    name: str
    rows: Iterator[GridRow]
    hidden: bool = False
    hidden_columns: set[int] = field(default_factory=set[int])
    """Known once the rows were read."""
    blank_rows: int = 0
    """Rows without content so far: known once the rows were read."""


class Stop(Exception):
    """Raised by a tick to end reading."""
