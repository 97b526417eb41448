"""A powered board in software, as a cable would see it."""

from __future__ import annotations

import itertools
import os
import threading
import time
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from fwgen.errors import BenchError
from fwgen.machine.armv7m.state import IN_RESET
from fwgen.machine.machine import Machine
from fwgen.units import PPM, PS_PER_MS, PS_PER_S
from fwgen.virtual.cable import Cable
from fwgen.virtual.dap import Dap
from fwgen.virtual.faults import Faults
from fwgen.virtual.follow import Follower
from fwgen.virtual.serial import Noise, VirtualPort
from fwgen.virtual.serial import plugged as serial_plugged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fwgen.board.types import Board
    from fwgen.trace import Event

# Kinds of debug probe, by the module that makes one of a board.
PROBES = {
    "plain": "fwgen.virtual.probe",
    "stlink": "fwgen.virtual.stlink",
    "cmsis-dap": "fwgen.virtual.cmsis_dap",
}
_made = itertools.count(1)

LOOK_S = 0.002, 0.05  # of wall time, between two looks at a board that is waited for
MOST_TRACE = 1 << 20  # bytes of SWO that wait for a host; what comes on top is lost
GUARD_PS = 10 * PS_PER_MS  # of time asked for, between two looks at a Ctrl-C


