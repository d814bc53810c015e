"""Bits of a NAL unit: reading and writing Exp-Golomb codes, start codes and emulation prevention (H.264 §7.3, H.265 §7.3)."""

import re

START = b"\x00\x00\x00\x01"
_START_CODE = re.compile(rb"\x00\x00\x00?\x01")
_NEEDS_ESCAPE = re.compile(rb"\x00\x00(?=[\x00-\x03])")


def split_annexb(data: bytes) -> list[bytes]:
    """The NAL units of an access unit, without start codes and trailing zeros."""
    return [unit.rstrip(b"\x00") for unit in _START_CODE.split(data) if unit]


def unescape(data: bytes) -> bytes:
    """Remove emulation prevention bytes."""
    return data.replace(b"\x00\x00\x03", b"\x00\x00")


def escape(data: bytes) -> bytes:
    """Insert emulation prevention bytes."""
    return _NEEDS_ESCAPE.sub(b"\x00\x00\x03", data)


class BitReader:
    """Reads from the most significant bit on. Only our own encoder's output is read, so running out is a bug."""

    __slots__ = ("_value", "position", "size")

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self.size = len(data) * 8
        self.position = 0

    def u(self, count: int) -> int:
        """An unsigned number of `count` bits."""
        self.position += count
        if self.position > self.size:
            message = "read past the end of the NAL unit"
            raise ValueError(message)
        return self._value >> (self.size - self.position) & ((1 << count) - 1)

    def ue(self) -> int:
        """An unsigned Exp-Golomb code."""
        zeros = 0
        while not self.u(1):
            zeros += 1
        return (1 << zeros) - 1 + self.u(zeros)

    def se(self) -> int:
        """A signed Exp-Golomb code."""
        code = self.ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)

    def rest(self) -> tuple[int, int]:
        """The payload behind the position, without the stop bit and what follows it: value and number of bits."""
        tail = self._value & ((1 << (self.size - self.position)) - 1)
        padding = (tail & -tail).bit_length()
        return tail >> padding, self.size - self.position - padding


class BitWriter:
    """Collects bits in one integer."""

    __slots__ = ("_size", "_value")

    def __init__(self) -> None:
        self._value = 0
        self._size = 0

    def u(self, value: int, count: int) -> "BitWriter":
        self._value = self._value << count | value
        self._size += count
        return self

    def ue(self, value: int) -> "BitWriter":
        return self.u(value + 1, 2 * (value + 1).bit_length() - 1)

    def se(self, value: int) -> "BitWriter":
        return self.ue(2 * value - 1 if value > 0 else -2 * value)

    def close(self) -> bytes:
        """Append the stop bit, fill up to a whole byte and give the bytes."""
        self.u(1, 1)
        spare = -self._size % 8
        self.u(0, spare)
        return self._value.to_bytes(self._size // 8, "big")
