"""Two languages, both first class: every text a person may read exists in zh-CN and en."""

import json
from dataclasses import dataclass
from typing import Literal

Lang = Literal["zh", "en"]


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence in both languages; `{name}` placeholders are filled by `format`."""

    zh: str
    en: str

    def pick(self, lang: Lang) -> str:
        return self.zh if lang == "zh" else self.en

    def format(self, **values: object) -> "Text":
        return Text(self.zh.format(**values), self.en.format(**values))

    def packed(self) -> str:
        """Both languages in one string, for a column that holds a sentence people will read."""
        return json.dumps({"zh": self.zh, "en": self.en}, ensure_ascii=False)

    @classmethod
    def unpacked(cls, stored: str) -> "Text":
        """Read what `packed` wrote; any other string stands for itself in both languages."""
        try:
            value = json.loads(stored)
            return cls(str(value["zh"]), str(value["en"]))
        except (ValueError, KeyError, TypeError, RecursionError):
            return cls(stored, stored)


def language_of(accept_language: str | None) -> Lang:
    """Choose the answer's language from an `Accept-Language` header; Chinese unless English ranks first."""
    best: tuple[float, Lang] = (0.0, "zh")
    for part in (accept_language or "").split(","):
        tag, _, parameters = part.strip().partition(";")
        primary = tag.strip().lower().split("-")[0]
        if primary not in {"zh", "en"}:
            continue
        quality = 1.0
        name, _, value = parameters.strip().partition("=")
        if name.strip() == "q":
            try:
                quality = float(value)
            except ValueError:
                continue
        if quality > best[0]:
            best = (quality, "zh" if primary == "zh" else "en")
    return best[1]