class VirtualBoard:
    """A board with power on: a chip, its debug port, its pins and its serial lines.

    ``uid`` is the serial number of its debug probe: unique, made here unless given. ``flash``
    is what the flash holds from its first byte on; without it the chip is as from the factory.
    The flash, and the option bytes, survive resets and power cycles.

    Time is virtual and stands still unless somebody lets it pass: ``sleep`` does, and every
    debug access does by a fixed amount, so that the same calls give the same outcome. Programs
    outside of this process want a board that follows the wall clock: ``start_free_running``.

    ``serial`` is the virtual COM port of its probe; None on a board without a console.

    Any thread may call anything here; whoever touches ``machine`` by himself holds ``lock``.
    """

    def __init__(
        self,
        board: Board,
        *,
        uid: str | None = None,
        flash: bytes | None = None,
        faults: Faults | None = None,
    ) -> None:
        self.board = board
        self.uid = uid or f"VIRT{os.getpid():06X}{next(_made):04X}"
        self.faults = faults or Faults()
        self.lock = threading.RLock()
        self.machine = Machine(board, patience_s=None)
        self.machine.load(flash=flash, keep_events=False)
        self.trace_port: bytearray | None = None  # SWO, while a probe listens
        self._arm_faults()
        if uid is not None:  # one among others: a chip of its own, to who keeps backups by chip
            chip: Any = self.machine.soc.peripherals.get("UID")
            if hasattr(chip, "make_from"):
                chip.make_from(uid)
        self._daps: list[Dap] = []
        self.dap = self.wires()
        self.cable = Cable(self)
        self._powered = True
        self._follower: Follower | None = None
        self._watchers = 0
        self.serial = self._make_port()

    def _make_port(self) -> VirtualPort | None:
        if self.board.console is None:
            return None
        noise = Noise(self.faults.seed, round(self.faults.serial_noise * PPM))
        return VirtualPort(self, noise=noise)

    def _arm_faults(self) -> None:
        """Make the chip what the injected faults say it is."""
        faults, soc = self.faults, self.machine.soc
        if faults.idcode is not None:
            dbgmcu = soc.peripherals.get("DBGMCU")
            if dbgmcu is None:
                raise BenchError(f"{self.board.chip.name} has no IDCODE to be wrong")
            state = dbgmcu.states["IDCODE"]
            state.reset_value = state.value = faults.idcode
        flash: Any = soc.peripherals.get("FLASH")
        if hasattr(flash, "protect"):
            flash.protect(sectors=faults.write_protected, reading=faults.read_protected)
        if faults.stuck_busy is not None or faults.power_fails_after is not None:
            flash.trouble(
                stuck_after=faults.stuck_busy,
                power_fails_after=faults.power_fails_after,
                power_fails=self._lose_power,
            )

    # ------------------------------------------------------------------ time

    @property
    def now_ps(self) -> int:
        """Virtual time since the board was made, picoseconds; never goes back."""
        if self._follower is None:
            return self.reached_ps
        with self.lock:
            self.catch_up()
            return self.reached_ps

    @property
    def free_running(self) -> bool:
        """Whether time follows the wall clock by itself."""
        return self._follower is not None and self._follower.running

    def sleep(self, ps: int) -> None:
        """Let virtual time pass. Of a board that runs by itself: wait for it."""
        end = self.now_ps + ps
        follower = self._follower
        if follower is not None and follower.thread is not threading.current_thread():
            while self.free_running and (left := end - self.now_ps) > 0:
                time.sleep(max(LOOK_S[0], min(LOOK_S[1], left / PS_PER_S / follower.pace)))
            self.check()
            return
        while self.reached_ps < end:
            with self.lock:
                self.move_to(min(self.reached_ps + GUARD_PS, end))

    def spend(self, ps: int) -> None:
        """A debug access took its time. The caller holds ``lock``."""
        if self._follower is not None:
            self.catch_up()
        else:
            self.move_to(self.reached_ps + ps * self.faults.latency)

    def catch_up(self) -> None:
        """Of a board that runs by itself: it is now, by the wall. The caller holds ``lock``.

        Who does something to the board does this first: else it is done in the past.
        """
        if self._follower is not None:
            self._follower.catch_up()

    def start_free_running(self, pace: float = 1.0) -> None:
        """Follow the wall clock, ``pace`` times as fast, with a thread of its own.

        Nothing is computed before somebody asks, or would notice. A board that cannot keep up
        runs as fast as it can.
        """
        if self._follower is None:
            self._follower = Follower(
                self, f"board {self.uid}", pace, lambda: self._watchers > 0
            )  # fmt: skip

    def stop(self) -> None:
        """Stand still again, unless somebody lets time pass. Raises what ended the run, if any."""
        follower = self._follower
        if follower is not None:
            follower.stop()
        self.check()
        self._follower = None

    def check(self) -> None:
        """Raises what ended a board that runs by itself, if anything did."""
        follower = self._follower
        if follower is not None and follower.failure is not None:
            self._follower = None
            raise follower.failure

    @property
    def pace(self) -> float:
        """How many times as fast as the wall clock time passes, where it follows it."""
        return self._follower.pace if self._follower is not None else 1.0

    @property
    def lost_ps(self) -> int:
        """Virtual time by which a board that runs by itself has fallen behind for good."""
        return self._follower.lost_ps if self._follower is not None else 0

    def watch(self, on: bool) -> None:
        """Somebody wants to hear at once what the board does by itself, or no longer does."""
        with self.lock:
            self._watchers += 1 if on else -1
        self.wake()

    def wake(self) -> None:
        """What the board will do by itself may have changed."""
        if self._follower is not None:
            self._follower.wake()

    @property
    def reached_ps(self) -> int:
        """Virtual time that the machine has come to: of one that runs by itself, some time ago."""
        return max(self.machine.core.now_ps, self.machine.core.until_ps)

    @property
    def still_until_ps(self) -> int | None:
        """Until when nothing happens by itself: the core sleeps, or is held; None while it runs."""
        core = self.machine.core
        resting = core.asleep or core.locked or core.hold
        return self.machine.soc.scheduler.next_ps if resting else None

    @property
    def asked_for_ps(self) -> int | None:
        """When the host next asks for what came on the serial port; None while nothing does."""
        return self.serial.asked_for_ps if self.serial is not None else None

    def move_to(self, ps: int) -> None:
        """Let time pass up to then. The caller holds ``lock``."""
        self.machine.advance(ps)

    # ------------------------------------------------------------------ supply and reset

    @property
    def powered(self) -> bool:
        """Whether the chip has its supply."""
        return self._powered

    @property
    def silence(self) -> str:
        """Why the debug pins do not answer; "" when they do."""
        if not self._powered:
            return "the chip has no power"
        if self.machine.soc.debugger_cut:
            return "the firmware uses the debug pins for something else"
        return ""

    def cable_moved(self, *, attached: bool) -> None:
        """The cable of the probe went out, or in: the serial port is on it, too."""
        if self.serial is not None:
            self.serial.replug() if attached else self.serial.unplug()

    def power_cycle(self) -> None:
        """Take the supply away and give it back: RAM and debug settings are lost."""
        with self.lock:
            self.catch_up()
            self.machine.power_cycle()
            for dap in self._daps:
                dap.power_on()
            self._powered = True
        self.wake()

    def _lose_power(self) -> None:
        """From within the machine: the supply is gone until ``power_cycle``."""
        self._powered = False
        self.machine.core.hold = IN_RESET
        self.machine.core.attend()

    def reset_line(self, asserted: bool) -> None:
        """Drive nRST low, or let it go. What a debugger set up outlives it."""
        with self.lock:
            self.catch_up()
            self.machine.core.reset_line(asserted=asserted)
        self.wake()

    # ------------------------------------------------------------------ evidence and stimuli

    def listen(
        self, listener: Callable[[Event], None], *, watching: bool = True, at_once: bool = True
    ) -> None:
        """Hear each trace event as it comes, in whatever thread lets time pass.

        Who need not have a board that runs by itself woken for it is not ``watching``. Who need
        not hear ``at_once``, only before time stops passing (``Machine.listen``), lets what a
        serial port does be run much faster.
        """
        self.machine.listen(listener, at_once=at_once)
        if watching:
            self.watch(True)

    def flash(self) -> bytes:
        """What the flash holds."""
        chip = self.board.chip
        with self.lock:
            self.catch_up()
            data = self.machine.core.memory.read(chip.flash.base, chip.flash.size)
        assert data is not None
        return data

    # ------------------------------------------------------------------ SWO

    def trace_start(self, baud: int) -> None:
        """A probe listens on SWO; bytes at another rate than ``baud`` are not understood."""
        with self.lock:
            self.catch_up()
            self.trace_port = bytearray()
            captured = self.trace_port

            def hear(data: bytes, _t_ps: int, sent_at: int) -> None:
                near = abs(sent_at - baud) * 20 <= baud  # within 5 %
                if near and len(captured) < MOST_TRACE:
                    captured.extend(data)

            self.machine.soc.on_trace = hear

    def trace_stop(self) -> None:
        """Nobody listens on SWO."""
        with self.lock:
            self.catch_up()
            self.machine.soc.on_trace = None
            self.trace_port = None

    @property
    def trace_waiting(self) -> int:
        """Bytes that came on SWO and were not read."""
        with self.lock:
            self.catch_up()
            return len(self.trace_port or b"")

    def trace_read(self, most: int = 1 << 20) -> bytes:
        """What came on SWO since the last time."""
        with self.lock:
            self.catch_up()
            if self.trace_port is None:
                return b""
            data = bytes(self.trace_port[:most])
            del self.trace_port[:most]
            return data

    # ------------------------------------------------------------------ cables

    def wires(self) -> Dap:
        """A debug port of one's own, for a debugger beside the probe that is on the board.

        ``dap`` is the one that the probe has. Silicon has no other.
        """
        made = Dap(self.machine.core.debugger, self.faults)
        self._daps.append(made)
        return made

    @contextmanager
    def plugged(self, probe: str | None = None) -> Iterator[VirtualBoard]:
        """While entered, this process's pyocd finds the board's debug probe, by ``uid``.

        pyserial then opens its console as ``fwgen://<uid>``, if it has one. ``probe`` is "plain"
        (no USB, nothing but the two wires; the default), "stlink" or "cmsis-dap".
        Raises BenchError for a kind that there is not.
        """
        kind = PROBES.get(probe or "plain")
        if kind is None:
            hint = f"there are {', '.join(PROBES)}"
            raise BenchError(f"a virtual board has no probe {probe!r}", hint=hint)
        with ExitStack() as cables:
            cables.enter_context(import_module(kind).plugged(self))
            if self.serial is not None:
                cables.enter_context(serial_plugged(self.serial))
            yield self

    def close(self) -> None:
        """Switch off."""
        try:
            self.stop()
        finally:
            with self.lock:
                self.machine.close()

    def __enter__(self) -> VirtualBoard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
