"""MANSCDP: the XML language of GB/T 28181 (annex A), read leniently and written by the tables."""

from gongshi.protocols.manscdp.catalog import (
    CatalogCollector,
    CatalogItem,
    CatalogResponse,
    CollectState,
    split_catalog,
)
from gongshi.protocols.manscdp.charset import Charset, decode
from gongshi.protocols.manscdp.element import Element, leaf, optional
from gongshi.protocols.manscdp.envelope import Envelope, Root, build, parse
from gongshi.protocols.manscdp.messages import (
    CatalogQuery,
    DeviceInfo,
    DeviceStatus,
    Keepalive,
    build_query,
    fast_keepalive,
    format_sip_date,
    format_time,
    parse_time,
    version_edition,
)

__all__ = [
    "CatalogCollector",
    "CatalogItem",
    "CatalogQuery",
    "CatalogResponse",
    "Charset",
    "CollectState",
    "DeviceInfo",
    "DeviceStatus",
    "Element",
    "Envelope",
    "Keepalive",
    "Root",
    "build",
    "build_query",
    "decode",
    "fast_keepalive",
    "format_sip_date",
    "format_time",
    "leaf",
    "optional",
    "parse",
    "parse_time",
    "split_catalog",
    "version_edition",
]
