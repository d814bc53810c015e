"""Query parameters that hold several words."""

from typing import cast


def split_words(value: object) -> object:
    """`?state=a,b`, `?state=a&state=b` and both together mean the same; anything else is left for its type to judge.

    >>> split_words(["a,b", "c"])
    ['a', 'b', 'c']
    """
    if not isinstance(value, list):
        return value
    words: list[object] = []
    for item in cast(list[object], value):
        words.extend(item.split(",") if isinstance(item, str) else [item])
    return words
