"""The two lines of an I2C bus as a target sees them. I2C-bus specification (UM10204) §3.1.

``Ear`` makes bytes out of edges: of a part on the board, or of a port of the chip as a slave.
``I2cPort`` is a part's: it may also be told whole bytes by a master that has the bus alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.board.types import Module
    from fwgen.machine.pads import Pad
    from fwgen.machine.soc import Soc


class Target(Protocol):
    """Who may be addressed on a bus."""

    def started(self, t_ps: int) -> None:
        """A START, or a repeated one."""

    def addressed(self, t_ps: int, byte: int) -> bool:
        """The first byte after a START, R/W bit included. True: it is acknowledged."""

    def written(self, t_ps: int, byte: int) -> bool:
        """A further byte from the master. True: it is acknowledged."""

    def read(self, t_ps: int) -> int:
        """The next byte to the master."""

    def answered(self, t_ps: int, *, acked: bool) -> None:
        """Whether the master acknowledged the byte that it read."""

    def stopped(self, t_ps: int) -> None:
        """A STOP."""


class Stretching(Protocol):
    """A target that also holds SCL low until it is ready, as its data sheet says. UM10204 §3.1.9.

    ``I2cPort`` asks every device that has this method; the others never stretch.
    """

    def holds_scl(self, t_ps: int) -> int:
        """Until when it holds SCL low before the next byte; ``t_ps`` or less: not at all.

        Asked as the acknowledge of each byte ends in which it took part, SCL being low.
        """


class Wires(Protocol):
    """How an Ear sees and moves the lines."""

    def scl(self, t_ps: int) -> int:
        """The level of SCL."""

    def sda(self, t_ps: int) -> int:
        """The level of SDA."""

    def pull_sda(self, t_ps: int, *, low: bool) -> None:
        """Hold SDA low, or let go of it."""


IDLE, LISTENING, ACKING, SENDING, AWAITING, DEAF = range(6)


class Ear:
    """Decodes a bus edge by edge for a target, and answers for it."""

    def __init__(
        self, wires: Wires, target: Target, paused: Callable[[int], None] | None = None,
        *, asked: Callable[[int], None] | None = None,
        outbid: Callable[[int], bool] | None = None,
    ) -> None:  # fmt: skip
        """``paused`` is called as the target's acknowledge is over and SCL low.

        ``asked``: likewise, and after an acknowledge of the master, too. Both may set ``waits``.
        ``outbid``: somebody made a 0 of the 1 being sent; True: the target gives up.
        """
        self._wires, self._target, self._paused = wires, target, paused
        self._asked, self._outbid = asked, outbid
        self.clear()

    def clear(self) -> None:
        """Nothing was heard yet."""
        self.state = IDLE
        self._bits = 0
        self._byte = 0
        self._first = False  # the byte is the one after a START
        self._reads = False  # the master reads from this target
        self._acked = False
        self.waits = False  # the target holds SCL low before the next byte (``go_on``)
        self.misplaced = False  # the last START or STOP came within a byte

    def sda_moved(self, t_ps: int, level: int) -> None:
        """SDA changed: a START or a STOP if SCL is high."""
        if not self._wires.scl(t_ps):
            return
        # SCL rose once for the START or STOP itself.
        self.misplaced = self.state in (LISTENING, SENDING) and self._bits > 1
        if level:
            self.state = IDLE
            self._target.stopped(t_ps)
        else:
            self.state, self._bits, self._byte, self._first = LISTENING, 0, 0, True
            self._target.started(t_ps)

    def scl_moved(self, t_ps: int, level: int) -> None:
        """SCL changed."""
        if level:
            self._rose(t_ps)
        else:
            self._fell(t_ps)

    def _rose(self, t_ps: int) -> None:
        if self.state == LISTENING and self._bits < 8:
            self._byte = self._byte << 1 | self._wires.sda(t_ps)
            self._bits += 1
        elif self.state == AWAITING:
            self._acked = not self._wires.sda(t_ps)
        elif self.state == SENDING and self._outbid is not None:
            lost = self._byte >> 7 - self._bits & 1 and not self._wires.sda(t_ps)
            if lost and self._outbid(t_ps):
                self.state = DEAF

    def _fell(self, t_ps: int) -> None:
        if self.state == LISTENING and self._bits == 8:
            self._judge(t_ps)
        elif self.state == ACKING:
            self._wires.pull_sda(t_ps, low=False)
            self._bits = self._byte = 0
            self.state = LISTENING
            if self._paused is not None:
                self._paused(t_ps)
            if self._asked is not None:
                self._asked(t_ps)
            if not self.waits:
                self.go_on(t_ps)
        elif self.state == SENDING:
            self._bits += 1
            if self._bits == 8:
                self._wires.pull_sda(t_ps, low=False)
                self.state = AWAITING
            else:
                self._put(t_ps)
        elif self.state == AWAITING:
            self._target.answered(t_ps, acked=self._acked)
            self.state = DEAF
            if self._acked and self._asked is not None:
                self._asked(t_ps)
            if self._acked and not self.waits:
                self.go_on(t_ps)

    def _judge(self, t_ps: int) -> None:
        byte, target = self._byte, self._target
        if self._first:
            acked = target.addressed(t_ps, byte)
            self._reads = bool(byte & 1)
            self._first = False
        else:
            acked = target.written(t_ps, byte)
        if acked:
            self.state = ACKING
            self._wires.pull_sda(t_ps, low=True)
        else:
            self.state = DEAF

    def go_on(self, t_ps: int) -> None:
        """The next byte, SCL being low: take it, or send it if the master reads."""
        self.waits = False
        if not self._reads:
            self.state, self._bits, self._byte = LISTENING, 0, 0
            return
        self._byte, self._bits, self.state = self._target.read(t_ps) & 0xFF, 0, SENDING
        self._put(t_ps)

    def _put(self, t_ps: int) -> None:
        self._wires.pull_sda(t_ps, low=not self._byte >> 7 - self._bits & 1)


class I2cPort:
    """A part's two pins."""

    def __init__(self, soc: Soc, spec: Module, device: Target) -> None:
        self.name, self.device = spec.name, device
        self.scl_pad: Pad = soc.fabric.pads[spec.pins["scl"]]
        self.sda_pad: Pad = soc.fabric.pads[spec.pins["sda"]]
        self._soc = soc
        self._holds: Callable[[int], int] | None = getattr(device, "holds_scl", None)
        self._ear = Ear(self, device, asked=None if self._holds is None else self._stretch)
        self._edges = False
        self._unlisten: list[Callable[[], None]] = []
        self.scl_pad.clients.append(self)
        self.sda_pad.clients.append(self)
        self.attend(edges=True)

    def attend(self, *, edges: bool) -> None:
        """Listen to edges, or be told bytes by whoever has the bus."""
        if edges == self._edges:
            return
        self._edges = edges
        for unlisten in self._unlisten:
            unlisten()
        self._unlisten = []
        if edges:
            self._ear.clear()
            self._unlisten = [self.scl_pad.listen(self._scl), self.sda_pad.listen(self._sda)]

    @property
    def idle(self) -> bool:
        """Whether it has heard nothing since the last STOP."""
        return self._ear.state == IDLE

    def held_until(self, t_ps: int) -> int:
        """Until when the part holds SCL low, now that a byte's acknowledge is over."""
        return t_ps if self._holds is None else max(t_ps, self._holds(t_ps))

    def _stretch(self, t_ps: int) -> None:
        until = self.held_until(t_ps)
        if until == t_ps:
            return
        self._ear.waits = True
        self.scl_pad.drive_outside(t_ps, self.name, 0)

        def go_on(t: int) -> None:
            if self._ear.waits:
                self._ear.go_on(t)
            self.scl_pad.drive_outside(t, self.name, None)

        self._soc.scheduler.at(until, go_on)

    def _scl(self, t_ps: int, level: int | None) -> None:
        self._ear.scl_moved(t_ps, level or 0)

    def _sda(self, t_ps: int, level: int | None) -> None:
        self._ear.sda_moved(t_ps, level or 0)

    def scl(self, t_ps: int) -> int:
        """The level of SCL; a line that floats is taken as low."""
        return self.scl_pad.level_at(t_ps) or 0

    def sda(self, t_ps: int) -> int:
        """The level of SDA, likewise."""
        return self.sda_pad.level_at(t_ps) or 0

    def pull_sda(self, t_ps: int, *, low: bool) -> None:
        """Hold SDA low, or let go of it."""
        self.sda_pad.drive_outside(t_ps, self.name, 0 if low else None)


def ports_on(scl: Pad, sda: Pad) -> list[I2cPort]:
    """The parts whose two lines these are."""
    return [c for c in scl.clients if isinstance(c, I2cPort) and c.sda_pad is sda]
