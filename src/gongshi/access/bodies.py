"""How much a caller may send: every route has a limit, whether the length was announced or not."""

from typing import Final

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.types import Message

from gongshi.kit.errors import TooLarge
from gongshi.kit.i18n import Text

MAX_BODY: Final = 4 * 1024 * 1024
"""Bytes of an ordinary request: a decision on 2,000 cameras, each with its own long reason, fits."""


class OverLimit(HTTPException):
    """The body is longer than its route takes. FastAPI lets this kind pass while it reads a body."""

    def __init__(self) -> None:
        super().__init__(413)


def limited(request: Request, most: int) -> Request:
    """The same request, whose body raises OverLimit instead of growing beyond `most` bytes.

    An announced length is judged when the body is first asked for: after the caller was admitted.
    """
    announced = request.headers.get("content-length", "")
    too_long = announced.isdecimal() and int(announced) > most
    received = 0

    async def receive() -> Message:
        nonlocal received
        if too_long:
            raise OverLimit
        message = await request.receive()
        received += len(message.get("body", b""))
        if received > most:
            raise OverLimit
        return message

    return Request(request.scope, receive)


def too_large(most: int) -> TooLarge:
    """What the caller reads."""
    size = f"{most // 1024 // 1024} MB" if most >= 1024 * 1024 else f"{most // 1024} KB"
    return TooLarge(
        Text(f"请求内容超过 {size}，请拆分后再发送", f"The request is larger than {size}; send it in parts"),
        code="body_too_large",
    )
