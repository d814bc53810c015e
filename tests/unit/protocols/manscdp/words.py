"""What messages are made of, for properties."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

CAMERA = "34150200001310000007"
EIGHT = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)

texts = st.text(st.characters(codec="gb18030", exclude_categories=("C", "Z")), max_size=20)
moments = st.integers(0, 3_000_000_000).map(lambda second: datetime.fromtimestamp(second, UTC))
flags = st.booleans()
maybe_flags = st.none() | flags
