"""Settings: one file, overridden by the environment, and every mistake named by its key."""

from pathlib import Path

import pytest

from gongshi.config import load
from gongshi.kit.errors import Invalid
from gongshi.node.initialise import render


def write(directory: Path, text: str) -> Path:
    file = directory / "gongshi.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    file = write(tmp_path, 'data = "d"\n[web]\nprot = 1\nport = 99999\n[node]\ncode = "12"\n[sip]\ntransports = []\n')
    with pytest.raises(Invalid) as caught:
        load(file, {})
    assert {e.field for e in caught.value.errors} == {"web.prot", "web.port", "node.code", "sip.transports"}
    for error in caught.value.errors:
        assert error.field in caught.value.detail.zh
        assert error.field in caught.value.detail.en


def test_what_the_environment_says_wins(tmp_path: Path) -> None:
    file = write(tmp_path, 'data = "d"\n[web]\nport = 1000\n')
    settings = load(
        file, {"GONGSHI_WEB__PORT": "2000", "GONGSHI_SIP__TRANSPORTS": "tcp", "GONGSHI_NODE__LEVEL": "county"}
    )
    assert (settings.web.port, settings.sip.transports, settings.node.level) == (2000, ["tcp"], "county")


def test_the_data_directory_is_relative_to_the_file(tmp_path: Path) -> None:
    assert load(write(tmp_path, 'data = "d"\n'), {}).data == tmp_path / "d"


def test_a_secret_is_read_from_its_file(tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("postgresql://u:p@h/d\n")
    settings = load(write(tmp_path, f'data = "d"\n[database]\nurl_file = "{secret}"\n'), {})
    assert settings.application_url() == settings.owner_url() == "postgresql://u:p@h/d"


@pytest.mark.parametrize("text", ["data = ", "data = 1\n[web", "\x00"])
def test_a_broken_file_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(Invalid) as caught:
        load(write(tmp_path, text), {})
    assert "gongshi.toml" in caught.value.detail.zh


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        load(tmp_path / "none.toml", {})
    assert "gongshi init" in caught.value.detail.en


@pytest.mark.parametrize("ports", ["30000-30000", "40000-30000", "80-900", "60000-70000"])
def test_an_impossible_port_range_is_refused(tmp_path: Path, ports: str) -> None:
    with pytest.raises(Invalid) as caught:
        load(write(tmp_path, f'data = "d"\n[media]\nrtp_ports = "{ports}"\n'), {})
    assert "media.rtp_ports" in caught.value.detail.zh


def test_what_init_writes_is_read_back_the_same(tmp_path: Path) -> None:
    settings = load(None, {"GONGSHI_DATA": str(tmp_path / '带"引号\\的目录')})
    assert load(write(tmp_path, render(settings)), {}) == settings
