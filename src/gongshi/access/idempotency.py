"""A post that is sent twice makes one thing: `Idempotency-Key` (design.md §9).

The key is claimed in the transaction that makes the thing, so that a second post cannot make another one, whatever
happens in between. The answer is kept for a day and given again, sealed with the node's key, for it may show a
one-time password.
"""

import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

from fastapi import Request, Response
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect

from gongshi.access import repository
from gongshi.access.caller import CallerContext
from gongshi.access.claims import KEEP, Claim, ClaimedError
from gongshi.access.models import IdempotencyKey
from gongshi.kit import clock
from gongshi.kit.errors import BadRequest, Conflict, FieldError, Invalid
from gongshi.kit.i18n import Text
from gongshi.kit.secretbox import SecretBox

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
PARAMETER: Final[dict[str, Any]] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "Send it again with the same key and body, and the first answer comes back; kept for a day",
    "schema": {"type": "string", "pattern": r"^[\x21-\x7e]{8,100}$"},
}
"""The header as the API description shows it."""

_KEY: Final = re.compile(r"[\x21-\x7e]{8,100}")
_KEPT_HEADERS: Final = ("content-type", "location", "etag", "cache-control")
_CHUNK: Final = 1024 * 1024


async def once(request: Request, caller: CallerContext, answer: Callable[[], Awaitable[Response]]) -> Response:
    """Answer a post that makes something; the second time with what the first was answered.

    Conflict `idempotency_key_reused` when the key came with another body before, `idempotency_pending` when the first
    post is still on its way or its answer was lost.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return await answer()
    try:
        return await _once(request, caller, key, answer)
    finally:
        # The digest may have opened an upload that nobody else closes.
        await request.close()


async def _once(
    request: Request, caller: CallerContext, key: str, answer: Callable[[], Awaitable[Response]]
) -> Response:
    if not _KEY.fullmatch(key):
        wrong = Text("应为8至100个可见字符", "is 8 to 100 visible characters")
        raise Invalid(errors=[FieldError(HEADER, "shape", wrong)])
    try:
        claim = Claim(caller.subject.id, key, await _digest(request))
    except ClientDisconnect:
        raise BadRequest(Text("请求没有发完", "The request ended before its end"), code="cut_off") from None
    known = await _known(caller, claim)
    if known is not None:
        return _again(caller, known, claim)
    caller.claim = claim
    try:
        response = await answer()
    except ClaimedError:
        known = await _known(caller, claim)
        if known is None:
            raise _pending() from None
        return _again(caller, known, claim)
    finally:
        caller.claim = None
    if claim.made:
        kept = {
            "status": response.status_code,
            "headers": {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers},
            "body": bytes(response.body).decode(),
        }
        sealed = _box(caller).seal(json.dumps(kept), _label(claim))
        async with caller.database.unit(caller.actor, caller.request_id) as uow:
            await repository.keep_answer(uow.session, claim.account_id, claim.key, sealed)
    return response


async def _known(caller: CallerContext, claim: Claim) -> IdempotencyKey | None:
    async with caller.read() as session:
        return await repository.idempotency_key(session, claim.account_id, claim.key, clock.now() - KEEP)


def _again(caller: CallerContext, known: IdempotencyKey, claim: Claim) -> Response:
    if known.digest != claim.digest:
        raise Conflict(
            Text(
                "同一个 Idempotency-Key 已用于内容不同的请求，请换一个",
                "This Idempotency-Key was used for a request with other contents; take another one",
            ),
            code="idempotency_key_reused",
        )
    if known.answer is None:
        raise _pending()
    kept = json.loads(_box(caller).open(known.answer, _label(claim)))
    return Response(kept["body"], status_code=kept["status"], headers={**kept["headers"], REPLAYED: "true"})


def _pending() -> Conflict:
    return Conflict(
        Text(
            "相同的请求正在处理，或其结果未能送达；请先查看是否已经建立，再决定是否换一个 Idempotency-Key 重新提交",
            "The same request is being handled, or its answer was lost; look whether the thing was made before you "
            "send it again with another Idempotency-Key",
        ),
        code="idempotency_pending",
        headers={"Retry-After": "2"},
    )


def _box(caller: CallerContext) -> SecretBox:
    return caller.state.box


def _label(claim: Claim) -> str:
    return f"idempotency/{claim.account_id}/{claim.key}"


async def _digest(request: Request) -> bytes:
    """SHA-256 of what was asked; an upload sent again has another boundary, so its fields are read."""
    total = hashlib.sha256(f"{request.method} {request.url.path}\0".encode())
    if not request.headers.get("content-type", "").startswith("multipart/"):
        total.update(await request.body())
        return total.digest()
    for name, value in (await request.form()).multi_items():
        total.update(f"{name}\0".encode())
        if not isinstance(value, UploadFile):
            total.update(f"{value}\0".encode())
            continue
        total.update(f"{value.filename}\0".encode())
        while chunk := await value.read(_CHUNK):
            total.update(chunk)
        await value.seek(0)
    return total.digest()
