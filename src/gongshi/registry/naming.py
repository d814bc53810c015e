"""What people type to find a camera: parts of names, codes, places, and initials of their pinyin."""

from functools import lru_cache
from itertools import groupby


@lru_cache(maxsize=65_536)
def _initials_of_word(text: str) -> str:
    # Its dictionary takes half a second to load, and most processes never write a name.
    from pypinyin import Style, lazy_pinyin  # noqa: PLC0415 -- see above

    return "".join(part[:1] for part in lazy_pinyin(text, style=Style.NORMAL, errors="ignore"))


def initials(text: str) -> str:
    """Pinyin initials with letters and digits kept: 解放路3号 → jfl3h."""
    parts: list[str] = []
    for chinese, group in groupby(text, key=lambda c: "\u4e00" <= c <= "\u9fff"):
        run = "".join(group)
        parts.append(_initials_of_word(run) if chinese else "".join(c for c in run if c.isalnum()))
    return "".join(parts).lower()


def search_text(*texts: str | None) -> str:
    """The `search` column: every text as it is and by its initials, lower case, parted by line feeds."""
    found: dict[str, None] = {}
    for text in texts:
        if text:
            plain = " ".join(text.split()).lower()
            found[plain] = None
            short = initials(plain)
            if short and short != plain:
                found[short] = None
    return "\n".join(found)


def like_terms(query: str) -> list[str]:
    """A search query as LIKE patterns that must all match; wild cards in it are taken literally."""
    terms = query.lower().split()[:8]
    escaped = (term[:64].replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") for term in terms)
    return [f"%{term}%" for term in escaped]
