"""Write docs/conformance.md from the cases of `gongshi conform` and the named faults of the simulator.

python scripts/conformance.py            write the page
python scripts/conformance.py --check    fail when the page is stale
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from gongshi.conform.cases import GROUPS, LOWER, UPPER, group_of
from gongshi.conform.model import Case
from gongshi.simulator.faults import NAMED

PAGE = Path(__file__).resolve().parent.parent / "docs" / "conformance.md"
INTRODUCTION = """# 符合性测试 · Conformance

<!-- written by scripts/conformance.py -->

`gongshi conform` 逐条测试一台设备或一个平台是否符合 GB/T 28181 的 2016 版与 2022 版，给出结论、依据条款和往来消息。
`gongshi conform` tries a device or a platform clause by clause, and says for each edition whether it conforms, with the
messages that show it.

```
gongshi conform --as upper --listen 0.0.0.0:5060 --code 34150000002000000001 --peer-code 34150200001180000001 \\
    --password-file secret.txt --report report.html --json report.json
gongshi conform --as lower --target 10.1.1.10:5060 --listen 0.0.0.0:5062 --code 34150200001180000001 \\
    --peer-code 34150000002000000001 --password-file secret.txt
```

作为上级（`--as upper`）时，请在设备上把上级平台设为本机地址与编码，设备会自行注册。作为下级（`--as lower`）时，本工具以设备
身份向平台注册，平台上须先登记该编码与口令。
As upper, point the device at this machine; it registers by itself. As lower, the tool registers as a device, which must
have been entered at the platform with its password.

| 选项 option | 含义 meaning |
|---|---|
| `--edition 2016\\|2022` | 按哪一版测试；默认看对方的 X-GB-Ver · edition to try; by default what X-GB-Ver announces |
| `--only CAT-02,INV-01` | 只测这些用例及其前提 · these cases and what they need |
| `--channel CODE` | 用于点播的通道 · the camera to open |
| `--allow reboot,redirect` | 允许会中断设备的用例；默认不执行 · cases that interrupt the device, not run unless allowed |
| `--redirect HOST:PORT` | 重定向到的本方第二地址 · our second address, for the redirect |

结果：通过、不通过、不适用（对方没有此能力或此版本没有此项）、未执行（前提未通过或未选择）。退出码：0 符合，1 不符合，2 无法判定。
标“建议”的用例不影响结论。需要人操作的用例（触发报警、在平台上点播）会在终端询问；没有终端时为不适用。
Outcomes: pass, fail, not applicable (the other side or the edition does not have it), not run (a case it needs did not
pass, or not chosen). Exit code: 0 conforms, 1 does not, 2 cannot be said. Cases marked “advised” do not decide. Cases
that need a person (raise an alarm, open a camera) ask at the terminal, and are not applicable without one.

报告中不含口令；摘要应答值以 `***` 代替。
Reports hold no password; digest responses are replaced by `***`.

程序内使用 · In a program: `await gongshi.conform.run(Options(...))` 返回 `Report`；`Options.progress` 逐条得到结果，
`gongshi.conform.report.SCHEMA` 是 JSON 报告的模式 (JSON Schema)。
"""
ROW = "| {id} | {old} | {new} | {zh}：{expected_zh} · {en}: {expected_en} | {marks} |"


def table(cases: tuple[Case, ...]) -> Iterator[str]:
    """The cases, a table per group."""
    for group in dict.fromkeys(group_of(case.id) for case in cases):
        yield f"\n### {GROUPS[group].zh} · {GROUPS[group].en}\n"
        yield "| | 2016 | 2022 | 用例与期望 · case and what should be seen | |"
        yield "|---|---|---|---|---|"
        for case in cases:
            if group_of(case.id) != group:
                continue
            marks = ["建议 advised"] if case.level == "should" else []
            marks += [f"`--allow {case.needs_leave}`"] if case.needs_leave else []
            yield ROW.format(
                id=case.id,
                old=case.clause_2016 or "–",
                new=case.clause_2022 or "–",
                zh=case.title.zh,
                en=case.title.en,
                expected_zh=case.expected.zh,
                expected_en=case.expected.en,
                marks="，".join(marks),
            )


def page() -> str:
    """The whole page."""
    lines = [INTRODUCTION, "## 测设备 · Testing a device (`--as upper`)", *table(UPPER)]
    lines += ["\n## 测平台 · Testing a platform (`--as lower`)", *table(LOWER)]
    lines += [
        "\n## 如何验证本工具 · How the tool itself is tested\n",
        f"[模拟器](simulator.md)有 {len(NAMED)} 种命名故障。测试逐一注入，并要求恰好由对应的用例发现。",
        f"The [simulator](simulator.md) has {len(NAMED)} named faults. A test gives it each of them, and wants exactly the",
        "case named here to fail.\n",
        "| 故障 fault | 含义 meaning | 用例 case |",
        "|---|---|---|",
        *(f"| `{named.name}` | {named.title.zh} · {named.title.en} | {named.found_by} |" for named in NAMED),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    text = page()
    if "--check" in sys.argv[1:]:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
            print("docs/conformance.md is stale: run python scripts/conformance.py", file=sys.stderr)
            return 1
        return 0
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
