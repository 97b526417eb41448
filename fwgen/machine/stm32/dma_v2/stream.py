"""One stream: the two pointers, the counter and the FIFO between a peripheral and a memory port.

A stream says what it would do next and what that takes (``next_step``); the controller gives the
ports to one stream at a time and calls the step when it is over. A step moves one item in direct
mode (both accesses), a burst or a load of the FIFO in FIFO mode, and in memory-to-memory mode as
many loads of the FIFO as ``LUMP`` bytes hold while no other stream of the controller is enabled:
the destination is then written at the end of each lump.

Source: RM0368 §9.3.5 to §9.3.15.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fwgen.machine.peripheral import Peripheral, Register
    from fwgen.machine.stm32.dma_v2.controller import Dma

FE, DME, TE, HT, TC = 0x01, 0x04, 0x08, 0x10, 0x20  # the flags, from the stream's lowest bit on
ALL = FE | DME | TE | HT | TC
TO_MEMORY, TO_PERIPHERAL, MEMORY_TO_MEMORY = 0, 1, 2  # CR.DIR
FIFO = 16  # bytes
LUMP = 128  # bytes
MOST = 0xFFFF  # items
_BEATS = (1, 4, 8, 16)


class Step(NamedTuple):
    """What a stream does next: cycles of HCLK, and the call that makes it so.

    ``after`` counts cycles that the ports are still taken afterwards.
    """

    cycles: int
    call: Callable[[int], None]  # t_ps
    after: int = 0


class Stream:
    """The state of a stream. ``enabled`` is EN as hardware sees it: also while it is stopping."""

    def __init__(self, dma: Dma, number: int) -> None:
        self._dma = dma
        self.number = number
        states = dma.states
        self.cr: Register = states[f"S{number}CR"]
        self.ndtr: Register = states[f"S{number}NDTR"]
        self.par: Register = states[f"S{number}PAR"]
        self.m0ar: Register = states[f"S{number}M0AR"]
        self.m1ar: Register = states[f"S{number}M1AR"]
        self.fcr: Register = states[f"S{number}FCR"]
        self.reload = 0  # NDTR as software wrote it last
        self.clear()

    def clear(self) -> None:
        """As after reset."""
        self.enabled = self.stopping = False
        self.unclocked = False  # who asks it had no clock when it was enabled
        self.fifo = bytearray()
        self.direction = self.priority = self.channel = 0
        self._line: Mapping[tuple[Peripheral, str], bool] = {}  # who requests
        self.direct = True
        self.psize = self.msize = self.pbeats = self.mbeats = 1
        self.threshold = 4
        self._p_at = self._m_at = 0
        self._p_step = self._m_step = 0
        self._m_left = 0  # bytes of this round that the memory port has yet to move
        self._total = self._done = 0  # bytes of this round, and those that have arrived
        self._halfway = False

    @property
    def name(self) -> str:
        """As a person knows it."""
        return f"{self._dma.name} stream {self.number}"

    @property
    def circular(self) -> bool:
        """CIRC, as it is while the stream is enabled."""
        return bool(self.cr.CIRC) and self.direction != MEMORY_TO_MEMORY

    @property
    def requested(self) -> bool:
        """Whether the line that CHSEL selects asks for a transfer."""
        return bool(self._line)

    # ------------------------------------------------------------------ enabling

    def configure(self) -> None:
        """Take over the registers as EN is set, and let hardware force what it forces. §9.5.5."""
        cr, fcr = self.cr, self.fcr
        self.direction, self.priority, self.channel = cr.DIR, cr.PL, cr.CHSEL
        dma = self._dma
        self._line = dma.soc.dma.line(dma.name, self.number, self.channel)
        if self.direction == MEMORY_TO_MEMORY:
            fcr.set(DMDIS=1)
            cr.set(PFCTRL=0)
        self.direct = not fcr.DMDIS
        if self.direct:
            cr.set(MSIZE=cr.PSIZE, PBURST=0, MBURST=0, PINCOS=0)
        if cr.PBURST:
            cr.set(PINCOS=0)
        if cr.PFCTRL:
            cr.set(CIRC=0)
        elif cr.DBM:
            cr.set(CIRC=1)
        self.psize, self.msize = 1 << min(cr.PSIZE, 2), 1 << min(cr.MSIZE, 2)
        self.pbeats, self.mbeats = _BEATS[cr.PBURST], _BEATS[cr.MBURST]
        self.threshold = 4 * (fcr.FTH + 1)

    def start(self) -> None:
        """EN is set: pointers and counter begin anew."""
        cr = self.cr
        self.enabled, self.stopping = True, False
        self.fifo.clear()
        # "reloaded automatically with the previously programmed value ... when the stream is
        # enabled again" (§9.5.6); forced to 0xFFFF where the peripheral controls (§9.3.15).
        self.ndtr.value = MOST if cr.PFCTRL else self.reload
        self._p_at = self.par.value
        self._p_step = 0 if not cr.PINC else 4 if cr.PINCOS else self.psize
        self._m_step = self.msize if cr.MINC else 0
        self._begin_round()

    def _begin_round(self) -> None:
        self._m_at = self.target
        self._m_left = self._total = self.ndtr.value * self.psize
        self._done, self._halfway = 0, False

    @property
    def target(self) -> int:
        """The memory that is used now. §9.3.9."""
        return self.m1ar.value if self.cr.DBM and self.cr.CT else self.m0ar.value

    # ------------------------------------------------------------------ many rounds at once

    def moves_bytes_of(self, register: int) -> bool:
        """Whether each round moves one byte between a register and memory, pointing up."""
        return (
            self.enabled
            and not self.stopping
            and self.direct
            and self.direction in (TO_MEMORY, TO_PERIPHERAL)
            and not self.cr.PFCTRL
            and self.psize == self.msize == self._m_step == 1
            and self._p_step == 0
            and self._p_at == register
        )

    @property
    def memory_at(self) -> int:
        """Where in memory the next round goes, or reads ahead."""
        return self._m_at

    @property
    def register_at(self) -> int:
        """The peripheral's register."""
        return self._p_at

    @property
    def ahead(self) -> int:
        """Bytes that are still to be read from memory."""
        return self._m_left

    @property
    def rounds_before_flag(self) -> int:
        """Bytes that can be moved before TCIF rises, or HTIF where it interrupts."""
        tells = self.cr.HTIE and not self._halfway
        return (-(-self._total // 2) if tells else self._total) - self._done - 1

    def moved(self, count: int) -> None:
        """So many rounds of one byte are done."""
        self._m_at += count
        self._done += count
        self.ndtr.value -= count
        if self.direction == TO_PERIPHERAL:
            self._m_left -= count
        if not self._halfway and 2 * self._done >= self._total:
            self._halfway = True
            self._dma.mark(self, HT)

    # ------------------------------------------------------------------ what comes next

    def next_step(self, *, alone: bool) -> Step | None:
        """What it would do with the ports; None while it waits. ``alone``: no other is enabled."""
        if not self.enabled:
            return None
        if self.stopping:
            return self._drain() if self.fifo and self.direction != TO_PERIPHERAL else None
        if self.direction == MEMORY_TO_MEMORY:
            return self._copy(alone=alone)
        if self.direction == TO_PERIPHERAL:
            return self._to_peripheral()
        if self.fifo and (len(self.fifo) >= self.threshold or not self.ndtr.value):
            return self._drain()
        if not self.ndtr.value or not self.requested:
            return None
        if self.direct:
            cycles = self._dma.peripheral.cycles(self._p_at, 1)
            return Step(cycles + self._dma.memory.cycles(self._m_at, 1), self._item_to_memory)
        beats = self._peripheral_beats()
        if len(self.fifo) + beats * self.psize > FIFO:
            return None
        return Step(self._dma.peripheral.cycles(self._p_at, beats), self._fill)

    def _to_peripheral(self) -> Step | None:
        dma = self._dma
        beats = self._peripheral_beats()
        if self.ndtr.value and self.requested and len(self.fifo) >= beats * self.psize:
            preload = dma.memory.cycles(self._m_at, 1) if self.direct and self._m_left else 0
            return Step(dma.peripheral.cycles(self._p_at, beats), self._to_register, preload)
        units = self._wanted()
        if not units:
            return None
        if units % self.mbeats:
            return Step(dma.memory.cycles(self._m_at, 1, units), self._load)
        return Step(dma.memory.cycles(self._m_at, self.mbeats, units // self.mbeats), self._load)

    def _wanted(self) -> int:
        """Units of MSIZE that are to be loaded from memory now. §9.3.12, §9.3.6."""
        if self.direct:
            return int(not self.fifo and self._m_left > 0)
        if len(self.fifo) > self.threshold:
            return 0
        left = self._m_left // self.msize
        units = min((FIFO - len(self.fifo)) // self.msize, left)
        return units - units % self.mbeats if left >= self.mbeats else units

    def _peripheral_beats(self) -> int:
        return min(self.pbeats, self.ndtr.value)

    def _drain(self) -> Step:
        units = max(1, len(self.fifo) // self.msize)
        bursts, single = divmod(units, self.mbeats)
        memory = self._dma.memory
        cycles = memory.cycles(self._m_at, self.mbeats, bursts) if bursts else 0
        if single:
            cycles += memory.cycles(self._m_at, 1, single)
        return Step(cycles, self._empty)

    # ------------------------------------------------------------------ steps: to memory

    def _item_to_memory(self, t_ps: int) -> None:
        """Direct mode: one item from the peripheral's register into memory."""
        if self._read_items(1, t_ps) and self._store(t_ps):
            self._arrived(self.psize, t_ps)

    def _fill(self, t_ps: int) -> None:
        """A burst from the peripheral's register into the FIFO."""
        self._read_items(self._peripheral_beats(), t_ps)

    def _read_items(self, beats: int, t_ps: int) -> bool:
        dma = self._dma
        last, served = self._is_last(), self._served()
        for _ in range(beats):
            value = dma.peripheral.read(self._p_at, self.psize, t_ps)
            if value is None:
                self._bus_error(dma.peripheral, self._p_at, "read", t_ps)
                return False
            self.fifo += value.to_bytes(self.psize, "little")
            self._p_at = self._p_at + self._p_step & 0xFFFF_FFFF
            self.ndtr.value -= 1
        self._acknowledge(served, t_ps)
        if last:
            self._end_here()
        return True

    def _empty(self, t_ps: int) -> None:
        """What the FIFO holds goes into memory."""
        count = len(self.fifo)
        if self._store(t_ps):
            self._arrived(count, t_ps)

    def _store(self, t_ps: int) -> bool:
        """All of the FIFO, in units of MSIZE; the rest of a unit that is not full is undefined."""
        port, size = self._dma.memory, self.msize
        self.fifo += bytes(-len(self.fifo) % size)
        whole = bytes(self.fifo)
        plain = self._m_step and len(whole) > size and self._m_at % size == 0
        if plain and port.write_block(self._m_at, whole):
            self._m_at += len(whole)
            self.fifo.clear()
            return True
        for at in range(0, len(whole), size):
            value = int.from_bytes(whole[at : at + size], "little")
            if not port.write(self._m_at, size, value, t_ps):
                self._bus_error(port, self._m_at, "write", t_ps)
                return False
            self._m_at = self._m_at + self._m_step & 0xFFFF_FFFF
        self.fifo.clear()
        return True

    # ------------------------------------------------------------------ steps: to the peripheral

    def _load(self, t_ps: int) -> None:
        """From memory into the FIFO, as much as is wanted."""
        port = self._dma.memory
        for _ in range(self._wanted()):
            value = port.read(self._m_at, self.msize, t_ps)
            if value is None:
                self._bus_error(port, self._m_at, "read", t_ps)
                return
            self.fifo += value.to_bytes(self.msize, "little")
            self._m_at = self._m_at + self._m_step & 0xFFFF_FFFF
            self._m_left -= self.msize
        self._tell_level()

    def _to_register(self, t_ps: int) -> None:
        """A burst out of the FIFO into the peripheral's register; in direct mode load the next."""
        dma, size = self._dma, self.psize
        last, served = self._is_last(), self._served()
        beats = self._peripheral_beats()
        for _ in range(beats):
            value = int.from_bytes(self.fifo[:size], "little")
            if not dma.peripheral.write(self._p_at, size, value, t_ps):
                self._bus_error(dma.peripheral, self._p_at, "write", t_ps)
                return
            del self.fifo[:size]
            self._p_at = self._p_at + self._p_step & 0xFFFF_FFFF
            self.ndtr.value -= 1
        self._acknowledge(served, t_ps)
        if last:
            self._total = self._done + beats * size
        self._arrived(beats * size, t_ps)
        if self.direct and self.enabled:
            self._load(t_ps)

    # ------------------------------------------------------------------ steps: memory to memory

    def _lump(self, *, alone: bool) -> int:
        """Bytes of the next step: whole loads of the FIFO, not beyond half of the transfer."""
        left = self.ndtr.value * self.psize
        half = 0 if self._halfway else -(-self._total // 2) - self._done
        most = LUMP - LUMP % self.threshold if alone else self.threshold
        size = min(most, left, half or left)
        unit = max(self.psize, self.msize)
        return min(left, max(unit, -(-size // unit) * unit))

    def _copy(self, *, alone: bool) -> Step | None:
        size = self._lump(alone=alone)
        if not size:
            return None
        dma = self._dma
        cycles = 0
        for load, times in ((self.threshold, size // self.threshold), (size % self.threshold, 1)):
            if load and times:
                reads, writes = -(-load // self.psize), -(-load // self.msize)
                cost = _cost(dma.peripheral.cycles, self._p_at, reads, self.pbeats)
                cost += _cost(dma.memory.cycles, self._m_at, writes, self.mbeats)
                cycles += times * cost
        return Step(cycles, lambda t_ps: self._copied(size, t_ps))

    def _copied(self, size: int, t_ps: int) -> None:
        port, psize = self._dma.peripheral, self.psize
        items = size // psize
        block = None
        if self._p_step == psize and self._p_at % psize == 0:
            block = port.read_block(self._p_at, items * psize)
        if block is not None:
            self.fifo += block
            self._p_at += len(block)
        else:
            for _ in range(items):
                value = port.read(self._p_at, psize, t_ps)
                if value is None:
                    self._bus_error(port, self._p_at, "read", t_ps)
                    return
                self.fifo += value.to_bytes(psize, "little")
                self._p_at = self._p_at + self._p_step & 0xFFFF_FFFF
        self.ndtr.value -= items
        if self._store(t_ps):
            self._arrived(size, t_ps)

    # ------------------------------------------------------------------ ends

    def _is_last(self) -> bool:
        dma = self._dma
        return bool(self.cr.PFCTRL) and dma.soc.dma.is_last(dma.name, self.number, self.channel)

    def _end_here(self) -> None:
        """The peripheral said that this was the last: what is in the FIFO is all there will be."""
        self._total = self._done + len(self.fifo)
        self.threshold = 1

    def _served(self) -> tuple[tuple[Peripheral, str], ...]:
        dma = self._dma
        return dma.soc.dma.requesting(dma.name, self.number, self.channel)

    def _acknowledge(self, served: tuple[tuple[Peripheral, str], ...], t_ps: int) -> None:
        for peripheral, request in served:
            peripheral.on_dma(t_ps, request, self.ndtr.value)
        self._tell_level()

    def _arrived(self, size: int, t_ps: int) -> None:
        """Data reached the destination: half of it, or all. §9.3.17."""
        self._done += size
        self._tell_level()
        flags = 0
        if not self._halfway and 2 * self._done >= self._total:
            self._halfway = True
            flags = HT
        if self._done >= self._total:
            flags |= TC
            if self.circular:
                self.ndtr.value = self.reload
                if self.cr.DBM:
                    self.cr.set(CT=self.cr.CT ^ 1)
                self._p_at = self.par.value
                self._begin_round()
            else:
                self.disable()
        if flags:
            self._dma.flag(self, flags, t_ps)

    def disable(self) -> None:
        """EN is cleared, by hardware or at the end of a stop."""
        self.enabled = self.stopping = False
        self.fifo.clear()
        self._tell_level()
        self.cr.set(EN=0)

    def _bus_error(self, port: object, address: int, access: str, t_ps: int) -> None:
        """The stream that meets one is disabled by hardware (§9.3.18)."""
        self.disable()
        self._dma.tell_bus_error(self, port, address, access)
        self._dma.flag(self, TE, t_ps)

    def _tell_level(self) -> None:
        """FCR.FS."""
        if not self.direct:
            level = len(self.fifo)
            self.fcr.set(FS=4 if not level else 5 if level >= FIFO else level // 4)

    @property
    def starved(self) -> bool:
        """A request comes, and the FIFO has nothing for it, or no room. §9.3.18."""
        if not self.enabled or self.stopping or not self.ndtr.value:
            return False
        need = self._peripheral_beats() * self.psize
        if self.direction == TO_PERIPHERAL:
            return len(self.fifo) < need
        return self.direction == TO_MEMORY and not self.direct and len(self.fifo) + need > FIFO


def _cost(cycles: Callable[[int, int, int], int], address: int, units: int, beats: int) -> int:
    bursts, single = divmod(units, beats)
    total = cycles(address, beats, bursts) if bursts else 0
    return total + (cycles(address, 1, single) if single else 0)
