"""Serial EEPROM of the 24Cxx family on an I2C bus. Microchip 24AA/24LC data sheets.

Byte and page write with a write cycle in which nothing is acknowledged, random, current-address and
sequential read. Where a memory has more bytes than its address bytes count, the low bits of the
device address go on with them (24C04 to 24C16), and it answers at several addresses.
Not modelled: write protection (WP is taken as low).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.parts.bus_part import BusPart

if TYPE_CHECKING:
    from fwgen.board.types import Module
    from fwgen.machine.soc import Soc


class Eeprom24c(BusPart):
    """One chip."""

    SOURCE = "24AA/24LC data sheets"

    def __init__(self, soc: Soc, spec: Module) -> None:
        super().__init__(soc, spec)
        facts, content = self.facts, bytes.fromhex(self.word("content"))
        self.memory = bytearray(b"\xff" * facts["bytes"])
        self.memory[: len(content)] = content
        self._block_bits = max(0, (facts["bytes"] - 1).bit_length() - 8 * facts["address_bytes"])

    def power_on(self, t_ps: int) -> None:
        """The supply came; the address counter holds whatever."""
        self.busy_until = t_ps
        self._pointer = 0
        self._block = 0
        self._taken: list[int] | None = None  # address bytes so far; None: not selected to write
        self._page: dict[int, int] = {}
        self._count = 0
        self._selected = False

    def started(self, t_ps: int) -> None:
        """A START: a page that was not ended by a STOP is not written."""
        self._page, self._count, self._taken, self._selected = {}, 0, None, False

    def addressed(self, t_ps: int, byte: int) -> bool:
        """Its own address, while no write cycle is under way."""
        mask = (1 << self._block_bits) - 1
        if (byte >> 1) & ~mask != self.address & ~mask or t_ps < self.busy_until:
            return False
        self._selected = True
        self._block = (byte >> 1) & mask
        if not byte & 1:
            self._taken = []
        elif self._block_bits:
            low = (1 << 8 * self.facts["address_bytes"]) - 1
            self._pointer = self._pointer & low | self._block << 8 * self.facts["address_bytes"]
        return True

    def written(self, t_ps: int, byte: int) -> bool:
        """An address byte, then data into the page."""
        if not self._selected or self._taken is None:
            return False
        width = self.facts["address_bytes"]
        if len(self._taken) < width:
            self._taken.append(byte)
            if len(self._taken) == width:
                at = self._block
                for one in self._taken:
                    at = at << 8 | one
                self._pointer = at % len(self.memory)
            return True
        page = self.facts["page"]
        self._page[self._pointer] = byte
        self._count += 1
        # "The internal address counter rolls over to the first byte of the page."
        self._pointer = self._pointer & ~(page - 1) | (self._pointer + 1) & (page - 1)
        if self._count == page + 1:
            self.hazard(
                t_ps, "part-page-wrap",
                f"more than the {page} bytes of a page are written at once: the first ones are"
                " overwritten",
                "write operations",
                f"split what you write at multiples of {page}, and poll between",
            )  # fmt: skip
        return True

    def read(self, t_ps: int) -> int:
        """The byte that the address counter is at, which then counts on."""
        value = self.memory[self._pointer]
        self._pointer = (self._pointer + 1) % len(self.memory)
        return value

    def answered(self, t_ps: int, *, acked: bool) -> None:
        """The master wants more, or not."""

    def stopped(self, t_ps: int) -> None:
        """A STOP after data begins the write cycle."""
        if self._page:
            first, page = min(self._page), self.facts["page"]
            if self._count <= page and self._wrapped():
                self.hazard(
                    t_ps, "part-page-wrap",
                    f"{self._count} bytes go past the end of a page of {page}, and come round to"
                    f" its beginning at {first:#x}",
                    "write operations", f"split what you write at multiples of {page}",
                )  # fmt: skip
            for at, byte in self._page.items():
                self.memory[at] = byte
            self.busy_until = t_ps + self.facts["write_cycle"]
        self._page, self._taken, self._selected = {}, None, False

    def _wrapped(self) -> bool:
        """Whether the bytes of a page were not written in ascending order."""
        order = list(self._page)
        return order != sorted(order)


MODEL = Eeprom24c
