"""General-purpose I/O ports of STM32F2/F4 and later. RM0368 §8."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwgen.machine.native.service import NEVER as NEVER_MOVED
from fwgen.machine.native.service import PINS
from fwgen.machine.peripheral import Latch, Peek, Peripheral, Reg
from fwgen.machine.time import NEVER
from fwgen.trace import Gap, Hazard
from fwgen.units import PS_PER_MS, PS_PER_US, show_duration

if TYPE_CHECKING:
    from fwgen.board.types import Board, PeripheralSpec, Pin
    from fwgen.machine.native.service import Service
    from fwgen.machine.pads import Pad
    from fwgen.machine.peripheral import Register
    from fwgen.machine.signals import Signal
    from fwgen.machine.soc import Soc
    from fwgen.machine.talk import Outputs
    from fwgen.machine.time import Timer

INPUT, OUTPUT, ALTERNATE, ANALOG = range(4)  # MODER
PULLS = (None, 1, 0, None)  # where PUPDR pulls: none, up, down; 11 is reserved
LCKK = 1 << 16

# How long a pin may be in a state that only makes sense on the way to another one: MODER and AFR
# are two writes.
GRACE_PS = 100 * PS_PER_US

# From here on the time between two changes is taken for one that is meant.
COUNTED_PS = 2 * PS_PER_MS

SWD = ("SWDIO", "SWCLK")


@dataclass(frozen=True, slots=True)
class Line:
    """One pin of the port that the package has."""

    index: int
    pin: Pin
    pad: Pad


def _driven_by_the_board(board: Board) -> dict[str, str]:
    """The pins on which the board itself has an output: who it is."""
    taken: dict[str, str] = {}
    if board.console is not None:
        taken[board.console.rx] = f"the board's serial line into {board.console.uart}"
    fast, slow = {"OSC_IN", "OSC_OUT"}, {"OSC32_IN", "OSC32_OUT"}
    for pin in board.chip.pins.values():
        if board.hse_hz and board.hse_bypass and "OSC_IN" in pin.additional:
            taken[pin.name] = "the board's clock"
        elif (board.hse_hz and not board.hse_bypass and fast & {*pin.additional}) or (
            board.lse_hz and slow & {*pin.additional}
        ):
            taken[pin.name] = "the board's crystal"
    return taken


class Gpio(Peripheral, registers="stm32.gpio_v2"):
    """Sixteen pads; each level follows from mode, latch, pull and the world outside. RM0368 §8.

    IDR tells the level at the time of the read. In analog mode it reads 0 and the pull is off
    (§8.3.12). Bits of pins that the package lacks are stored and read 0 in IDR. A floating
    input reads as chance will have it (``Soc.chance``); ``used`` says that one decided something.

    Pads keep their state while the port's clock is off: only the registers are out of reach.

    Not modelled: output speed (OSPEEDR is stored; edges are instant), the AHB cycle by which IDR
    lags behind the pad, EVENTOUT (a Gap).
    """

    moder, otyper, ospeedr, pupdr = Reg(), Reg(), Reg(), Reg()
    idr, odr, bsrr, lckr = Reg(), Reg(), Reg(), Reg()
    afrl, afrh = Reg(), Reg()

    REPEATABLE = frozenset(("MODER", "OTYPER", "OSPEEDR", "PUPDR", "ODR", "AFRL", "AFRH"))

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        port = spec.name.removeprefix("GPIO")
        self.lines = {
            pin.index: Line(pin.index, pin, soc.fabric.pads[pin.name])
            for pin in soc.chip.pins.values()
            if pin.port == port
        }
        self._inputs = [(index, line.pad.look) for index, line in self.lines.items()]
        self._lock_step = 0  # of the key sequence
        self._lock_key = 0  # LCK[15:0] as the sequence wrote it
        self._functions: dict[int, tuple[str, ...]] = {}  # line in alternate mode -> its signals
        self._doubts: dict[int, Timer] = {}  # line -> a second look at what looked wrong
        self._moved: dict[int, int] = {}  # output -> when the core last moved it
        self._leds = {p.pin: p for p in soc.board.parts.values() if p.kind == "led"}
        self._taken = _driven_by_the_board(soc.board)
        # Pins that hold the debugger's wires after reset, and what each must stay.
        self._debug = {
            index: line.pin.reset_af
            for index, line in self.lines.items()
            if line.pin.reset_af is not None
            and any(s in SWD for s in line.pin.alternate.get(line.pin.reset_af, ()))
        }
        taken = {index for index, line in self.lines.items() if line.pin.name in self._taken}
        self._checked = taken | set(self._debug)  # lines that must not be moved

    # ------------------------------------------------------------------ configuration

    def mode(self, index: int) -> int:
        """INPUT, OUTPUT, ALTERNATE or ANALOG."""
        return self.moder.value >> 2 * index & 3

    def alternate(self, index: int) -> int:
        """The number of the alternate function that AFRL or AFRH selects."""
        register = self.afrl if index < 8 else self.afrh
        return register.value >> 4 * (index % 8) & 15

    def signals(self, index: int) -> tuple[str, ...]:
        """What the pin is connected to now, in alternate mode; else nothing."""
        if self.mode(index) != ALTERNATE or index not in self.lines:
            return ()
        return self.lines[index].pin.alternate.get(self.alternate(index), ())

    def on_reset(self, t_ps: int) -> None:
        """Pads as after reset; the lock is open."""
        self._lock_step = self._lock_key = 0
        self._moved.clear()
        for doubt in self._doubts.values():
            doubt.cancel()
        self._doubts.clear()
        for line in self.lines.values():
            self._drive(line, t_ps)

    @moder.on_write
    def _modes(self, t_ps: int, written: int, before: int) -> None:
        self._hold_locked(self.moder, before, 2)
        self._change(t_ps, before ^ self.moder.value, 2)

    @otyper.on_write
    def _types(self, t_ps: int, written: int, before: int) -> None:
        self._hold_locked(self.otyper, before, 1)
        self._change(t_ps, before ^ self.otyper.value, 1)

    @ospeedr.on_write
    def _speeds(self, t_ps: int, written: int, before: int) -> None:
        self._hold_locked(self.ospeedr, before, 2)

    @pupdr.on_write
    def _pulls(self, t_ps: int, written: int, before: int) -> None:
        self._hold_locked(self.pupdr, before, 2)
        self._change(t_ps, before ^ self.pupdr.value, 2)
        reserved = self.pupdr.value & self.pupdr.value >> 1 & 0x5555_5555
        if reserved:
            index = (reserved & -reserved).bit_length() // 2
            self.soc.hazard(
                "reserved-value",
                f"P{self.name[4:]}{index}: PUPDR is 11, which is reserved",
                cure="01 is pull-up, 10 is pull-down",
            )

    @afrl.on_write
    def _functions_low(self, t_ps: int, written: int, before: int) -> None:
        self._hold_locked(self.afrl, before, 4)
        self._change(t_ps, before ^ self.afrl.value, 4)

    @afrh.on_write
    def _functions_high(self, t_ps: int, written: int, before: int) -> None:
        self._hold_locked(self.afrh, before, 4, first=8)
        self._change(t_ps, before ^ self.afrh.value, 4, first=8)

    def _change(self, t_ps: int, changed: int, width: int, first: int = 0) -> None:
        """Drive anew the pins whose lanes of ``width`` bits changed."""
        while changed:
            lane = ((changed & -changed).bit_length() - 1) // width
            changed &= ~(((1 << width) - 1) << lane * width)
            line = self.lines.get(first + lane)
            if line is not None:
                self._drive(line, t_ps)

    # ------------------------------------------------------------------ data

    @idr.on_peek
    def _input_data(self, t_ps: int) -> Peek:
        value, until, modes = 0, NEVER, self.moder.value
        chance = self.soc.chance
        for index, look in self._inputs:
            if modes >> 2 * index & 3 == ANALOG:
                continue
            level, holds = look(t_ps)
            if chance if level is None else level:
                value |= 1 << index
            if holds < until:
                until = holds
        return Peek(value, until)

    @odr.on_write
    def _output_data(self, t_ps: int, written: int, before: int) -> None:
        self._latch(t_ps, before ^ self.odr.value)

    @bsrr.on_write
    def _set_and_reset(self, t_ps: int, written: int, before: int) -> None:
        old = self.odr.value
        self.odr.value = _set_clear(old, written)
        self._latch(t_ps, old ^ self.odr.value)

    def _latch(self, t_ps: int, changed: int) -> None:
        while changed:
            bit = changed & -changed
            changed ^= bit
            line = self.lines.get(bit.bit_length() - 1)
            if line is not None and self.mode(line.index) == OUTPUT:
                if self.soc.acting:
                    self._check_counted(line, t_ps)
                if line.index in self._checked or self.otyper.value >> line.index & 1:
                    self._drive(line, t_ps)
                else:  # all but the level is as it was when the pin became an output
                    self._put_out(line, t_ps)

    def _put_out(self, line: Line, t_ps: int) -> None:
        """The level of an output."""
        index = line.index
        level: int | None = self.odr.value >> index & 1
        if level and self.otyper.value >> index & 1:
            level = None  # an open drain
        line.pad.drive(t_ps, level, PULLS[self.pupdr.value >> 2 * index & 3])

    def _check_counted(self, line: Line, t_ps: int) -> None:
        """The core moves a pin again, having executed nothing but instructions meanwhile."""
        moved_ps = self._moved.get(line.index, t_ps)
        self._moved[line.index] = t_ps
        if t_ps - moved_ps < COUNTED_PS or self.soc.asked_ps > moved_ps:
            return
        name, took = line.pin.name, show_duration(t_ps - moved_ps, 4)
        said = f"{name} moves {took} after it last did, a time that counted instructions kept"
        hazard = Hazard.of("counted-time", said, t_ps, self.soc.pc)
        self.soc.recorder.add_once(hazard, ("counted-time", name))

    def tells(self, offset: int) -> bool:
        """Only IDR looks outside; the rest is what the firmware wrote itself."""
        home = self.idr.spec.offset
        return home <= offset < home + 4

    def latch(self, offset: int) -> Latch | None:
        """A write to ODR or BSRR moves the pins that are outputs, and that is all."""
        home = self.odr.spec.offset
        if offset == home:
            return Latch(home, self._foresee)
        if offset == self.bsrr.spec.offset:
            return Latch(home, lambda held, new: self._foresee(held, _set_clear(held, new)))
        return None

    def _foresee(self, before: int, after: int) -> tuple[int, list[tuple[str, int]]] | None:
        if after >> 16:  # reserved bits: told of when they are really written
            return None
        changed, moves = before ^ after, []
        for index in sorted(self.lines):
            if changed >> index & 1 and self.mode(index) == OUTPUT:
                pad = self.lines[index].pad
                if self.otyper.value >> index & 1 or not pad.unattended:
                    return None
                moves.append((pad.name, after >> index & 1))
        return after, moves

    def outputs(self) -> Outputs:
        """Its outputs, for native code."""
        return self

    @property
    def timers(self) -> tuple[Timer, ...]:
        """It has no calls to come that moving its pins would make needless."""
        return ()

    def fill(self, service: Service, seat: int) -> None:
        """Put the port into native code's structure, for as long as what is outside holds."""
        pads, latch = service.pads[seat], service.course.latches[seat]
        outputs = plain = 0
        for index, line in self.lines.items():
            if self.mode(index) == OUTPUT:
                outputs |= 1 << index
                free = index not in self._debug and line.pin.name not in self._taken
                if free and line.pad.unattended and not self.otyper.value >> index & 1:
                    plain |= 1 << index
        latch.moved_ps[:] = [self._moved.get(index, NEVER_MOVED) for index in range(PINS)]
        seen, until = self._input_data(service.course.now_ps)
        service.until_ps = min(service.until_ps, until)
        pads.base, pads.outputs, pads.plain = self.spec.base, outputs, plain
        pads.fixed = seen & ~plain
        latch.odr = self.odr.value

    def pin(self, index: int) -> str:
        """The name of a pin."""
        return self.lines[index].pad.name

    def take(self, service: Service, seat: int) -> tuple[()]:
        """Go on from where native code came to."""
        latch = service.course.latches[seat]
        changed = self.odr.value ^ latch.odr
        self.odr.value = latch.odr
        for index, line in self.lines.items():
            if latch.moved_ps[index] >= 0:
                self._moved[index] = latch.moved_ps[index]
            if changed >> index & 1 and self.mode(index) == OUTPUT:
                line.pad.moved(latch.odr >> index & 1)
        return ()

    def used(self, mask: int) -> None:
        """Whoever knows which bits of IDR decided something says so: floating ones did not."""
        for index, line in self.lines.items():
            if mask >> index & 1 and self.mode(index) == INPUT and line.pad.level is None:
                why = "nothing drives or pulls it"
                if line.pad.voltage is not None:
                    why = "its voltage is between VIL and VIH"
                self.soc.hazard(
                    "floating-input",
                    f"{line.pin.name} decides something, yet {why}",
                    cure=f"set a pull in GPIO{line.pin.port}_PUPDR, or wire the pin",
                )

    # ------------------------------------------------------------------ lock

    @lckr.on_write
    def _lock(self, t_ps: int, written: int, before: int) -> None:
        """LCKK = 1, 0, 1 with the same LCK[15:0], then a read: locked until reset. §8.4.8."""
        if before & LCKK:
            self.lckr.value = before
            return
        key, keyed = written & 0xFFFF, bool(written & LCKK)
        self.lckr.value = key
        if keyed and self._lock_step == 0:
            self._lock_step, self._lock_key = 1, key
        elif (
            self._lock_step in (1, 2) and key == self._lock_key and keyed == (self._lock_step == 2)
        ):
            self._lock_step += 1
        else:
            self._lock_step = 0

    @lckr.on_read
    def _read_lock(self, t_ps: int) -> int:
        if self._lock_step == 3:
            self.lckr.value |= LCKK
        self._lock_step = 0
        return self.lckr.value

    def _hold_locked(self, register: Register, before: int, width: int, first: int = 0) -> None:
        """The configuration of locked pins stays as it is."""
        if not self.lckr.value & LCKK:
            return
        frozen = 0
        for lane in range(register.spec.width // width):
            if self.lckr.value >> (first + lane) & 1:
                frozen |= ((1 << width) - 1) << lane * width
        register.value = register.value & ~frozen | before & frozen

    # ------------------------------------------------------------------ pads

    def _drive(self, line: Line, t_ps: int) -> None:
        index, mode = line.index, self.mode(line.index)
        if index in self._debug:
            self._check_debugger(line)
        pull = PULLS[self.pupdr.value >> 2 * index & 3]
        open_drain = bool(self.otyper.value >> index & 1)
        if line.pad.digital != (mode != ANALOG):
            line.pad.set_digital(t_ps, on=mode != ANALOG)
        if mode == ALTERNATE:
            self._connect(line, t_ps, open_drain=open_drain, pull=pull)
            return
        self._disconnect_inputs(line, t_ps)
        if mode == OUTPUT:
            self._check_taken(line)
            self._put_out(line, t_ps)
        else:
            line.pad.drive(t_ps, None, None if mode == ANALOG else pull)
        if line.pin.name in self._leds and pull is not None and (mode == INPUT or open_drain):
            self._doubt(line, t_ps)

    def _connect(self, line: Line, t_ps: int, *, open_drain: bool, pull: int | None) -> None:
        """Route the selected alternate function: out of its peripheral, and into it."""
        fabric, names = self.soc.fabric, self.signals(line.index)
        source = next((fabric.output(n) for n in names if fabric.has_output(n)), None)
        if source is None:
            line.pad.drive(t_ps, None, pull)
        else:
            self._check_taken(line)
            line.pad.connect(t_ps, source, open_drain=open_drain, pull=pull)
            if open_drain and pull is None:
                self._doubt(line, t_ps)
        if names != self._functions.get(line.index):
            self._disconnect_inputs(line, t_ps)
            self._functions[line.index] = names
            for signal in map(fabric.input, names):
                if source is None:  # an output may well come out on several pins
                    self._check_shared_input(line, signal)
                signal.connect(t_ps, line.pad)
            known = line.pin.alternate.get(self.alternate(line.index), ())
            if not known or known == ("EVENTOUT",):
                self._doubt(line, t_ps)

    def _disconnect_inputs(self, line: Line, t_ps: int) -> None:
        fabric = self.soc.fabric
        for name in self._functions.pop(line.index, ()):
            if fabric.input(name).pad is line.pad:
                fabric.input(name).connect(t_ps, None)

    # ------------------------------------------------------------------ what silicon would not do

    def _leaves_debugger(self, index: int) -> bool:
        return self.mode(index) != ALTERNATE or self.alternate(index) != self._debug[index]

    def _check_debugger(self, line: Line) -> None:
        """Whether a pin of serial wire debug is used for something else. RM0368 §23.4.1."""
        cut = any(map(self._leaves_debugger, self._debug))
        (self.soc.debugger_cut.add if cut else self.soc.debugger_cut.discard)(self.name)
        if self._leaves_debugger(line.index):
            self.soc.hazard(
                "swd-remapped",
                f"{line.pin.name} leaves the debugger: SWD is cut off until the next reset",
            )

    def _check_taken(self, line: Line) -> None:
        who = self._taken.get(line.pin.name)
        if who is not None:
            self.soc.hazard(
                "pin-taken",
                f"{line.pin.name} is made an output, but {who} drives it: two outputs on one wire",
                section=self.soc.board.title,
            )

    def _check_shared_input(self, line: Line, signal: Signal) -> None:
        other = signal.pad
        if other is None or other is line.pad:
            return
        self.soc.hazard(
            "shared-input",
            f"{signal.name} is fed by {other.name} and by {line.pin.name}",
        )

    def _doubt(self, line: Line, t_ps: int) -> None:
        """Look again soon whether this is how it stays: MODER, AFR and PUPDR are many writes."""
        doubt = self._doubts.pop(line.index, None)
        if doubt is not None:
            doubt.cancel()
        pc = self.soc.pc

        def look(now_ps: int) -> None:
            self._doubts.pop(line.index, None)
            if self.mode(line.index) == ALTERNATE:
                self._report_function(line, now_ps, pc)
            self._report_weak(line, now_ps, pc)

        self._doubts[line.index] = self.soc.scheduler.at(t_ps + GRACE_PS, look)

    def _report_weak(self, line: Line, t_ps: int, pc: int) -> None:
        """What a pull lights, or what an open drain cannot raise."""
        index, name = line.index, line.pin.name
        pull = PULLS[self.pupdr.value >> 2 * index & 3]
        open_drain = bool(self.otyper.value >> index & 1)
        led = self._leds.get(name)
        driven = self.mode(index) in (OUTPUT, ALTERNATE) and not open_drain
        if led is not None and pull == led.active and not driven:
            said = (
                f"{led.name} hangs on the weak pull of {name}: tens of microamperes light nothing"
            )
            hazard = Hazard.of("weak-drive", said, t_ps, pc)
            self.soc.recorder.add_once(hazard, ("weak-drive", name))
        sends = any(signal.endswith("_TX") for signal in self.signals(index))
        if sends and open_drain and line.pad.pulled is None:
            said = f"{name} sends with an open drain, and nothing pulls it high"
            hazard = Hazard.of("open-drain-floats", said, t_ps, pc)
            self.soc.recorder.add_once(hazard, ("open-drain-floats", name))

    def _report_function(self, line: Line, t_ps: int, pc: int) -> None:
        number, name = self.alternate(line.index), line.pin.name
        names = line.pin.alternate.get(number, ())
        register = "AFRL" if line.index < 8 else "AFRH"
        if names == ("EVENTOUT",):
            address = self.spec.base + self.MAP.registers[register].offset
            gap = Gap(t_ps, self.name, register, "write", address, pc, f"{name}: EVENTOUT")
            self.soc.recorder.add_once(gap, ("eventout", name))
        elif not names:
            offers = ", ".join(f"AF{n} {'/'.join(s)}" for n, s in line.pin.alternate.items())
            said = f"{name} is set to AF{number}, which connects nothing there"
            code = "wrong-alternate-function"
            hazard = Hazard.of(code, said, t_ps, pc, cure=f"{name} offers {offers}")
            self.soc.recorder.add_once(hazard, ("wrong-alternate-function", name, number))


def _set_clear(odr: int, written: int) -> int:
    # "If both BSx and BRx are set, BSx has priority" (§8.4.7): clear, then set.
    return odr & ~(written >> 16) | written & 0xFFFF


PERIPHERAL = Gpio
