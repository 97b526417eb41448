"""Flash cycles with faults drawn at random, and what must hold after each of them.

One chip after another is flashed again and again. Each time a fault may strike: the cable is
pulled, reads are disturbed, the controller hangs, the power fails, it is another chip, a sector is
protected. What is asked after each cycle, whatever struck:

* a flash that was reported done is in the chip, bit for bit, and its neighbours are untouched;
* whatever the chip no longer holds of what it held before is in a backup;
* the wrong chip and the protected sector were not written;
* an unharmed repetition brings the image onto the board.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from fwgen.errors import FwgenError, WrongChipError
from fwgen.image.types import Image, Segment
from fwgen.rig.backup import all_backups
from fwgen.rig.flash import flash_board
from fwgen.virtual.board import VirtualBoard
from fwgen.virtual.faults import Faults

if TYPE_CHECKING:
    from fwgen.board.types import Board

SIZES = (100, 3000, 0x4000, 0x5000, 0xA000)
MENDS = 2  # cycles out of so many are followed by an unharmed repetition


@dataclass
class Tally:
    """How the cycles went."""

    flashed: int = 0
    refused: int = 0
    wrong_chips: int = 0
    struck: dict[str, int] = field(default_factory=dict)
    said: dict[str, int] = field(default_factory=dict)


class Cycles:
    """Cycles on one board. Asserts what must hold."""

    def __init__(self, board: Board, seed: int) -> None:
        self.board = board
        self.random = Random(seed)
        self.images = [self._image(n) for n in range(6)]
        self.content = b"\xff" * board.chip.flash.size
        self.tally = Tally()

    def _image(self, number: int) -> Image:
        base = self.board.chip.flash.base
        data = bytearray(Random(number).randbytes(SIZES[number % len(SIZES)]))
        data[:8] = (0x2001_8000).to_bytes(4, "little") + (base + 9).to_bytes(4, "little")
        return Image(segments=(Segment(base, bytes(data)),), entry=base + 9, initial_sp=0x2001_8000)

    def run(self, count: int) -> Tally:
        """So many cycles."""
        for number in range(count):
            self.cycle(number)
        return self.tally

    def faults(self) -> tuple[str, Faults]:
        """What strikes this time."""
        draw = self.random
        seed = draw.randrange(1 << 30)
        kinds: dict[str, Faults] = {
            "nothing": Faults(),
            "cable": Faults(drop_after=draw.randrange(20, 400), seed=seed),
            "late cable": Faults(drop_after=draw.randrange(200, 2000), seed=seed),
            "bits": Faults(bit_errors=10 ** draw.uniform(-6, -3), seed=seed),
            "busy": Faults(stuck_busy=draw.choice((0, 1, 3, 30, 300, 3000)), seed=seed),
            "power": Faults(power_fails_after=draw.choice((1, 3, 30, 300, 3000)), seed=seed),
            "wrong chip": Faults(idcode=0x1000_6431),
            "protected": Faults(write_protected=frozenset({draw.randrange(3)})),
        }
        kind = draw.choice(list(kinds))
        return kind, kinds[kind]

    def cycle(self, number: int) -> None:
        """One flash, struck or not, and all that must hold after it."""
        what, (kind, faults) = self.random.choice(self.images), self.faults()
        before = self.content
        where = f"cycle {number}, {kind}: {faults}"
        error = self._flash(what, faults)
        data = what.segments[0].data
        if error is None:
            self.tally.flashed += 1
            assert self.content[: len(data)] == data, where
            assert kind not in ("wrong chip",), where
        else:
            self.tally.refused += 1
            self.tally.struck[kind] = self.tally.struck.get(kind, 0) + 1
            short = error.message.split(",")[0][:60]
            self.tally.said[short] = self.tally.said.get(short, 0) + 1
            assert error.hint, where
        if kind == "wrong chip":
            assert isinstance(error, WrongChipError), where
            assert self.content == before, where
            self.tally.wrong_chips += 1
        for sector in faults.write_protected:
            start, end = self._sectors()[sector]
            assert self.content[start:end] == before[start:end], where
        self._all_kept(before, where)
        if error is not None and number % MENDS == 0:
            assert self._flash(what, Faults()) is None, where
            assert self.content[: len(data)] == data, where

    def _flash(self, what: Image, faults: Faults) -> FwgenError | None:
        with VirtualBoard(self.board, flash=self.content, faults=faults) as made, made.plugged():
            try:
                flash_board(self.board, what, probe=made.uid, clock=made)
            except FwgenError as error:
                return error
            else:
                return None
            finally:
                self.content = made.flash()

    def _sectors(self) -> list[tuple[int, int]]:
        found, at = [], 0
        for size in self.board.chip.flash.sectors:
            found.append((at, at + size))
            at += size
        return found

    def _all_kept(self, before: bytes, where: str) -> None:
        """What was there before and is not now is in a backup."""
        lost = [
            (start, before[start:end])
            for start, end in self._sectors()
            if self.content[start:end] != before[start:end] and before[start:end].strip(b"\xff")
        ]
        if not lost:
            return
        base = self.board.chip.flash.base
        kept = [(address - base, data) for b in all_backups() for address, data in b.read().items()]
        for start, data in lost:
            assert any(
                at <= start and held[start - at : start - at + len(data)] == data
                for at, held in kept
            ), f"{where}: the sector at {start:#x} is lost"
