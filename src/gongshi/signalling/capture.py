"""A trace as a file: text for people, pcap for Wireshark. Made of what the page shows, so no secret is in it.

Every message becomes one UDP packet between the peer and the node, whatever carried it: TCP segments are not kept.
"""

import struct
from collections.abc import Iterable, Mapping
from datetime import datetime
from ipaddress import ip_address
from typing import Any, Final

_RAW_IP: Final = 101
_MOST: Final = 65_000
_HEAD: Final = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, _RAW_IP)


def as_text(lines: Iterable[Mapping[str, Any]]) -> str:
    """One message after the other, each under a line of its time, way and address."""
    parts: list[str] = []
    for line in lines:
        arrow = "<<<" if line["way"] == "in" else ">>>"
        cut = " (truncated)" if line["truncated"] else ""
        parts.append(f"{line['at']} {arrow} {line['remote']} {line['size']} bytes{cut}\r\n{line['text']}\r\n")
    return "\r\n".join(parts)


def as_pcap(lines: Iterable[Mapping[str, Any]], local_host: str, local_port: int) -> bytes:
    """A capture file with raw IP packets; an address that cannot be read becomes 0.0.0.0."""
    packets = [_HEAD]
    for line in lines:
        moment = datetime.fromisoformat(str(line["at"])).timestamp()
        host, port = _address(str(line["remote"]))
        peer, own = (host, port), (local_host, local_port)
        source, target = (peer, own) if line["way"] == "in" else (own, peer)
        packet = _packet(source, target, str(line["text"]).encode()[:_MOST])
        whole, part = int(moment), int(moment % 1 * 1_000_000)
        packets.append(struct.pack("<IIII", whole, part, len(packet), len(packet)) + packet)
    return b"".join(packets)


def _address(remote: str) -> tuple[str, int]:
    """`udp:10.5.2.31:5060` or `tcp:[::1]:5060`."""
    host, _, port = remote.partition(":")[2].rpartition(":")
    return host.strip("[]"), int(port) if port.isascii() and port.isdigit() and int(port) < 65_536 else 0


def _packed(host: str) -> bytes:
    try:
        return ip_address(host).packed
    except ValueError:
        return bytes(4)


def _packet(source: tuple[str, int], target: tuple[str, int], data: bytes) -> bytes:
    left, right = _packed(source[0]), _packed(target[0])
    if len(left) != len(right):
        # One side is known by name only: both as IPv6, the other as 0.
        left, right = left.rjust(16, b"\0"), right.rjust(16, b"\0")
    length = 8 + len(data)
    if len(left) == 4:
        head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + length, 0, 0x4000, 64, 17, 0, left, right)
        head = head[:10] + struct.pack(">H", _checksum(head)) + head[12:]
    else:
        head = struct.pack(">IHBB16s16s", 0x60000000, length, 17, 64, left, right)
    udp = struct.pack(">HHHH", source[1], target[1], length, 0)
    pseudo = left + right + struct.pack(">BBH", 0, 17, length)
    total = _checksum(pseudo + udp + data) or 0xFFFF
    return head + udp[:6] + struct.pack(">H", total) + data


def _checksum(data: bytes) -> int:
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
