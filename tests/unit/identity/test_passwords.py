import asyncio

import pytest

from gongshi.identity import passwords
from gongshi.kit.errors import Invalid


def codes(password: str, username: str = "wenlv") -> set[str]:
    try:
        passwords.check_rules(password, username)
    except Invalid as problem:
        return {error.code for error in problem.errors}
    return set()


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("three-quiet-rivers", set()),
        ("三条安静的河流流过城市", set()),
        ("short-one", {"too_short"}),
        ("x" * 129, {"too_long", "common"}),
        ("my-WenLv-password", {"username"}),
        ("Password123", {"common"}),
        ("abcdefghijkl", {"common"}),
        ("9876543210", {"common"}),
        ("ababababab", {"common"}),
        ("has\x00zero-byte", {"control"}),
        ("", {"too_short", "common"}),
    ],
)
def test_rules_name_everything_that_is_wrong(password: str, expected: set[str]) -> None:
    assert codes(password) == expected


async def test_a_hash_fits_its_password_only() -> None:
    encoded = await passwords.hash_password("three-quiet-rivers")

    assert encoded.startswith("$argon2id$")
    assert await passwords.verify("three-quiet-rivers", encoded)
    assert not await passwords.verify("three-quiet-river", encoded)
    assert not await passwords.verify("three-quiet-rivers", None)
    assert not await passwords.verify("three-quiet-rivers", "not a hash")
    assert not passwords.needs_rehash(encoded)
    assert passwords.needs_rehash("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAA")


async def test_composed_and_decomposed_letters_are_one_password() -> None:
    encoded = await passwords.hash_password("caf\u00e9-on-the-corner")

    assert await passwords.verify("cafe\u0301-on-the-corner", encoded)


def test_hashing_works_in_one_event_loop_after_another() -> None:
    for _ in range(2):
        encoded = asyncio.run(passwords.hash_password("three-quiet-rivers"))
        assert asyncio.run(passwords.verify("three-quiet-rivers", encoded))


def test_one_time_passwords_keep_the_rules_and_never_repeat() -> None:
    made = {passwords.one_time_password() for _ in range(500)}

    assert len(made) == 500
    assert all(codes(password) == set() for password in made)
