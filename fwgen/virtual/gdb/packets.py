"""Packets of gdb's remote protocol: framing, checksums, escapes.

Source: "Debugging with GDB", E.1 (overview).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

INTERRUPT = b"\x03"
LONGEST = 0x4000  # bytes of a packet, either way
_ESCAPE, _XOR = 0x7D, 0x20
_SPECIAL = frozenset(b"#$}*")


def framed(payload: bytes) -> bytes:
    """A packet as it goes over the wire."""
    return b"$%b#%02x" % (payload, sum(payload) & 0xFF)


def escaped(data: bytes) -> bytes:
    """Binary data as it may stand in a packet."""
    made = bytearray()
    for byte in data:
        made += bytes((_ESCAPE, byte ^ _XOR)) if byte in _SPECIAL else bytes((byte,))
    return bytes(made)


def unescaped(data: bytes) -> bytes:
    """The binary data that stands in a packet."""
    made, at = bytearray(), 0
    while at < len(data):
        if data[at] == _ESCAPE and at + 1 < len(data):
            at += 1
            made.append(data[at] ^ _XOR)
        else:
            made.append(data[at])
        at += 1
    return bytes(made)


class Reader:
    """Takes what arrives and gives packets, ``INTERRUPT``, or None for one that is garbled."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes | None]:
        """What is complete now. Acknowledgements and noise between packets are dropped."""
        self._held += data
        while self._held:
            first = self._held[0]
            if first == INTERRUPT[0]:
                del self._held[0]
                yield INTERRUPT
            elif first != ord("$"):
                del self._held[0]
            else:
                end = self._held.find(b"#")
                if end < 0 or len(self._held) < end + 3:
                    if len(self._held) > 2 * LONGEST:  # no packet: nobody may fill our memory
                        self._held.clear()
                        yield None
                    return
                payload, told = bytes(self._held[1:end]), bytes(self._held[end + 1 : end + 3])
                del self._held[: end + 3]
                yield payload if told.lower() == b"%02x" % (sum(payload) & 0xFF) else None
