"""The door of every room: routes that say who may pass, checked before the body is even read (design.md §6).

A `Door` is a router whose every route declares a permission. Who calls is proved, and the permission of their roles
is checked, before FastAPI parses anything, so that a stranger cannot make the node read an upload. `check_routes`
keeps an application from starting with any route that is not behind a door.
"""

from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.routing import APIRoute
from sqlalchemy.exc import DataError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from gongshi.access import idempotency, permissions
from gongshi.access.bodies import MAX_BODY, OverLimit, limited, too_large
from gongshi.access.caller import (
    COOKIE,
    Caller,
    CallerContext,
    ObjectId,
    check_version,
    etag,
    identify,
    record_denial,
    request_id,
)
from gongshi.access.permissions import PERMISSIONS, PUBLIC, SIGNED_IN, Thing
from gongshi.kit.errors import BadRequest, Forbidden, Problem, Unavailable
from gongshi.kit.i18n import Text

__all__ = [
    "COOKIE",
    "PUBLIC",
    "SIGNED_IN",
    "Caller",
    "CallerContext",
    "Door",
    "ObjectId",
    "Thing",
    "UndeclaredRouteError",
    "check_routes",
    "check_version",
    "etag",
    "route_matrix",
]

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_HEADER: Final = "X-Requested-With"
CSRF_VALUE: Final = "gongshi"

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
Handle = Callable[[Request], Coroutine[Any, Any, Response]]

_IF_MATCH: Final[dict[str, Any]] = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The ETag that the change is based on; 412 when someone else was faster. Without it: overwrite",
    "schema": {"type": "string"},
}

_PROBLEM: Final[dict[str, Any]] = {
    "content": {
        "application/problem+json": {
            "schema": {
                "type": "object",
                "required": ["type", "title", "status", "code", "detail"],
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                    "errors": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "field": {"type": "string"},
                                "code": {"type": "string"},
                                "message": {"type": "string"},
                            },
                        },
                    },
                },
            }
        }
    }
}


class UndeclaredRouteError(RuntimeError):
    """A route says nothing about who may use it: a fault of the program, found when it starts."""


class CrossSite(Forbidden):
    """A request that a browser sent by itself on behalf of another site."""

    code = "cross_site"
    title = Text("请求缺少来源标记", "The request lacks its origin mark")


class MustChangePassword(Forbidden):
    code = "must_change_password"
    title = Text("请先修改初始密码", "Change your first password before anything else")


class NoPermission(Forbidden):
    """The caller's roles do not have the route's permission."""

    code = "no_permission"
    title = Text("您的角色没有此项权限", "Your role does not have this permission")


class DoorRoute(APIRoute):
    """A route behind a door. What it declares beside FastAPI's own is set by the Door right after it is made."""

    permission: str = ""
    while_must_change: bool = False
    max_body: int = MAX_BODY
    idempotent: bool = False

    def get_route_handler(self) -> Handle:
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            try:
                caller = await self.admit(request)
                response = await self.answer(handle, limited(request, self.max_body), caller)
            except OverLimit as error:
                raise too_large(self.max_body) from error
            except (OperationalError, InterfaceError, PoolTimeoutError) as error:
                raise Unavailable(
                    Text("数据库暂不可用，请稍后重试", "The database does not answer at the moment; try again shortly"),
                    code="database_unavailable",
                    headers={"Retry-After": "5"},
                ) from error
            except (DataError, UnicodeEncodeError) as error:
                # A zero byte, half a surrogate pair or a number no column holds: the caller's doing, not ours.
                raise BadRequest(
                    Text(
                        "请求中有数据库无法表示的字符或数值",
                        "The request holds a character or a number that the database cannot represent",
                    ),
                    code="unstorable",
                ) from error
            response.headers.setdefault("X-Request-Id", caller.request_id)
            return response

        return guarded

    async def answer(self, handle: Handle, request: Request, caller: CallerContext) -> Response:
        """What FastAPI's handler answers, or what it answered when the same was posted before."""
        if self.idempotent and caller.signed_in:
            return await idempotency.once(request, caller, partial(_answer, handle, request, caller))
        return await _answer(handle, request, caller)

    async def admit(self, request: Request) -> CallerContext:
        """Prove the caller and let them pass, or raise why not; in this order: login, origin, password, role."""
        if not self.permission:
            raise UndeclaredRouteError(f"{self.path} declares no permission")
        request_id(request)
        caller, by_cookie = await identify(request)
        request.state.caller = caller
        if self.permission == PUBLIC:
            return caller
        subject = caller.subject
        if by_cookie and request.method not in SAFE_METHODS and request.headers.get(CSRF_HEADER) != CSRF_VALUE:
            raise CrossSite(
                Text(
                    "使用浏览器登录状态的修改请求必须带请求头 {header}: {value}",
                    "Changes made with the browser's login need the header {header}: {value}",
                ).format(header=CSRF_HEADER, value=CSRF_VALUE)
            )
        account = caller.login.member.account if caller.login else None
        if account is not None and account.must_change and not account.demo and not self.while_must_change:
            raise MustChangePassword
        if not permissions.holds(subject, self.permission):
            problem = NoPermission()
            await record_denial(caller, problem, self.permission, None)
            raise problem
        return caller


