"""What messages are made of, for properties."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from gongshi.protocols.manscdp.charset import is_utf8

CAMERA = "34150200001310000007"
EIGHT = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def _telling(text: str) -> bool:
    """Not one of the rare texts whose GB 18030 bytes are good UTF-8 as well; no reader can tell those apart."""
    return text.isascii() or not is_utf8(text.encode("gb18030"))


texts = st.text(st.characters(codec="gb18030", exclude_categories=("C", "Z")), max_size=20).filter(_telling)
moments = st.integers(0, 3_000_000_000).map(lambda second: datetime.fromtimestamp(second, UTC))
flags = st.booleans()
maybe_flags = st.none() | flags
