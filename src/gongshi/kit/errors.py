"""Errors a caller may see: each has a status, a stable code and a text in both languages (RFC 9457)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gongshi.kit.i18n import Lang, Text


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong place in the input: where, why and what to do."""

    field: str
    code: str
    message: Text


class Problem(Exception):
    """An expected failure. Subclasses fix status, code and title; the instance says what happened here."""

    status: int = 500
    code: str = "internal"
    title: Text = Text("内部错误", "Internal error")

    def __init__(
        self,
        detail: Text | None = None,
        *,
        code: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.detail = detail or _summary(errors) or self.title
        if code is not None:
            self.code = code
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        super().__init__(f"{self.code}: {self.detail.en}")

    def body(self, lang: Lang) -> dict[str, object]:
        """The problem+json body in one language."""
        body: dict[str, object] = {
            "type": f"urn:gongshi:problem:{self.code}",
            "title": self.title.pick(lang),
            "status": self.status,
            "code": self.code,
            "detail": self.detail.pick(lang),
        }
        if self.errors:
            body["errors"] = [{"field": e.field, "code": e.code, "message": e.message.pick(lang)} for e in self.errors]
        return body


def _summary(errors: Sequence[FieldError]) -> Text | None:
    """How many fields are wrong, and the first of them; the others stand in `errors`."""
    if len(errors) < 2:
        return errors[0].message if errors else None
    first = errors[0].message
    return Text(f"{len(errors)} 处有误，第一处：{first.zh}", f"{len(errors)} fields are wrong, the first: {first.en}")


class BadRequest(Problem):
    status, code, title = 400, "bad_request", Text("请求有误", "Bad request")


class Unauthenticated(Problem):
    status, code, title = 401, "unauthenticated", Text("请先登录", "Please log in")


class Forbidden(Problem):
    status, code, title = 403, "forbidden", Text("没有此项权限", "Not permitted")


class NotFound(Problem):
    """Also the answer for what exists but is not the caller's to know about (design.md §6)."""

    status, code, title = 404, "not_found", Text("没有找到，或您无权查看", "Not found, or not yours to see")


class Conflict(Problem):
    status, code, title = 409, "conflict", Text("与当前状态冲突", "Conflicts with the current state")


class PreconditionFailed(Problem):
    status, code, title = (
        412,
        "precondition_failed",
        Text("内容已被他人修改，请刷新后重试", "Changed by someone else; reload and try again"),
    )


class TooLarge(Problem):
    status, code, title = 413, "too_large", Text("内容过大", "Too large")


class Invalid(Problem):
    status, code, title = 422, "invalid", Text("填写内容有误", "Some fields are wrong")


class TooManyRequests(Problem):
    status, code, title = 429, "too_many_requests", Text("请求过于频繁", "Too many requests")


class Unavailable(Problem):
    status, code, title = 503, "unavailable", Text("服务暂不可用", "Temporarily unavailable")
