"""The two open-drain lines of an I2C port, and whether it has them for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.buses.i2c import I2cPort, ports_on

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.machine.buses.i2c import Ear
    from fwgen.machine.pads import Pad
    from fwgen.machine.soc import Soc


class BusLines:
    """SCL and SDA: what the port does to them, and what it sees.

    A line that is on no pad reads high; one that floats reads low: nothing pulls it up.
    """

    def __init__(self, soc: Soc, name: str) -> None:
        self.soc = soc
        fabric = soc.fabric
        self.scl_out, self.sda_out = fabric.output(f"{name}_SCL"), fabric.output(f"{name}_SDA")
        self.scl_in, self.sda_in = fabric.input(f"{name}_SCL"), fabric.input(f"{name}_SDA")
        self._unlisten: list[Callable[[], None]] = []
        self.ports: list[I2cPort] = []  # parts that are told bytes, while the bus is ours alone
        self._ear: Ear | None = None
        self.watcher: Callable[[int, int], None] | None = None  # hears SCL after the ear

    def scl(self, t_ps: int) -> int:
        """The level of SCL."""
        return 1 if self.scl_in.pad is None else self.scl_in.level(t_ps) or 0

    def sda(self, t_ps: int) -> int:
        """The level of SDA."""
        return 1 if self.sda_in.pad is None else self.sda_in.level(t_ps) or 0

    def pull_sda(self, t_ps: int, *, low: bool) -> None:
        """Hold SDA low, or let go of it."""
        self.sda_out.drive(t_ps, 0 if low else 1)

    def pull_scl(self, t_ps: int, *, low: bool) -> None:
        """Hold SCL low, or let go of it."""
        self.scl_out.drive(t_ps, 0 if low else 1)

    def release(self, t_ps: int) -> None:
        """Let go of both."""
        self.scl_out.drive(t_ps, 1)
        self.sda_out.drive(t_ps, 1)

    # ------------------------------------------------------------------ listening

    def listen(self, ear: Ear | None) -> None:
        """Hear edges for an ear, or (None) no more."""
        for unlisten in self._unlisten:
            unlisten()
        self._unlisten, self._ear = [], ear
        if ear is not None:

            def scl_moved(t_ps: int, level: int | None) -> None:
                ear.scl_moved(t_ps, level or 0)
                if self.watcher is not None:
                    self.watcher(t_ps, level or 0)

            self._unlisten = [
                self.scl_in.listen(scl_moved),
                self.sda_in.listen(lambda t, level: ear.sda_moved(t, level or 0)),
            ]

    def take_alone(self) -> bool:
        """Whether all that is on the bus can be told whole bytes; then nobody hears edges."""
        scl, sda = self.scl_in.pad, self.sda_in.pad
        if scl is None or sda is None:
            return False
        ear = self._ear
        ports = ports_on(scl, sda)
        if len(ports) == len(scl.clients) == len(sda.clients) and all(p.idle for p in ports):
            self.listen(None)
            for port in ports:
                port.attend(edges=False)
            if _at_rest(scl) and _at_rest(sda):
                self.ports, self._ear = ports, ear
                return True
        for port in ports:
            port.attend(edges=True)
        if not self._unlisten:
            self.listen(ear)
        return False

    def give_back(self) -> None:
        """The bus is free again: everybody hears edges."""
        ear, self._ear = self._ear, None
        for port in self.ports:
            port.attend(edges=True)
        self.ports = []
        if not self._unlisten:
            self.listen(ear)


def _at_rest(pad: Pad) -> bool:
    return pad.quiet and pad.pulled == 1 and pad.level == 1
