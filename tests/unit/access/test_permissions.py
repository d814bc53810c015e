from dataclasses import replace

import pytest

from gongshi.access.permissions import PERMISSIONS, PUBLIC, SIGNED_IN, TABLE, Thing, holds, permissions_of, permit
from gongshi.access.subjects import Subject
from gongshi.identity.roles import ADMINISTRATORS, AUDITOR, BUSINESS, ROLES

CITY = Subject("person", 1, "甲", 10, "市公安局", "341500", "city", frozenset({"police_officer"}))
COUNTY = replace(CITY, id=2, organisation_id=20, region_code="341502", level="county")
ASKED = Thing(organisation_id=30, region_code="341500", level="city", created_by=9)


def who(role: str, base: Subject = CITY) -> Subject:
    return replace(base, roles=frozenset({role}))


def test_the_table_names_known_roles_and_well_formed_permissions() -> None:
    for name, reaches in TABLE.items():
        assert name.count(".") == 2, name
        assert reaches, name
        assert reaches.keys() <= ROLES.keys(), name


def test_who_works_with_cameras_reads_no_log_and_who_reads_it_works_with_none() -> None:
    for name, roles in PERMISSIONS.items():
        if name.startswith("audit."):
            assert not roles & BUSINESS, name
        if name.startswith(("media.session.open", "sharing.request.create", "sharing.request.decide")):
            assert not roles & (ADMINISTRATORS | {AUDITOR}), name


def test_an_authority_decides_for_others_of_its_level_inside_its_area_only() -> None:
    approve = "sharing.request.approve"

    assert permit(CITY, approve, ASKED).allowed
    assert not permit(who("data_bureau"), approve, ASKED).allowed
    own = permit(CITY, approve, replace(ASKED, organisation_id=10))
    assert (own.allowed, own.known) == (False, True)
    assert "本单位" in own.reason.zh
    assert not permit(CITY, approve, replace(ASKED, created_by=1)).allowed, "nor what one asked for oneself"
    assert not permit(CITY, approve, replace(ASKED, level="county", region_code="341502")).allowed
    assert not permit(CITY, approve, replace(ASKED, region_code="340100")).allowed
    assert not permit(CITY, approve, Thing()).allowed, "unknown matches nothing"
    assert permit(COUNTY, approve, replace(ASKED, level="county", region_code="341502")).allowed


def test_an_office_accepts_the_filings_below_it_but_never_its_own() -> None:
    office = who("leading_office")

    assert permit(office, "inventory.filing.accept", replace(ASKED, level="county", region_code="341502")).allowed
    assert not permit(office, "inventory.filing.accept", replace(ASKED, organisation_id=10)).allowed


def test_what_one_may_not_see_is_not_found() -> None:
    contact = who("agency_contact")
    own = replace(ASKED, organisation_id=10)

    assert permit(contact, "sharing.request.submit", own).allowed
    foreign = permit(contact, "sharing.request.submit", ASKED)
    assert (foreign.allowed, foreign.known) == (False, False)
    viewer = permit(who("viewer"), "sharing.request.submit", own)
    assert (viewer.allowed, viewer.known) == (False, True)
    admin = permit(who("system_admin"), "sharing.request.see", ASKED)
    assert (admin.allowed, admin.known) == (False, False)


def test_self_reaches_what_one_made() -> None:
    viewer = who("viewer")

    assert permit(viewer, "media.session.see", Thing(created_by=1)).allowed
    assert not permit(viewer, "media.session.see", Thing(created_by=2, organisation_id=10)).allowed
    assert permit(who("auditor"), "media.session.see", Thing(created_by=2)).allowed


def test_an_upper_has_no_permissions_at_all() -> None:
    upper = Subject("upper", 1, "省平台", roles=frozenset({"police_officer"}))

    assert permissions_of(upper) == []
    assert not permit(upper, "sharing.request.approve", ASKED).allowed
    assert holds(upper, PUBLIC)
    assert not holds(upper, SIGNED_IN)


def test_a_misspelt_permission_is_a_fault_of_the_program() -> None:
    with pytest.raises(KeyError):
        permit(CITY, "sharing.request.aprove", ASKED)
    with pytest.raises(KeyError):
        holds(CITY, "sharing.request.aprove")
