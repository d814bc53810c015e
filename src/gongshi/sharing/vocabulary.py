"""Preset words of the sharing process: purposes, legal bases, reasons of refusal. Data, bilingual (S-01, G-033)."""

from collections.abc import Mapping
from typing import Final

from gongshi.kit.i18n import Text

PURPOSES: Final[Mapping[str, Text]] = {
    "flood_watch": Text("防汛抗旱值守", "Flood and drought watch"),
    "forest_fire": Text("森林防火", "Forest fire watch"),
    "work_safety": Text("安全生产监管", "Work safety supervision"),
    "traffic": Text("交通疏导与事故处置", "Traffic guidance and accidents"),
    "crowd_safety": Text("大型活动与景区客流安全", "Crowd safety at events and scenic spots"),
    "city_management": Text("城市管理与市容巡查", "City management and street inspection"),
    "environment": Text("生态环境巡查", "Environmental inspection"),
    "emergency_drill": Text("应急演练", "Emergency drill"),
    "public_security": Text("社会治安防控", "Public security"),
}
"""Examples to choose from; a purpose may also be written freely."""

LEGAL_BASES: Final[Mapping[str, Text]] = {
    "order_799": Text(
        "《公共安全视频图像信息系统管理条例》（国务院令第799号）",
        "Regulations on public-security video and image information systems (State Council Order 799)",
    ),
    "emergency_response_law": Text("《中华人民共和国突发事件应对法》", "Emergency Response Law"),
    "flood_control_law": Text("《中华人民共和国防洪法》", "Flood Control Law"),
    "forest_law": Text("《中华人民共和国森林法》", "Forest Law"),
    "work_safety_law": Text("《中华人民共和国安全生产法》", "Work Safety Law"),
    "road_traffic_law": Text("《中华人民共和国道路交通安全法》", "Road Traffic Safety Law"),
    "tourism_law": Text("《中华人民共和国旅游法》", "Tourism Law"),
    "pipl_13": Text("《中华人民共和国个人信息保护法》第十三条", "Personal Information Protection Law, article 13"),
}

REFUSALS: Final[Mapping[str, Text]] = {
    "purpose_unclear": Text("申请目的不明确或与职责不符", "The purpose is unclear or outside the unit's duty"),
    "no_legal_basis": Text("所列依据不支持此项调阅", "The stated basis does not support this viewing"),
    "not_necessary": Text("目的无需此点位画面即可达成", "The purpose can be met without this camera"),
    "sensitive_place": Text("敏感场所点位，不宜共享", "Sensitive place, not to be shared"),
    "period_too_long": Text("申请期限过长", "The period asked for is too long"),
    "scope_too_wide": Text("申请范围或操作过宽", "The scope or the actions go too far"),
    "ongoing_case": Text("涉及在办案事项，暂不共享", "Concerns a case in progress; not shared for now"),
}


def phrase(words: Mapping[str, Text], value: str) -> Text:
    """A preset word in both languages; free text stands for itself."""
    return words.get(value) or Text(value, value)


def code_of(words: Mapping[str, Text], value: str) -> str:
    """Free text that is exactly a preset phrase becomes its code, so that counting by purpose works."""
    return next((code for code, text in words.items() if value in {text.zh, text.en}), value)
