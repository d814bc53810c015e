"""Every named fault of the simulator is found by exactly the case that is meant for it."""

import asyncio
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from conformance.support import conform, draw, failures
from gongshi.conform import UPPER, Conformity, Verdict
from gongshi.protocols.codes import Edition
from gongshi.simulator import Faults
from gongshi.simulator.faults import NAMED

PROCESSES, AT_ONCE = 2, 7
"""Runs side by side: nearly all of their time is waiting."""


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    cache = tmp_path_factory.mktemp("clips")
    asyncio.run(draw(cache))
    return cache


@pytest.mark.parametrize("edition", [Edition.E2016, Edition.E2022])
async def test_a_device_without_faults_conforms(clips, edition):
    report = await conform(Faults(), clips, edition)
    assert {r.case.id: r.seen.en for r in report.failures} == {}
    assert report.conformity[Edition.E2016] is Conformity.YES
    assert report.conformity[Edition.E2022] is (Conformity.YES if edition == Edition.E2022 else Conformity.NO)
    assert report.exit_code == 0
    tried = {r.case.id for r in report.results if r.verdict is Verdict.PASS}
    assert tried == {case.id for case in UPPER if case.in_edition(edition)}, "nothing is left out"


@pytest.mark.slow
def test_every_named_fault_is_found_by_its_case_and_by_no_other(clips):
    assert len(NAMED) >= 25
    assert len({named.name for named in NAMED}) == len(NAMED)
    names = [named.name for named in NAMED]
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:
        work = [pool.submit(failures, names[part::PROCESSES], clips, AT_ONCE) for part in range(PROCESSES)]
        found = {name: failed for part in work for name, failed in part.result().items()}
    wrong = {n.name: (n.found_by, found[n.name]) for n in NAMED if set(found[n.name]) != {n.found_by}}
    assert wrong == {}


def test_every_case_that_can_fail_has_a_fault_that_makes_it_fail():
    untried = {case.id for case in UPPER} - {named.found_by for named in NAMED}
    # No device can fail these and still be looked at any further.
    assert untried == {"REG-01", "REG-02", "CAT-01", "CAT-11"}
