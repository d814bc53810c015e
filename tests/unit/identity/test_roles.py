from itertools import combinations

from gongshi.identity import roles


def test_nobody_gives_the_roles_that_watch_over_them() -> None:
    assert not roles.MAY_GIVE[roles.SYSTEM_ADMIN] & (roles.RESERVED | {roles.SYSTEM_ADMIN})
    assert not roles.MAY_GIVE[roles.SECURITY_ADMIN] & {roles.AUDITOR, roles.AUDIT_ADMIN}
    assert roles.MAY_GIVE[roles.AUDIT_ADMIN] == {roles.AUDITOR, roles.AUDIT_ADMIN}


def test_every_role_can_be_given_by_some_administrator() -> None:
    assert roles.givable(roles.ADMINISTRATORS) == roles.ROLES.keys()
    assert roles.givable(roles.BUSINESS | {roles.AUDITOR}) == set()


def test_administrators_and_auditors_stand_alone() -> None:
    for pair in combinations(roles.ROLES, 2):
        apart = bool(set(pair) - roles.BUSINESS)
        assert bool(roles.conflict(frozenset(pair))) is apart, pair
    assert not roles.conflict(roles.BUSINESS)
    assert not roles.conflict(frozenset())
