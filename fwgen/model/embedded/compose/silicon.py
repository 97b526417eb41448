"""The chip as a composer sees it: timers, pins, gates and register names, out of the chip's data.

What is *here* is knowledge of IP versions (which bits of a timer make a PWM); what is on the chip
(which timers, on which pins, behind which gates) comes from the board file and the register maps.

Source: RM0368 §6.3 (RCC), §7.2 (SYSCFG), §8 (GPIO), §10.2 (EXTI), §13 (TIM), §19 (USART).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from fwgen.errors import ModelError
from fwgen.image.facts import Facts, register_map

if TYPE_CHECKING:
    from fwgen.board.types import Board, ClockGate, PeripheralSpec, Pin

PS_PER_S = 10**12


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer: ``width`` of its counter in bits, its compare channels, what it interrupts with."""

    name: str
    width: int
    channels: int
    advanced: bool  # has a main output enable (BDTR.MOE)
    irq: int | None  # the request that a compare match makes

    @property
    def limit(self) -> int:
        """How many ticks one round can have."""
        return 1 << self.width


@dataclass(frozen=True, slots=True)
class Output:
    """A timer's channel on a pin, through alternate function ``af``."""

    timer: Timer
    channel: int
    af: int


class Silicon:
    """Names and numbers of one board's chip."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.chip = board.chip
        self.facts = Facts(board)
        self.clock_hz = board.chip.clocks.hsi_hz  # nothing here needs more than the HSI

    # ------------------------------------------------------------------ registers

    def address(self, register: str) -> int:
        """The address of a register ("TIM2_CCR1"). Raises ModelError when it has no name here."""
        value = self.facts.get(register)
        if value is None:
            raise ModelError(f"{self.chip.name} has no register {register} that I know")
        return value

    def reset_value(self, register: str) -> int:
        """What a register holds after reset."""
        name, _, plain = register.partition("_")
        spec = self.chip.peripherals[name]
        own = spec.options.get("reset")
        if isinstance(own, dict) and plain in own:
            return int(own[plain])
        known = register_map(spec)
        if known is None or plain not in known.registers:
            raise ModelError(f"{self.chip.name} has no register {register} that I know")
        reset = known.registers[plain].reset
        width = spec.options.get("width")
        if isinstance(width, int) and known.registers[plain].fields.keys() <= {plain}:
            reset &= (1 << width) - 1  # a counter of 16 bits in a map for 32
        return reset

    def gate(self, peripheral: str) -> ClockGate | None:
        """The clock enable bit of a peripheral, None when it needs none."""
        return self.chip.peripherals[peripheral].gate

    # ------------------------------------------------------------------ pins

    def pin(self, name: str, clause: str) -> Pin:
        """A pin that may be used. Raises ModelError for one that the debugger needs."""
        pin = self.chip.pins.get(name)
        if pin is None:
            stem, dot, _ = name.partition(".")
            raise ModelError(
                f"{self.chip.title} has no pin {name}", where=clause or None,
                hint=f"it is an output of {stem}, which this model cannot talk to: ask a remote one"
                if dot else None,
            )  # fmt: skip
        signals = pin.alternate.get(pin.reset_af, ()) if pin.reset_af is not None else ()
        if any(s in ("SWDIO", "SWCLK") for s in signals):
            raise ModelError(
                f"{name} is a debug pin ({' '.join(signals)}): using it would lock the board out",
                where=clause or None,
                hint="choose another pin",
            )
        return pin

    def port(self, pin: str) -> str:
        """The GPIO port of a pin ("GPIOA")."""
        return f"GPIO{self.chip.pins[pin].port}"

    def index(self, pin: str) -> int:
        """The number of a pin within its port."""
        return self.chip.pins[pin].index

    # ------------------------------------------------------------------ timers

    @cached_property
    def timers(self) -> tuple[Timer, ...]:
        """Every timer that the machine and I both know, by name."""
        found = []
        for spec in self.chip.peripherals.values():
            if spec.kind and spec.kind.startswith("stm32.tim_"):
                found.append(_timer(spec))
        return tuple(found)

    def outputs(self, pin: str) -> tuple[Output, ...]:
        """The timer channels that can drive a pin by themselves."""
        timers = {timer.name: timer for timer in self.timers}
        found = []
        for af, signals in self.chip.pins[pin].alternate.items():
            for signal in signals:
                name, _, rest = signal.partition("_CH")
                if name in timers and rest.isdigit() and int(rest) <= timers[name].channels:
                    found.append(Output(timers[name], int(rest), af))
        return tuple(found)

    def masters(self, slave: Timer) -> tuple[tuple[int, Timer], ...]:
        """Timers whose TRGO a timer hears, each with its number as SMCR.TS names it.

        Source: RM0368 §12.4.3, §13.4.3, Table "TIMx internal trigger connection".
        """
        options = self.chip.peripherals[slave.name].options
        heard = options.get("itr", ())
        if not options.get("slave", True) or not isinstance(heard, list | tuple):
            return ()
        timers = {timer.name: timer for timer in self.timers}
        return tuple(
            (number, timers[name])
            for number, name in enumerate(heard)
            if name in timers and self.chip.peripherals[name].options.get("master", True)
        )

    # ------------------------------------------------------------------ serial ports and edges

    def transmitter(self, port: str, clause: str) -> tuple[str, int]:
        """The pin and alternate function that ``port`` sends on: one without a part, if it can.

        Raises ModelError.
        """
        spec = self.chip.peripherals.get(port)
        if spec is None or spec.kind is None or not spec.kind.startswith("stm32.usart_"):
            raise ModelError(f"{self.chip.title} has no serial port {port}", where=clause or None)
        console = self.board.console
        taken = {part.pin for part in self.board.parts.values()}
        pins = sorted(self.chip.pins.values(), key=lambda pin: pin.name in taken)
        if console and console.uart == port:
            pins.insert(0, self.chip.pins[console.tx])
        for pin in pins:
            af = pin.af(f"{port}_TX")
            if af is not None:
                return pin.name, af
        raise ModelError(f"no pin carries {port}_TX", where=clause or None)

    def edge_irq(self, index: int) -> int:
        """The interrupt of EXTI line ``index``."""
        for name, number in self.chip.peripherals["EXTI"].irqs.items():
            span = name.removeprefix("exti").split("_")
            if name.startswith("exti") and all(part.isdigit() for part in span):
                low, high = int(span[-1]), int(span[0])
                if low <= index <= high:
                    return number
        raise ModelError(f"{self.chip.title} has no interrupt for EXTI line {index}")


def _timer(spec: PeripheralSpec) -> Timer:
    options = spec.options
    return Timer(
        spec.name,
        int(str(options.get("width", 16))),
        int(str(options.get("channels", 0))),
        bool(options.get("advanced", False)),
        spec.irqs.get("cc", spec.irqs.get("global")),
    )
