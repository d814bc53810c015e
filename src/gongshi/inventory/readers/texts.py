"""How numbers and days of spreadsheets are spelled, the same for every format."""

from datetime import date, timedelta

FIRST_DAY = date(1899, 12, 30)
"""Day 0 of the usual date system, which counts a 29 February 1900 that never was."""
FIRST_DAY_1904 = date(1904, 1, 1)


def number_text(text: str) -> str:
    """The shortest decimal that means the same number; digits without a point stay as they are."""
    if text.isdigit():
        return text
    try:
        value = float(text)
    except ValueError:
        return text
    shown = repr(value)
    return shown.removesuffix(".0")


def day_text(text: str, first_day: date = FIRST_DAY) -> str | None:
    """A date serial as YYYY-MM-DD; None when it is no day between 1900 and 9999."""
    try:
        serial = float(text)
        if not 1 <= serial < 2_958_466:
            return None
        return (first_day + timedelta(days=int(serial))).isoformat()
    except (ValueError, OverflowError):
        return None
