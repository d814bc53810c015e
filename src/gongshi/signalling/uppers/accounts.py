"""Accounts of uppers from their rows, with their passwords opened."""

import structlog

from gongshi.kit.secretbox import SecretBox
from gongshi.protocols.codes import Edition
from gongshi.signalling.uppers.account import Account
from gongshi.signalling.uppers.repository import UpperRow

log = structlog.get_logger(__name__)


def secret_label(code: str) -> str:
    """What an upper's sealed password is bound to."""
    return f"upper:{code}"


def account_of(row: UpperRow, box: SecretBox) -> Account | None:
    """The account of a row; None when its password was sealed with another node's key."""
    upper, unit = row.upper, row.organisation
    try:
        password = box.open(upper.secret, secret_label(upper.code))
    except ValueError as error:
        log.warning("signal.upper.secret", upper=upper.code, error=str(error))
        return None
    return Account(
        id=upper.id,
        code=upper.code,
        name=upper.name,
        organisation_id=unit.id,
        organisation_name=unit.name,
        region_code=unit.region_code,
        level=unit.level,
        domain=upper.domain,
        host=upper.host,
        port=upper.port,
        transport="TCP" if upper.transport == "tcp" else "UDP",
        own_code=upper.own_code,
        username=upper.username,
        password=password,
        realm=upper.realm,
        edition=Edition(upper.edition) if upper.edition else None,
        charset="utf-8" if upper.charset == "utf-8" else None,
        expires=upper.expires,
        interval=upper.keepalive_interval,
        misses=upper.keepalive_misses,
        retry=upper.retry_seconds,
        tree=upper.tree,
        contact=upper.contact,
        sources=tuple(upper.sources),
        media_networks=tuple(upper.media_networks),
        redirects=tuple(upper.redirects),
        enabled=upper.enabled,
    )
