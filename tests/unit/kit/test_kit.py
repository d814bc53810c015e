"""The small shared pieces."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongshi.kit.errors import BadRequest, FieldError, Invalid
from gongshi.kit.i18n import Text, language_of
from gongshi.kit.ids import document_number, new_id
from gongshi.kit.logging import redact
from gongshi.kit.paging import decode_cursor, encode_cursor
from gongshi.kit.queries import split_words
from gongshi.kit.secretbox import SecretBox


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "zh"),
        ("", "zh"),
        ("en", "en"),
        ("en-GB,en;q=0.9,zh;q=0.8", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("fr, en;q=0.5", "en"),
        ("fr", "zh"),
        ("en;q=x", "zh"),
        (";;;,,q=", "zh"),
    ],
)
def test_the_answer_speaks_the_preferred_language(header: str | None, language: str) -> None:
    assert language_of(header) == language


@given(st.text())
def test_any_accept_language_header_yields_a_language(header: str) -> None:
    assert language_of(header) in {"zh", "en"}


@given(st.integers(), st.text())
def test_a_cursor_comes_back_as_it_was(number: int, word: str) -> None:
    assert decode_cursor(encode_cursor(number, word), (int, str)) == [number, word]


@given(st.text())
def test_any_other_cursor_is_refused(text: str) -> None:
    """Any input decodes or raises BadRequest, never anything else."""
    with contextlib.suppress(BadRequest):
        decode_cursor(text, (int, str))


def test_ids_sort_by_time_and_differ() -> None:
    ids = [new_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert all(i.version == 7 and i.variant == "specified in RFC 4122" for i in ids)
    assert ids[0].int >> 80 <= ids[-1].int >> 80


def test_a_document_number_can_be_read_aloud() -> None:
    assert document_number("G", 2026, 142) == "G-2026-0142"


def test_a_problem_names_place_cause_and_remedy_in_each_language() -> None:
    problem = Invalid(Text("填错了", "wrong"), errors=[FieldError("code", "C-SHAPE", Text("应为20位", "20 digits"))])
    assert problem.body("zh")["errors"] == [{"field": "code", "code": "C-SHAPE", "message": "应为20位"}]
    assert problem.body("en")["detail"] == "wrong"


def test_a_sealed_secret_opens_only_under_its_label_and_key() -> None:
    box = SecretBox(b"k" * 32)
    sealed = box.seal("Camera#2024", "peer:1")
    assert b"Camera" not in sealed
    assert box.open(sealed, "peer:1") == "Camera#2024"
    for other, label in ((box, "peer:2"), (SecretBox(b"x" * 32), "peer:1")):
        with pytest.raises(ValueError, match="cannot be opened"):
            other.open(sealed, label)


def test_secrets_never_reach_the_log() -> None:
    event = {
        "password": "a",
        "media_token": "b",
        "url": "http://h/live/1.flv?token=abcdefghijkl&x=1",
        "database": "postgresql://u:verysecretword@h/d",
        "name": "人民路",
    }
    shown = str(redact(None, "info", event))
    assert not any(secret in shown for secret in ("abcdefghijkl", "verysecretword", "'a'", "'b'"))
    assert "人民路" in shown


@pytest.mark.parametrize(
    ("sent", "read"),
    [(["a,b", "c"], ["a", "b", "c"]), (["a"], ["a"]), ([""], [""]), (None, None), ("a,b", "a,b"), ([1], [1])],
)
def test_words_come_by_comma_or_by_repetition(sent, read):
    assert split_words(sent) == read
