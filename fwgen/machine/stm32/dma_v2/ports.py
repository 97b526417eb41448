"""The two AHB ports of a controller: what each reaches, and what an access there takes.

Cycles are of HCLK. An access takes one to win the port, one for its address, one to win the bus
matrix (none where the port has a wire of its own to the APB bridge), and then for each beat one in
RAM and on AHB, one and the wait states in flash, two of PCLK on APB, which also costs one to
synchronise. Typical values: AN4031 §2.2, and of one source. The core's accesses to the same memory
are taken not to be in the way.

Source: RM0368 §2.1 (bus matrix), §9.3.1; AN4031 §2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwgen.errors import BoardError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from fractions import Fraction

    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.memory import Region
    from fwgen.machine.soc import Soc
    from fwgen.machine.time import ClockDomain

_OWN, _MATRIX, _SYNCHRONISE = 2, 1, 1
_APB_BEAT = 2  # of PCLK


@dataclass(frozen=True, slots=True)
class Place:
    """What is at an address: a peripheral or a memory; neither where nothing answers."""

    spec: PeripheralSpec | None
    region: Region | None

    @property
    def name(self) -> str:
        """As a person knows it."""
        if self.spec is not None:
            return f"{self.spec.name} on {self.spec.bus}"
        return "nothing" if self.region is None else self.region.name


class Port:
    """One AHB master port. ``reaches`` names buses and memories, ``direct`` the bus it is wired to.

    Reads and writes are of 1, 2 or 4 bytes; the low bits of an address that does not fit are not
    looked at.
    """

    def __init__(
        self, soc: Soc, clock: ClockDomain, reaches: Iterable[str], direct: str | None
    ) -> None:
        self._soc, self._clock = soc, clock
        self.reaches, self._direct = frozenset(reaches), direct
        self._ratios: dict[str, tuple[Fraction, Fraction, int]] = {}
        self._places: dict[int, Place] = {}  # by address >> 4

    def place(self, address: int) -> Place:
        """What is at an address, reached or not."""
        key = address >> 4
        known = self._places.get(key)
        if known is not None:
            return known
        spec, memory = self._soc.chip.peripheral_at(address), self._soc.memory
        found = None if spec is not None or memory is None else memory.find(address)
        place = Place(spec, found)
        # What is there stays there, and 16 bytes from a multiple of 16 on are of one place.
        if spec is not None or (found is not None and not (found.base | found.size) & 15):
            self._places[key] = place
        return place

    def allows(self, place: Place) -> bool:
        """Whether the port has a way there."""
        if place.spec is not None:
            return place.spec.bus in self.reaches
        return place.region is not None and place.region.name in self.reaches

    def read(self, address: int, size: int, t_ps: int) -> int | None:
        """A read; None for a bus error."""
        address &= -size
        place = self.place(address)
        if not self.allows(place):
            return None
        if place.spec is not None:
            return self._soc.master_read(place.spec, address - place.spec.base, size, t_ps)
        assert self._soc.memory is not None
        data = self._soc.memory.read(address, size)
        return None if data is None else int.from_bytes(data, "little")

    def write(self, address: int, size: int, value: int, t_ps: int) -> bool:
        """A write; False for a bus error.

        "When a 16- or an 8-bit access is performed on an APB register, the access is transformed
        into a 32-bit access: the bridge duplicates the 16- or 8-bit data" (RM0368 §2.1).
        """
        address &= -size
        place = self.place(address)
        if not self.allows(place):
            return False
        spec = place.spec
        if spec is not None:
            if spec.bus.startswith("APB") and size < 4:
                address, value, size = self._widen(spec, address, size, value)
            self._soc.master_write(spec, address - spec.base, size, value, t_ps)
            return True
        return self.write_block(address, value.to_bytes(size, "little"))

    def _widen(
        self, spec: PeripheralSpec, address: int, size: int, value: int
    ) -> tuple[int, int, int]:
        """A narrow write as the bridge makes it, without the doubles in reserved bits."""
        whole = address & -4
        wide = value * (0x0101_0101 if size == 1 else 0x0001_0001)
        model = self._soc.peripherals.get(spec.name)
        if model is not None:
            lanes = ((1 << 8 * size) - 1) << 8 * (address & 3)
            wide &= lanes | model.defined(whole - spec.base)
        return whole, wide, 4

    def read_block(self, address: int, size: int) -> bytes | None:
        """Bytes of one memory at once; None where it is not all plain memory that is reached."""
        place = self.place(address)
        if place.spec is not None or self._soc.memory is None or not self.allows(place):
            return None
        return self._soc.memory.read(address, size)

    def write_block(self, address: int, data: bytes) -> bool:
        """Bytes into RAM at once; False where it is not all RAM that is reached."""
        place = self.place(address)
        memory, region = self._soc.memory, place.region
        if memory is None or region is None or region.kind != "ram" or not self.allows(place):
            return False
        return memory.program(address, data)  # code that was translated there is forgotten

    def cycles(self, address: int, beats: int, bursts: int = 1) -> int:
        """What ``bursts`` accesses of ``beats`` beats each take."""
        place = self.place(address)
        spec = place.spec
        if spec is not None and spec.bus.startswith("APB"):
            matrix = 0 if spec.bus == self._direct else _MATRIX
            beat = _APB_BEAT * self._ratio(spec.bus)
            return bursts * (_OWN + matrix + _SYNCHRONISE + beats * beat)
        beat = 1
        if place.region is not None and place.region.kind != "ram":
            beat += getattr(self._soc.peripherals.get("FLASH"), "latency", 0)
        return bursts * (_OWN + _MATRIX + beats * beat)

    def _ratio(self, bus: str) -> int:
        own, other = self._clock.hz, self._soc.clock(bus).hz
        known = self._ratios.get(bus)
        if known is None or known[0] is not own or known[1] is not other:
            known = self._ratios[bus] = (own, other, int(own / other) if own and other else 1)
        return known[2]


def reaches(options: dict[str, object], key: str, where: str) -> tuple[str, ...]:
    """The buses and memories that a chip file says a port reaches. Raises BoardError."""
    names = options.get(key)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BoardError(
            f"a DMA controller needs {key}: the buses and memories that the port reaches",
            where=where,
            hint=f'for example {key} = ["APB1", "sram"]',
        )
    return tuple(names)
