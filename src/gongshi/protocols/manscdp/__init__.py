"""MANSCDP: the XML language of GB/T 28181 (annex A), read leniently and written by the tables."""

from gongshi.protocols.manscdp.catalog import CatalogCollector, CatalogItem, CatalogResponse, split_catalog
from gongshi.protocols.manscdp.charset import Charset, decode
from gongshi.protocols.manscdp.collector import Collector, CollectState
from gongshi.protocols.manscdp.editions import join_codes, modern, require_modern, split_codes
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
from gongshi.protocols.manscdp.notifies import Broadcast, MediaStatus, SnapShotFinished, UpgradeResult, VideoUpload
from gongshi.protocols.manscdp.records import (
    RecordCollector,
    RecordInfo,
    RecordInfoQuery,
    RecordItem,
    split_records,
    split_span,
)

__all__ = [
    "Broadcast",
    "CatalogCollector",
    "CatalogItem",
    "CatalogQuery",
    "CatalogResponse",
    "Charset",
    "CollectState",
    "Collector",
    "DeviceInfo",
    "DeviceStatus",
    "Element",
    "Envelope",
    "Keepalive",
    "MediaStatus",
    "RecordCollector",
    "RecordInfo",
    "RecordInfoQuery",
    "RecordItem",
    "Root",
    "SnapShotFinished",
    "UpgradeResult",
    "VideoUpload",
    "build",
    "build_query",
    "decode",
    "fast_keepalive",
    "format_sip_date",
    "format_time",
    "join_codes",
    "leaf",
    "modern",
    "optional",
    "parse",
    "parse_time",
    "require_modern",
    "split_catalog",
    "split_codes",
    "split_records",
    "split_span",
    "version_edition",
]
