"""Passwords: argon2id, rules that refuse the guessable, and one-time passwords for new accounts."""

import asyncio
import secrets
import unicodedata
from importlib.resources import files
from itertools import pairwise
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gongshi.kit.errors import FieldError, Invalid
from gongshi.kit.i18n import Text

MINIMUM: Final = 10
MAXIMUM: Final = 128

_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""argon2id with the memory OWASP recommends for servers: some 20 ms, and 19 MiB per check under way."""

_AT_ONCE: Final = 4
"""Checks at the same time in one process, so that a flood of logins costs 80 MiB and not all memory."""

_COMMON: Final = frozenset(files("gongshi.identity").joinpath("common_passwords.txt").read_text("ascii").split())
"""Passwords that guessing tools for this country and this trade try first; compared in lower case."""

_slots: dict[asyncio.AbstractEventLoop, asyncio.Semaphore] = {}

_DUMMY: Final = _HASHER.hash(secrets.token_urlsafe(24))
"""Checked when there is no such account, so that the answer takes as long."""


def _normal(password: str) -> str:
    """The same password typed on another keyboard gives the same code points (RFC 8265 OpaqueString)."""
    return unicodedata.normalize("NFC", password)


def _slot() -> asyncio.Semaphore:
    loop = asyncio.get_running_loop()
    slot = _slots.get(loop)
    if slot is None:
        for old in [other for other in _slots if other.is_closed()]:
            del _slots[old]
        slot = _slots[loop] = asyncio.Semaphore(_AT_ONCE)
    return slot


async def hash_password(password: str) -> str:
    """The encoded argon2id hash, computed outside the event loop."""
    async with _slot():
        return await asyncio.to_thread(_HASHER.hash, _normal(password))


async def verify(password: str, encoded: str | None) -> bool:
    """Whether the password fits; without a hash (no such account) the same work is done and the answer is no."""
    async with _slot():
        fits = await asyncio.to_thread(_verify, _normal(password)[:1024], encoded or _DUMMY)
    return fits and encoded is not None


def needs_rehash(encoded: str) -> bool:
    """Whether the parameters of the hash are older than today's."""
    try:
        return _HASHER.check_needs_rehash(encoded)
    except InvalidHashError:
        return True


def _verify(password: str, encoded: str) -> bool:
    try:
        return _HASHER.verify(encoded, password)
    except (VerificationError, InvalidHashError):
        return False


def check_rules(password: str, username: str, *, field: str = "new") -> None:
    """Raise Invalid with every rule that the password breaks."""
    errors: list[FieldError] = []

    def refuse(code: str, message: Text) -> None:
        errors.append(FieldError(field, code, message))

    plain = _normal(password)
    folded = plain.casefold()
    if len(plain) < MINIMUM:
        refuse(
            "too_short",
            Text("密码至少 {n} 位", "A password has at least {n} characters").format(n=MINIMUM),
        )
    if len(plain) > MAXIMUM:
        refuse("too_long", Text("密码最多 {n} 位", "A password has at most {n} characters").format(n=MAXIMUM))
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in plain):
        refuse("control", Text("密码不能含控制字符", "A password holds no control characters"))
    if username and username.casefold() in folded:
        refuse("username", Text("密码不能包含用户名", "A password must not contain the username"))
    if folded in _COMMON or len(set(folded)) < 4 or _runs(folded):
        refuse(
            "common",
            Text(
                "此密码太容易被猜到，请换一个，例如几个不相关的词",
                "This password is easy to guess; choose another, for example a few unrelated words",
            ),
        )
    if errors:
        raise Invalid(errors=errors)


def _runs(password: str) -> bool:
    """Whether it is one run up or down the alphabet or the digits, such as `abcdefghijk`."""
    steps = {ord(after) - ord(before) for before, after in pairwise(password)}
    return steps in ({1}, {-1}, {0})


_SYLLABLES: Final = "ba be bo bu da de do du fa fe ga ge gu ha he hu ka ke ku la le lu ma me mo mu na ne nu pa po pu sa se su ta te tu wa wo ya yu za ze zu".split()  # noqa: SIM905 -- a word list reads best as one line


def one_time_password() -> str:
    """A password to say on the phone, for one use: four words of three syllables and two digits, some 70 bits."""
    words = ["".join(secrets.choice(_SYLLABLES) for _ in range(3)) for _ in range(4)]
    return "-".join(words) + f"-{secrets.randbelow(100):02d}"
