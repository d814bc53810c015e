"""What can go wrong outside the program, said as place, cause and remedy: the command line shows no traceback for it."""

import contextlib
import errno
import re
from collections.abc import Generator

import psycopg
from pydantic import ValidationError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gongshi.config import bad_address
from gongshi.kit.errors import FieldError, Invalid, Problem, Unavailable
from gongshi.kit.i18n import Lang, Text
from gongshi.kit.wording import reason

_CAUSES = {
    errno.ENOENT: (
        Text("没有这个文件或目录", "there is no such file or directory"),
        Text("请检查路径", "look at the path"),
    ),
    errno.EACCES: (Text("没有访问权限", "access is denied"), Text("请检查属主和权限", "look at its owner and mode")),
    errno.EPERM: (
        Text("不允许此操作", "this is not permitted"),
        Text("请检查属主和权限", "look at its owner and mode"),
    ),
    errno.EISDIR: (Text("这是一个目录", "it is a directory"), Text("请给出文件的路径", "name a file")),
    errno.ENOTDIR: (Text("这不是目录", "it is not a directory"), Text("请给出目录的路径", "name a directory")),
    errno.EEXIST: (
        Text("已有同名的文件", "a file of that name is there"),
        Text("请换一个路径", "choose another path"),
    ),
    errno.ENOSPC: (Text("磁盘已满", "the disk is full"), Text("请清理磁盘", "free some space")),
    errno.EROFS: (Text("文件系统只读", "the file system is read-only"), Text("请换一个路径", "choose another path")),
    errno.ENAMETOOLONG: (Text("名称过长", "the name is too long"), Text("请换一个路径", "choose another path")),
    errno.EMFILE: (
        Text("打开的文件过多", "too many files are open"),
        Text("提高 ulimit -n", "raise ulimit -n"),
    ),
}
_LOOK = Text("请检查后重试", "look at it and try again")
_DATABASE: tuple[tuple[re.Pattern[str], Text, Text], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), cause, remedy)
    for pattern, cause, remedy in (
        (
            r"28P01|28000|password authentication failed|no password supplied",
            Text("用户名或口令不对", "user name or password is wrong"),
            Text("请检查 database.url 中的用户名和口令", "look at user name and password in database.url"),
        ),
        (
            r"3D000|database .* does not exist",
            Text("服务器上没有这个数据库", "the server has no such database"),
            Text("请先建库，或改正 database.url 中的库名", "create it, or correct the name in database.url"),
        ),
        (
            r"42P01|3F000|42703",
            Text("数据库结构尚未建立或版本不符", "its tables are missing or of another release"),
            Text("运行 gongshi database migrate", "run gongshi database migrate"),
        ),
        (
            r"42501",
            Text("数据库账号权限不足", "the role lacks a right"),
            Text("请按部署文档授权", "grant it as the deployment page says"),
        ),
        (
            r"53300|too many connections|too many clients",
            Text("连接数已满", "all connections are in use"),
            Text(
                "请提高 max_connections 或减小 database.pool_size", "raise max_connections or lower database.pool_size"
            ),
        ),
        (
            r"57P0[123]|starting up|shutting down|recovery mode",
            Text("数据库正在启动或停止", "it is starting up or shutting down"),
            Text("请稍后重试", "try again shortly"),
        ),
        (
            r"could not translate host name|failed to resolve|name or service not known",
            Text("找不到这个主机名", "the host name is not known"),
            Text("请检查 database.url 中的主机名和域名解析", "look at the host in database.url and at name resolution"),
        ),
        (
            r"connection refused|no such file or directory",
            Text("那里没有数据库在监听", "nothing listens there"),
            Text("请启动数据库，或改正 database.url", "start it, or correct database.url"),
        ),
        (
            r"timeout|timed out|no answer within",
            Text("没有按时应答", "it did not answer in time"),
            Text("请检查网络和防火墙", "look at network and firewall"),
        ),
    )
)
_UNKNOWN = (Text("连接或语句失败", "a connection or statement failed"), Text("请查看数据库的日志", "see its log"))


def readable(error: BaseException) -> Problem | None:
    """An expected failure as people read it; None for a fault of the program, which keeps its traceback."""
    match error:
        case Problem():
            return error
        case psycopg.Error() | DBAPIError() | PoolTimeout():
            return of_database(error)
        case ArgumentError():
            return bad_address("database.url")
        case SQLAlchemyError():
            return None
        case ValidationError():
            return _of_values(error)
        case UnicodeDecodeError():
            return Invalid(
                Text(
                    "文件不是 UTF-8 编码的文本，请转换编码后重试", "A file is not UTF-8 text; convert it and try again"
                ),
                code="not_text",
            )
        case OSError():
            return _of_system(error)
        case _:
            return None


def _of_system(error: OSError) -> Problem:
    number = error.errno or 0
    shown = error.strerror or type(error).__name__
    cause, remedy = _CAUSES.get(number, (Text(f"系统报告 {shown}", f"the system says {shown}"), _LOOK))
    names = [str(name) for name in (error.filename, error.filename2) if name is not None]
    place = " → ".join(names)
    return Unavailable(
        Text(f"{place}：{cause.zh}，{remedy.zh}", f"{place}: {cause.en}; {remedy.en}")
        if place
        else Text(f"{cause.zh}，{remedy.zh}", f"{cause.en}; {remedy.en}"),
        code="system",
    )


def _of_values(error: ValidationError) -> Problem:
    found: list[FieldError] = []
    for item in error.errors(include_url=False):
        name, why = ".".join(str(part) for part in item["loc"]), reason(item)
        found.append(FieldError(name, item["type"], Text(f"{name} {why.zh}", f"{name} {why.en}")))
    return Invalid(errors=found)


def of_database(error: BaseException, url: str | None = None) -> Unavailable:
    """A database that cannot be used; `url` tells where it is, its password is never shown."""
    origin = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    said = f"{getattr(origin, 'sqlstate', None) or ''} {origin}"
    cause, remedy = next(
        ((cause, remedy) for pattern, cause, remedy in _DATABASE if pattern.search(said)),
        _UNKNOWN,
    )
    place = f" {_place(url)} " if url else ""
    return Unavailable(
        Text(
            f"数据库{place}无法使用：{cause.zh}；{remedy.zh}",
            f"The database{place or ' '}cannot be used: {cause.en}; {remedy.en}",
        ),
        code="database_unavailable",
    )


def _place(url: str) -> str:
    parsed = make_url(url)
    host = parsed.host or str(parsed.query.get("host", "localhost"))
    return f"{parsed.username or ''}@{host}{f':{parsed.port}' if parsed.port else ''}/{parsed.database or ''}"


@contextlib.contextmanager
def explained(url: str) -> Generator[None]:
    """Failures of the database inside the block say where it is."""
    try:
        yield
    except (psycopg.Error, DBAPIError, PoolTimeout) as error:
        raise of_database(error, url) from error


def shown(problem: Problem, lang: Lang) -> str:
    """A problem for a terminal: what happened, then every field that is wrong."""
    detail = problem.detail.pick(lang)
    messages = [error.message.pick(lang) for error in problem.errors]
    if messages == [detail]:
        detail = _with_field(problem.errors[0], lang)
    elif all(message in detail for message in messages):
        messages = []
    lines = [f"gongshi: {detail} [{problem.code}]"]
    if len(messages) > 1:
        lines += [f"  - {_with_field(error, lang)}" for error in problem.errors]
    return "\n".join(lines) + "\n"


def _with_field(error: FieldError, lang: Lang) -> str:
    message = error.message.pick(lang)
    return message if error.field in message else f"{error.field}: {message}"
