"""Each entry is a sentence in both languages, whatever stands in it."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gongshi
from gongshi.audit.sentences import _PLAIN, sentence

ENTRY = {
    "at": datetime(2026, 11, 22, 2, 31, 7, tzinfo=UTC),
    "action": "media.session.ended",
    "actor_kind": "person",
    "actor_name": "值班员",
    "organisation_name": "市应急局",
    "camera_id": 12,
    "detail": json.dumps(
        {
            "action": "live",
            "camera_name": "城东路口",
            "seconds": 43.2,
            "grant_number": "G-2026-0142",
            "purpose": {"zh": "防汛值守", "en": "flood watch"},
            "end_reason": {"zh": "本人关闭", "en": "closed by the viewer"},
        }
    ),
}


def test_a_look_at_a_camera_reads_like_a_sentence():
    told = sentence(ENTRY)
    assert told.zh == (
        "市应急局 值班员 于 10:31:07 观看 城东路口 43 秒，依据授权 G-2026-0142，目的 防汛值守，结束原因：本人关闭"
    )
    assert told.en == (
        "市应急局 值班员 at 10:31:07 watched 城东路口 for 43 s, under grant G-2026-0142, purpose flood watch; "
        "it ended because: closed by the viewer"
    )


def test_a_search_of_the_log_names_its_conditions():
    told = sentence({**ENTRY, "action": "audit.log.read", "detail": '{"conditions": {"action": "media", "q": "路口"}}'})
    assert told.zh == "市应急局 值班员 于 10:31:07 查阅审计日志（操作 media，关键词 路口）"
    assert told.en.endswith("read the log (action media, words 路口)")


def test_nobody_known_is_said_in_words():
    entry = {**ENTRY, "action": "identity.login.failed", "actor_name": "", "organisation_name": None, "detail": "{}"}
    assert sentence(entry).zh == "未知账号 于 10:31:07 登录失败"
    assert sentence(entry).en == "An unknown account at 10:31:07 failed to log in"


def test_a_sentence_ends_without_a_space():
    told = sentence({**ENTRY, "action": "identity.account.created", "detail": '{"username": "wang"}'})
    assert told.zh == "市应急局 值班员 于 10:31:07 新建账号 wang"


def test_an_unknown_action_is_told_by_its_name():
    assert sentence({**ENTRY, "action": "storage.hold.placed", "detail": "{}"}).zh.endswith("执行 storage.hold.placed")


def test_every_action_that_the_code_records_has_words():
    """An entry without words of its own reads like a machine's; new actions must bring theirs."""
    recorded = set()
    for path in Path(gongshi.__file__).parent.rglob("*.py"):
        recorded |= set(re.findall(r'record\(\s*(?:[\w.]+,)\s*"([a-z]+\.[a-z]+\.[a-z_]+)"', path.read_text()))
    assert len(recorded) > 20
    assert recorded - set(_PLAIN) == set()


def test_the_system_is_called_the_system():
    assert sentence({**ENTRY, "actor_kind": "system", "actor_name": "system"}).en.startswith("The system at 10:31:07")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
KEYS = [
    "camera_name",
    "reason",
    "grant_number",
    "seconds",
    "cameras",
    "counts",
    "action",
    "basis",
    "purpose",
    "outcome",
]


@settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault of the examples
@given(st.sampled_from(sorted(_PLAIN)), st.dictionaries(st.sampled_from(KEYS), JSON), st.booleans())
def test_any_detail_gives_a_sentence(action, detail, broken):
    """Invariant: any detail, even one that someone tampered with, gives a sentence and never an error."""
    text = json.dumps(detail)[: -1 if broken else None]
    told = sentence({**ENTRY, "action": action, "detail": text})
    assert told.zh.startswith("市应急局 值班员 于 10:31:07 ")
    assert told.en.startswith("市应急局 值班员 at 10:31:07 ")
