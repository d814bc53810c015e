"""Channel lists and settings: what is wrong is named, what is right is kept."""

import json
from pathlib import Path

import pytest

from gongshi.protocols.codes import DeviceCode
from gongshi.simulator import ConfigError, PlatformConfig, generate_channels, load_catalog

CODE = "34150200002000000001"
CAMERA = "34150200001320000009"


def write(path: Path, rows: object) -> Path:
    path.write_text(json.dumps(rows, ensure_ascii=False), "utf-8")
    return path


def test_generated_channels_have_codes_of_their_platform() -> None:
    channels = generate_channels(120, CODE)
    codes = [DeviceCode.parse(channel.code) for channel in channels]
    assert len(set(codes)) == len({channel.name for channel in channels}) == 120
    assert {(code.centre, code.type) for code in codes} == {("34150200", "131")}
    assert {channel.codec for channel in channels} == {"h264", "h265"}


@pytest.mark.parametrize("count", [0, -1, 100_001])
def test_a_senseless_number_of_channels_is_refused(count: int) -> None:
    with pytest.raises(ConfigError):
        generate_channels(count, CODE)


def test_the_server_is_guessed_from_our_own_code() -> None:
    config = PlatformConfig(code=CODE, password="x", host="127.0.0.1")
    assert (config.server_code, config.domain) == ("34150000002000000001", "3415000000")


def test_a_list_is_read_with_defaults(tmp_path: Path) -> None:
    rows = [
        {
            "code": CAMERA,
            "name": "皋陶广场",
            "longitude": 116.5,
            "latitude": 31.7,
            "scene": "square",
            "codec": "h265",
            "place": ["安徽省六安市裕安区", "皋陶广场", "南门01"],
            "source": "市文旅局",
            "status": "OFF",
        },
        {"code": "34150200001320000010"},
    ]
    first, second = load_catalog(write(tmp_path / "c.json", rows))
    assert (first.name, first.scene, first.codec, first.online) == ("皋陶广场", "square", "h265", False)
    assert first.place[2] == "南门01"
    assert (second.name, second.longitude, second.civil_code, second.online) == (second.code, None, "341502", True)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ({}, "JSON array"),
        ([7], "entry 1: not an object"),
        ([{"code": CAMERA}, {"code": "1"}], "entry 2: code '1' is not 20 digits"),
        ([{"code": CAMERA, "codec": "vp9"}], "entry 1: codec"),
        ([{"code": CAMERA, "scene": ["x"]}], "entry 1: scene"),
        ([{"code": CAMERA}, {"code": CAMERA}], "repeats a code"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, rows: object, told: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_catalog(write(tmp_path / "c.json", rows))
    assert told in error.value.text.en


def test_an_unreadable_list_is_told_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("[{", "utf-8")
    for name in ("bad.json", "absent.json"):
        with pytest.raises(ConfigError, match=name):
            load_catalog(tmp_path / name)
