"""The web application: every room's door, problems in two languages, the pages, and nothing without a permission."""

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import psycopg
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import FileResponse, JSONResponse
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.routing import Route, compile_path

from gongshi import __version__
from gongshi.access.caller import language, request_id
from gongshi.access.door import check_routes, route_matrix
from gongshi.kit.errors import BadRequest, FieldError, Invalid, NotFound, Problem, Unavailable
from gongshi.kit.i18n import Text
from gongshi.kit.wording import code_of, reason
from gongshi.node.doors import DOORS
from gongshi.node.examples import add_examples
from gongshi.node.summaries import add_summaries

log = structlog.get_logger(__name__)

PAGES = "/{path:path}"
"""The only route without a permission: files of the web app, the same for everybody."""

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}

Lifespan = Callable[[FastAPI], contextlib.AbstractAsyncContextManager[None]]


@contextlib.asynccontextmanager
async def _nothing(_app: FastAPI) -> AsyncGenerator[None]:
    yield


def create_app(lifespan: Lifespan = _nothing, *, media_sources: str = "") -> FastAPI:
    """Every door mounted and checked. `app.state` is filled by the caller (`roles.web`, tests).

    `media_sources` are the origins beside our own that pages may load media from.
    """
    app = FastAPI(
        title="Gongshi 共视",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    for door in DOORS:
        door.mount(app)
    app.router.routes.append(Route(PAGES, _page, methods=["GET", "HEAD"]))
    check_routes(app, allowed=[PAGES])
    _add_problems(app)
    policy = (
        "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; worker-src 'self' blob:; "
        "style-src 'self' 'unsafe-inline'; script-src 'self'; object-src 'none'; base-uri 'self'; "
        f"frame-ancestors 'none'; form-action 'self'; connect-src 'self' {media_sources}"
    ).strip()

    async def headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Content-Security-Policy", policy)
        if request.url.path.startswith("/api/"):
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    app.middleware("http")(headers)
    return app


def describe() -> dict[str, Any]:
    """The OpenAPI description of this release."""
    app = create_app()
    description = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version="3.1.0",
        description="一个登记、一个接入面、一种可问责的共享方式 · one registry, one access plane, one accountable way to share",
        routes=app.routes,
    )
    description.setdefault("components", {})["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "cookie": {"type": "apiKey", "in": "cookie", "name": "gongshi_login"},
    }
    description["security"] = [{"bearer": []}, {"cookie": []}]
    add_summaries(description)
    add_examples(description)
    return description


# -- problems ------------------------------------------------------------------------------


def problem_response(request: Request, problem: Problem) -> JSONResponse:
    """A problem as the caller reads it."""
    body = problem.body(language(request))
    body["instance"] = f"urn:uuid:{request_id(request)}"
    extra: Mapping[str, object] = getattr(problem, "extra", {})
    body.update(extra)
    return JSONResponse(
        body,
        status_code=problem.status,
        media_type="application/problem+json",
        headers={"X-Request-Id": request_id(request), **problem.headers},
    )


class MethodNotAllowed(Problem):
    status, code, title = 405, "method_not_allowed", Text("不支持这种请求方法", "This method is not allowed here")


def _add_problems(app: FastAPI) -> None:
    async def known(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Problem)  # noqa: S101 -- registered for this class only
        if error.status >= 500:
            log.error("request.failed", code=error.code, path=request.url.path, request_id=request_id(request))
        return problem_response(request, error)

    async def malformed(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101 -- registered for this class only
        return problem_response(request, _invalid(error))

    async def http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101 -- registered for this class only
        return problem_response(request, _http(request, error))

    async def database(request: Request, error: Exception) -> JSONResponse:
        log.error("request.database", path=request.url.path, error=type(error).__name__)
        return problem_response(
            request,
            Unavailable(
                Text("数据库暂不可用，请稍后重试", "The database does not answer at the moment; try again shortly"),
                code="database_unavailable",
                headers={"Retry-After": "5"},
            ),
        )

    async def unforeseen(request: Request, error: Exception) -> JSONResponse:
        log.error("request.crashed", path=request.url.path, request_id=request_id(request), exc_info=error)
        return problem_response(request, Problem())

    app.add_exception_handler(Problem, known)
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(OperationalError, database)
    app.add_exception_handler(InterfaceError, database)
    app.add_exception_handler(PoolTimeout, database)
    app.add_exception_handler(psycopg.OperationalError, database)
    app.add_exception_handler(Exception, unforeseen)


def _http(request: Request, error: HTTPException) -> Problem:
    """What Starlette itself refuses: unknown paths, wrong methods, bodies that cannot be read."""
    if error.status_code == 404:
        return NotFound()
    if error.status_code == 405:
        methods = _methods(request)
        # The pages answer every path, but below /api/ only what a door has exists.
        if not methods and request.url.path.startswith("/api/"):
            return NotFound()
        return MethodNotAllowed(headers={"Allow": ", ".join(sorted(methods or {"GET", "HEAD"}))})
    return BadRequest(
        Text("请求内容无法读取，请检查格式和编码", "The request cannot be read; look at its format and encoding"),
        code="unreadable",
    )


def _methods(request: Request) -> set[str]:
    """Every method that some door has at this path."""
    return {rule.method for rule in route_matrix(request.app) if compile_path(rule.path)[0].fullmatch(request.url.path)}


def _invalid(error: RequestValidationError) -> Invalid:
    return Invalid(errors=[_field_error(item, error.body) for item in error.errors()])


def _field_error(item: Mapping[str, Any], body: object) -> FieldError:
    """One of FastAPI's findings; its place is the field's path without where the request carried it."""
    if item["type"] == "json_invalid" and isinstance(item["loc"][-1], int):
        return FieldError("body", "json_invalid", _broken_json(str(body), item["loc"][-1]))
    place, *path = [str(part) for part in item["loc"]]
    name, why = ".".join(path) or place, reason(item)
    return FieldError(name, code_of(item), Text(f"{name} {why.zh}", f"{name} {why.en}"))


def _broken_json(text: str, position: int) -> Text:
    line, column = text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)
    return Text(
        f"请求内容在第 {line} 行第 {column} 列处不是有效的 JSON，请检查引号、逗号和括号",
        f"The body is not valid JSON at line {line}, column {column}; look at quotes, commas and brackets",
    )


# -- pages ---------------------------------------------------------------------------------

_DIST = Path(str(files("gongshi") / "web_dist"))


async def _page(request: Request) -> Response:
    """A built file of the web app, or its index for every address the app itself resolves."""
    path = request.path_params["path"]
    if path.startswith("api/"):
        raise NotFound
    wanted = (_DIST / path).resolve()
    if path and wanted.is_relative_to(_DIST) and wanted.is_file():
        forever = path.startswith("assets/")
        cache = "public, max-age=31536000, immutable" if forever else "no-cache"
        return FileResponse(wanted, headers={"Cache-Control": cache})
    if path.startswith("assets/"):
        raise NotFound
    index = _DIST / "index.html"
    if not index.is_file():
        raise Unavailable(Text("网页尚未构建：make web", "The pages are not built: make web"), code="no_pages")
    return FileResponse(index, headers={"Cache-Control": "no-cache"})
