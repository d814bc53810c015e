"""The hook that draws sequence diagrams for the documentation."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as ET

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "sequence_diagrams.py"


@pytest.fixture(scope="module")
def diagrams() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sequence_diagrams", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_arrows_point_from_source_to_target(diagrams: ModuleType):
    markdown = (
        "a\n\n```sequence\nactors: 甲, b <c>\n甲 -> b <c>: ask\nb <c> --> 甲: answer\nnote 甲: thinks\n```\n\nz\n"
    )

    page = diagrams.on_page_markdown(markdown, page=None)
    svg = re.search(r"<svg.*</svg>", page)
    assert svg is not None
    root = ET.fromstring(svg[0])
    texts = ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]
    lines = [node for node in root.iter("{http://www.w3.org/2000/svg}path") if "H" in node.get("d", "")]

    assert texts == ["甲", "b <c>", "ask", "answer", "thinks"]
    assert [line.get("d", "").split()[0] for line in lines] == ["M75", "M225"]
    assert [line.get("stroke-dasharray") for line in lines] == [None, "5 4"]
    assert page.startswith("a\n")
    assert page.endswith("z\n")


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("a -> b: x\n", "begins with 'actors:'"),
        ("actors: a\na -> b: x\n", "'b' is not among the actors"),
        ("actors: a\nwhatever\n", "not a step of a sequence: 'whatever'"),
    ],
)
def test_a_faulty_block_names_its_line(diagrams: ModuleType, body: str, fault: str):
    with pytest.raises(ValueError, match=re.escape(fault)):
        diagrams.parse(body)


def test_no_line_is_wider_than_its_room(diagrams: ModuleType):
    text = "撤销授权后两秒内 every session is decided again and 画面停止 with the reason"

    lines = diagrams.wrapped(text, 120)

    assert max(diagrams.width(line) for line in lines) * diagrams.CHARACTER <= 120
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
