"""A part on I2C that is a row of registers: a first byte sets the pointer, which then counts on."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from fwgen.machine.parts.bus_part import BusPart
from fwgen.units import show_duration

if TYPE_CHECKING:
    from fwgen.board.types import Module
    from fwgen.machine.soc import Soc


class RegisterPart(BusPart):
    """What each register does is the part's own; it may ignore all until ``awake_ps``.

    ``IN_PAIRS``: what is written is pairs of a register and its byte, and only reading counts on.
    """

    IN_PAIRS: ClassVar[bool] = False

    def __init__(self, soc: Soc, spec: Module) -> None:
        super().__init__(soc, spec)
        self.pointer = 0
        self.awake_ps = 0
        self._parts: dict[int, tuple[int, int]] = {}  # of each value: byte last read, of which
        self._pointed: bool | None = None  # whether the pointer came; None: not written to

    # ------------------------------------------------------------------ for the models

    def read_register(self, t_ps: int, register: int) -> int:
        """The byte of a register, as it is read."""
        raise NotImplementedError

    def write_register(self, t_ps: int, register: int, value: int) -> None:
        """A byte is written to a register."""
        raise NotImplementedError

    def next_register(self, register: int) -> int:
        """The register after one, in a transfer."""
        return register + 1 & 0xFF

    def transfer_begins(self, t_ps: int, *, reads: bool) -> None:
        """A transfer to or from it begins."""

    def too_soon(self, t_ps: int, section: str) -> bool:
        """Whether it is not up yet; then that is told."""
        if t_ps >= self.awake_ps:
            return False
        self.hazard(
            t_ps, "part-too-soon",
            f"spoken to {show_duration(self.awake_ps - t_ps)} before it is up", section,
            "wait as long after power-on, and after its reset",
        )  # fmt: skip
        return True

    def reserved(self, register: int, access: str) -> None:
        """A register was touched of which the data sheet says nothing."""
        self.soc.gap(
            self.name, f"register {register:02X}h", access, 0,
            "its data sheet does not say what it does",
        )  # fmt: skip

    def part_read(
        self, t_ps: int, first: int, register: int, measurement: int, section: str
    ) -> None:
        """A byte was read of a value whose registers begin at ``first``: is it of one piece.

        ``measurement`` counts them. A value's high byte comes first.
        """
        last, count = self._parts.get(first, (-1, 0))
        if register == last + 1 and count != measurement:
            self.hazard(
                t_ps, "part-torn", f"register {last:02X}h is of one measurement and "
                f"{register:02X}h of a later one", section,
                "read all bytes of a value in one transfer",
            )  # fmt: skip
        self._parts[first] = (register, measurement)

    # ------------------------------------------------------------------ the bus

    def started(self, t_ps: int) -> None:
        """A new transfer."""
        self._pointed = None

    def stopped(self, t_ps: int) -> None:
        """The end of one."""
        self._pointed = None

    def addressed(self, t_ps: int, byte: int) -> bool:
        """Its own address."""
        if byte >> 1 != self.address:
            return False
        self._pointed = None if byte & 1 else False
        self.transfer_begins(t_ps, reads=bool(byte & 1))
        return True

    def written(self, t_ps: int, byte: int) -> bool:
        """The pointer, then registers in a row."""
        if self._pointed is None:
            return False
        if not self._pointed:
            self.pointer, self._pointed = byte, True
        else:
            register, self.pointer = self.pointer, self.next_register(self.pointer)
            self._pointed = not self.IN_PAIRS
            self.write_register(t_ps, register, byte)
        return True

    def read(self, t_ps: int) -> int:
        """The register that the pointer is at, which then counts on."""
        register, self.pointer = self.pointer, self.next_register(self.pointer)
        return self.read_register(t_ps, register)
