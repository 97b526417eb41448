"""The debug connector's two wires before anybody speaks SWD on them: which protocol is on.

After power-on an SWJ-DP listens for JTAG. A host switches it with patterns on SWDIO, and one that
forgets to gets no answer. Source: ADIv5.2 (Arm IHI 0031) B5.2 (JTAG and SWD), B5.3 (dormant).
"""

from __future__ import annotations

from enum import Enum

LINE_RESET_CLOCKS = 50  # "at least"
_KEEP = 192  # clocks of SWDIO that are remembered: more than the longest pattern


class Protocol(Enum):
    """What the port understands at present."""

    JTAG = "JTAG"
    SWD = "SWD"
    DORMANT = "dormant"


def _bits(value: int, count: int) -> str:
    """In the order on the wire, least significant bit first."""
    return f"{value:0{count}b}"[::-1]


_RESET = "1" * LINE_RESET_CLOCKS
_JTAG_TO_SWD = _bits(0xE79E, 16)
_SWD_TO_JTAG = _bits(0xE73C, 16)
_SWD_TO_DORMANT = _bits(0xE3BC, 16)
_JTAG_TO_DORMANT = "1" * 5 + _bits(0x33BBBBBA, 31)
_ALERT = _bits(0x19BC0EA2E3DDAFE986852D956209F392, 128)
_TO_SWD = _ALERT + "0000" + _bits(0x1A, 8)
_TO_JTAG = _ALERT + "0000" + _bits(0x0A, 8)

_SWITCHES: dict[Protocol, tuple[tuple[str, Protocol], ...]] = {
    Protocol.JTAG: (
        (_RESET + _JTAG_TO_SWD, Protocol.SWD),
        (_JTAG_TO_DORMANT, Protocol.DORMANT),
    ),
    Protocol.SWD: (
        (_RESET + _SWD_TO_JTAG, Protocol.JTAG),
        (_RESET + _SWD_TO_DORMANT, Protocol.DORMANT),
    ),
    Protocol.DORMANT: ((_TO_SWD, Protocol.SWD), (_TO_JTAG, Protocol.JTAG)),
}


class SwjPort:
    """Follows SWDIO clock by clock."""

    def __init__(self) -> None:
        self.protocol = Protocol.JTAG
        self._seen = ""

    def clock(self, value: int, count: int) -> None:
        """Clock ``count`` bits of ``value`` in, the lowest first."""
        for bit in _bits(value & (1 << count) - 1, count):
            self._seen = (self._seen + bit)[-_KEEP:]
            for pattern, protocol in _SWITCHES[self.protocol]:
                if self._seen.endswith(pattern):
                    self.protocol = protocol
                    self._seen = ""
                    break
