"""Keys are made once, and never anew beside data that needs the old ones."""

from pathlib import Path

import pytest

from gongshi.config import DatabaseSettings, Settings
from gongshi.db.embedded import EmbeddedPostgres
from gongshi.node import doctor
from gongshi.node.runtime import Runtime
from gongshi.node.secrets import LostSecrets, NodeSecrets

EVERY = ["audit.pem", "box.key", "database.json", "media.pem"]


@pytest.fixture
def standing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A node that has its keys, and what tells that its cluster was made."""
    monkeypatch.setattr(EmbeddedPostgres, "stands", property(lambda _: True))
    settings = Settings(data=tmp_path)
    NodeSecrets.of(tmp_path)
    (tmp_path / "secrets" / "database.json").write_text('{"gongshi_owner": "a", "gongshi_app": "b"}')
    Runtime.of(settings)
    return settings


@pytest.mark.parametrize("lost", [EVERY, *([name] for name in EVERY)])
def test_no_new_key_is_made_beside_an_existing_database(standing: Settings, lost: list[str]) -> None:
    secrets = standing.data / "secrets"
    for name in lost:
        (secrets / name).unlink()
    if lost == EVERY:
        secrets.rmdir()
    with pytest.raises(LostSecrets) as caught:
        Runtime.of(standing)
    for text in (caught.value.detail.zh, caught.value.detail.en):
        assert all(name in text for name in lost)
        assert str(secrets) in text
    assert "备份" in caught.value.detail.zh
    assert not any((secrets / name).exists() for name in lost)


def test_the_doctor_says_so(standing: Settings) -> None:
    (standing.data / "secrets" / "box.key").unlink()
    said: list[str] = []
    assert doctor.run(standing, "zh", said.append) == 1
    assert any("box.key" in line and "备份" in line for line in said)


def test_kept_objects_need_their_keys_as_well(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, database=DatabaseSettings(url="postgresql://u:p@db/gongshi"))
    Runtime.of(settings)
    (tmp_path / "objects" / "audit").mkdir(parents=True)
    Runtime.of(settings)
    (tmp_path / "secrets" / "audit.pem").unlink()
    with pytest.raises(LostSecrets):
        Runtime.of(settings)


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"-----BEGIN PRIVATE KEY-----\n"])
@pytest.mark.parametrize("name", ["box.key", "audit.pem", "media.pem"])
def test_a_damaged_key_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    NodeSecrets.of(tmp_path)
    (tmp_path / "secrets" / name).write_bytes(content)
    with pytest.raises(LostSecrets) as caught:
        NodeSecrets.of(tmp_path)
    assert name in caught.value.detail.en


def test_a_new_node_makes_its_keys_once(tmp_path: Path) -> None:
    first, again = NodeSecrets.of(tmp_path), NodeSecrets.of(tmp_path)
    assert first.audit.private_bytes_raw() == again.audit.private_bytes_raw()
    assert again.box.open(first.box.seal("口令", "a"), "a") == "口令"