async def _answer(handle: Handle, request: Request, caller: CallerContext) -> Response:
    try:
        return await handle(request)
    except Problem as problem:
        caller.claim = None
        if caller.denied is not None and caller.signed_in:
            await record_denial(caller, problem, *caller.denied)
        raise


class Door:
    """The routes of one room under one prefix.

    ```python
    door = Door(prefix="/api/v1/cameras", tag="cameras")

    @door.get("/{code}", permission="registry.camera.see", summary="One camera")
    async def camera(code: str, caller: Caller) -> CameraOut: ...
    ```
    """

    def __init__(self, *, prefix: str = "", tag: str) -> None:
        self.router = APIRouter(prefix=prefix, tags=[tag], route_class=DoorRoute)

    def route(
        self,
        path: str,
        *,
        methods: Sequence[str],
        permission: str,
        while_must_change: bool = False,
        max_body: int = MAX_BODY,
        idempotent: bool = False,
        versioned: bool = False,
        responses: dict[int | str, dict[str, Any]] | None = None,
        openapi_extra: dict[str, Any] | None = None,
        **options: Any,
    ) -> Callable[[Endpoint], Endpoint]:
        """Add a route; `options` are those of `fastapi.APIRouter.add_api_route`.

        `max_body`: bytes that the route reads at most. `idempotent`: honours `Idempotency-Key`; what it makes must be
        made through `caller.unit()`. `versioned`: honours `If-Match` (by `check_version`) and is described so.
        Raises UndeclaredRouteError for a permission that `access.permissions` does not know.
        """
        if permission not in {PUBLIC, SIGNED_IN} and permission not in PERMISSIONS:
            raise UndeclaredRouteError(
                f"{self.router.prefix}{path}: {permission!r} is not in access.permissions.TABLE; add it there"
            )
        described = {"x-permission": permission, **(openapi_extra or {})}
        if permission == PUBLIC:
            described.setdefault("security", [])
        headers = [idempotency.PARAMETER] if idempotent else []
        headers += [_IF_MATCH] if versioned else []
        if headers:
            described["parameters"] = [*described.get("parameters", ()), *headers]

        def add(endpoint: Endpoint) -> Endpoint:
            self.router.add_api_route(
                path,
                endpoint,
                methods=list(methods),
                responses={"default": {"description": "Problem (RFC 9457)", **_PROBLEM}, **(responses or {})},
                openapi_extra=described,
                **options,
            )
            route = self.router.routes[-1]
            assert isinstance(route, DoorRoute)  # noqa: S101 -- the router was made with this class
            route.permission = permission
            route.while_must_change = while_must_change
            route.max_body = max_body
            route.idempotent = idempotent
            return endpoint

        return add

    def get(self, path: str, *, permission: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
        return self.route(path, methods=["GET"], permission=permission, **options)

    def post(self, path: str, *, permission: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
        return self.route(path, methods=["POST"], permission=permission, **options)

    def put(self, path: str, *, permission: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
        return self.route(path, methods=["PUT"], permission=permission, **options)

    def patch(self, path: str, *, permission: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
        return self.route(path, methods=["PATCH"], permission=permission, **options)

    def delete(self, path: str, *, permission: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
        return self.route(path, methods=["DELETE"], permission=permission, **options)

    def mount(self, app: FastAPI) -> None:
        """Put the routes into an application."""
        app.include_router(self.router)


class RouteRule(NamedTuple):
    """One line of the matrix: who may use what."""

    method: str
    path: str
    permission: str
    roles: frozenset[str] | None
    """Roles that pass; None for PUBLIC and SIGNED_IN."""


def _walk(routes: Iterable[Any]) -> Iterator[Any]:
    """Every route, through routers that were included rather than copied."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is None:
            yield route
        else:
            yield from _walk(included.routes)


def check_routes(app: FastAPI, *, allowed: Iterable[str] = ()) -> None:
    """Raise UndeclaredRouteError unless every route is behind a door.

    `allowed` names the paths of the few others: static files of the web app and the generated API description.
    """
    exempt = frozenset(allowed)
    undeclared = [
        str(getattr(route, "path", route))
        for route in _walk(app.router.routes)
        if not (isinstance(route, DoorRoute) and route.permission) and getattr(route, "path", None) not in exempt
    ]
    if undeclared:
        raise UndeclaredRouteError(
            "these routes declare no permission and are not on the list of static paths: " + ", ".join(undeclared)
        )


def route_matrix(app: FastAPI) -> list[RouteRule]:
    """Every method and path behind a door with its permission and the roles that hold it."""
    return [
        RouteRule(method, route.path, route.permission, PERMISSIONS.get(route.permission))
        for route in _walk(app.router.routes)
        if isinstance(route, DoorRoute)
        for method in sorted(route.methods or ())
    ]
