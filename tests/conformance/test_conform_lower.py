"""From below, the tool finds what a very small platform lacks, and only that."""

from gongshi.conform import LOWER, Conformity, Options, Patience, run
from gongshi.protocols.codes import Edition
from integration.simulator.upper import CODE, Upper

DEVICE = "34150200001180000001"
LACKING = {
    "SRV-05": "no Date",
    "SRV-06": "no version header",
    "SRV-09": "every code may register",
    "PLT-02": "keepalives of strangers are taken",
    "PLT-03": "alarms are not answered",
    "PLT-05": "no OPTIONS",
}


async def test_what_a_small_platform_lacks_is_found():
    patience = Patience(answer=2.0, silence=0.3, notify=0.3)
    reports = []
    async for platform in Upper().run():
        platform.password = "known"
        options = Options(
            "lower",
            DEVICE,
            CODE,
            "known",
            host="127.0.0.1",
            port=0,
            target=("127.0.0.1", platform.port),
            edition=Edition.E2022,
            # The little platform reads every body, come what may.
            only=frozenset(case.id for case in LOWER) - {"PLT-09"},
            patience=patience,
            t1=0.2,
        )
        reports.append(await run(options))
    [report] = reports
    assert {r.case.id: r.seen.en for r in report.failures}.keys() == LACKING.keys()
    assert report.conformity[Edition.E2016] is Conformity.NO
    assert report.exit_code == 1
