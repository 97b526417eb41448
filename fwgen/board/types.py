"""What a chip and a board are: frozen facts, read from TOML, checked once at load.

A ``Chip`` is the silicon; a ``Board`` is a chip with parts soldered round it and the words people
use for them. Nothing here knows how a peripheral behaves: ``kind`` names the model of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fwgen.board.frame import PLAIN, Frame

if TYPE_CHECKING:
    from collections.abc import Mapping

_ARTICLES = frozenset(("the", "my", "a", "an", "this", "our"))


def fold_words(text: str) -> str:
    """Words as ``Board.words`` keys them: lower case, single spaces, no leading article."""
    words = text.casefold().split()
    return " ".join(words[1:] if len(words) > 1 and words[0] in _ARTICLES else words)


@dataclass(frozen=True, slots=True)
class Memory:
    """One range of memory. ``base`` and ``size`` in bytes; ``alias_of`` names what it mirrors."""

    name: str
    base: int
    size: int
    kind: str  # "flash", "ram", "rom" (system memory), "otp", "options", "alias"
    alias_of: str | None = None
    sectors: tuple[int, ...] = ()  # flash sector sizes, in bytes, from the base upward
    executable: bool = True  # the core can fetch code from it


@dataclass(frozen=True, slots=True)
class ClockGate:
    """The enable bit of a peripheral: register of RCC and bit number; reset bit likewise.

    Without a ``reset_bit`` the reset is at the enable bit's place.
    """

    register: str
    bit: int
    reset_register: str | None = None
    reset_bit: int | None = None

    @property
    def reset_at(self) -> int:
        """The bit of ``reset_register``."""
        return self.bit if self.reset_bit is None else self.reset_bit


@dataclass(frozen=True, slots=True)
class DmaLine:
    """Where a DMA request of a peripheral arrives: controller, stream, and channel (CHSEL)."""

    controller: str  # "DMA1"
    stream: int
    channel: int

    def __str__(self) -> str:
        return f"{self.controller}.{self.stream}.{self.channel}"


@dataclass(frozen=True, slots=True)
class PeripheralSpec:
    """One peripheral of the chip's memory map.

    ``kind`` is the path of its model ("stm32.usart_v1"); None declares it not modelled.
    ``registers`` is the path of its register map (same form); None: names are not known.
    ``irqs`` maps the peripheral's own request names ("global", "up", "cc" ...) to IRQ numbers.
    ``dma`` maps its DMA requests ("rx", "tx", "up" ...) to the lines that carry them.
    ``bus`` is "AHB1", "APB1" ... or "PPB"; ``options`` are facts its model needs (width = 32).
    """

    name: str
    base: int
    size: int
    kind: str | None
    registers: str | None
    bus: str
    gate: ClockGate | None = None
    irqs: Mapping[str, int] = field(default_factory=dict)
    options: Mapping[str, object] = field(default_factory=dict)
    section: str = ""  # of the reference manual
    dma: Mapping[str, tuple[DmaLine, ...]] = field(default_factory=dict)

    @property
    def end(self) -> int:
        """First address past the peripheral."""
        return self.base + self.size


@dataclass(frozen=True, slots=True)
class Pin:
    """One pin of the package: what each alternate function connects, what is analog there."""

    name: str  # "PA5"
    port: str  # "A"
    index: int  # 5
    alternate: Mapping[int, tuple[str, ...]]  # AF number -> signals ("TIM2_CH1", ...)
    additional: tuple[str, ...] = ()  # "ADC1_IN5", "OSC32_IN", "WKUP"
    positions: Mapping[str, str] = field(default_factory=dict)  # package -> pin number
    five_volt_tolerant: bool = True
    reset_af: int | None = None  # the alternate function that holds the pin after reset (SWD, JTAG)

    def af(self, signal: str) -> int | None:
        """The AF number that connects ``signal`` to this pin, or None."""
        return next((n for n, signals in self.alternate.items() if signal in signals), None)


@dataclass(frozen=True, slots=True)
class WaitStates:
    """Highest HCLK in hertz for 0, 1, 2 ... wait states within one supply range (microvolts)."""

    min_uv: int
    max_uv: int
    hclk_hz: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Clocks:
    """Oscillators and limits, in hertz."""

    hsi_hz: int
    lsi_hz: int
    hse_hz: tuple[int, int]  # allowed range
    sysclk_max_hz: int
    hclk_max_hz: int
    apb_max_hz: Mapping[str, int]  # "APB1" -> 42 MHz
    pll: Mapping[str, tuple[int, int]]  # "vco_in", "vco_out", "m", "n", "p", "q" -> range
    wait_states: tuple[WaitStates, ...]
    startup_ps: Mapping[str, int]  # "hsi", "hse", "pll", "lsi", "lse": time to ready
    hse_bypass_hz: tuple[int, int] = (0, 0)  # allowed range of an external clock (HSEBYP)
    vos_hclk_hz: Mapping[int, int] = field(default_factory=dict)  # PWR_CR.VOS -> highest HCLK
    vos_pll_off: int | None = None  # the VOS that holds without the PLL; None: VOS holds always


@dataclass(frozen=True, slots=True)
class Chip:
    """A microcontroller."""

    name: str  # "stm32f401re"
    title: str
    family: str
    core: str  # "cortex-m4f"
    manuals: Mapping[str, str]  # "RM0368" -> title and revision
    chapters: Mapping[str, str]  # a sister chip's chapter -> ours: "RM0368 §6" -> "RM0090 §7"
    idcode: int | None
    package: str
    nvic_lines: int
    priority_bits: int
    memories: Mapping[str, Memory]
    peripherals: Mapping[str, PeripheralSpec]
    interrupts: Mapping[int, str]  # IRQ number -> the vector's name in the manual
    pins: Mapping[str, Pin]
    clocks: Clocks

    @property
    def flash(self) -> Memory:
        """The main flash."""
        return next(m for m in self.memories.values() if m.kind == "flash")

    @property
    def ram(self) -> Memory:
        """The first (main) RAM."""
        return next(m for m in self.memories.values() if m.kind == "ram")

    def peripheral_at(self, address: int) -> PeripheralSpec | None:
        """The peripheral whose range holds ``address``, or None."""
        return next((p for p in self.peripherals.values() if p.base <= address < p.end), None)


@dataclass(frozen=True, slots=True)
class Sensor:
    """What a part makes its voltage with; ``fwgen.board.sensors`` has the formulas.

    ``ohm`` is a potentiometer's from end to end, an NTC's at 25 °C, an LDR's at 10 lx;
    ``fixed_ohm`` the resistor that makes the divider with it. ``curve`` is an NTC's beta in
    kelvin, an LDR's gamma in thousandths. ``to_supply``: the sensor is between the pin and the
    supply, not ground. ``rests`` is what it senses while nobody says otherwise, in its own unit.
    """

    ohm: int
    rests: int
    fixed_ohm: int = 0
    curve: int = 0
    to_supply: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """Something on the board, wired to pins: ``kind`` "led", "button" ..."""

    name: str  # "LD2"
    kind: str
    pin: str  # "PA5"
    active: int  # the level at which it is lit / pressed
    colour: str | None = None
    pull: int | None = None  # what a resistor on the board pulls the pin to
    title: str = ""
    sensor: Sensor | None = None  # of a part that gives a voltage


@dataclass(frozen=True, slots=True)
class Device:
    """A wire between pins, or a resistor that pulls a pin up or down: it has no behaviour.

    ``kind`` is "wire" or "resistor".
    """

    name: str
    kind: str
    pins: Mapping[str, str]
    pull: int | None = None  # what a resistor pulls its pin to
    title: str = ""


@dataclass(frozen=True, slots=True)
class Module:
    """A part with a behaviour of its own: a display, a sensor, a memory, a motor driver.

    ``kind`` names a file of boards/parts, which says what it shows and senses; ``model`` how it
    behaves (a module of fwgen.machine.parts). ``pins`` maps its own pins ("trig", "scl") to the
    chip's; ``settings`` are in the units of ``fwgen.board.quantities``.
    """

    name: str
    kind: str
    model: str
    pins: Mapping[str, str]
    settings: Mapping[str, int | str] = field(default_factory=dict)
    title: str = ""
    bus: str = ""  # the bus that it is on: "i2c", "spi" or ""
    outputs: tuple[str, ...] = ()  # what others can be wired to, as "<name>.<output>"

    @property
    def address(self) -> int | None:
        """Its address on an I2C bus, without the R/W bit."""
        return int(self.settings["address"]) if self.bus == "i2c" else None


@dataclass(frozen=True, slots=True)
class Console:
    """The serial port that a user sees when the board is plugged in."""

    uart: str  # "USART2"
    tx: str  # "PA2"
    rx: str  # "PA3"
    baud: int
    frame: Frame = PLAIN  # of its other end


@dataclass(frozen=True, slots=True)
class Board:
    """A board: chip, parts, headers, console, oscillators fitted, and people's words."""

    name: str  # "nucleo-f401"
    title: str
    chip: Chip
    supply_uv: int
    hse_hz: int | None
    hse_bypass: bool
    lse_hz: int | None
    parts: Mapping[str, Part]
    console: Console | None
    headers: Mapping[str, Mapping[str, str]]  # "Arduino" -> {"D13": "PA5"}, "Morpho CN7" -> ...
    words: Mapping[str, str]  # what people say -> part, pin or port ("the led" -> "LD2")
    aliases: tuple[str, ...] = ()  # other names of the board: "NUCLEO-F401RE"
    probe: Mapping[str, str] = field(default_factory=dict)  # "target", "board_id"
    path: str = ""  # the file it came from, as the user knows it
    modules: Mapping[str, Module] = field(default_factory=dict)  # parts with a behaviour
    devices: Mapping[str, Device] = field(default_factory=dict)  # wires and pull-ups

    def find_pin(self, name: str) -> Pin | None:
        """The pin that a pin name, header name or part name ("PA5", "D13", "LD2") means."""
        folded = name.casefold()
        for pin in self.chip.pins.values():
            if pin.name.casefold() == folded:
                return pin
        for header in self.headers.values():
            for label, pin_name in header.items():
                if label.casefold() == folded:
                    return self.chip.pins.get(pin_name)
        part = self.find_part(name)
        if part is not None:
            return self.chip.pins.get(part.pin) or self._output(part.pin)
        return self._output(name) if "." in name else None

    def _output(self, name: str) -> Pin | None:
        """An output of a module that something is wired to ("SR.QA")."""
        folded = name.casefold()
        found = next((out for out in self.wired_outputs if out.casefold() == folded), None)
        return Pin(found, "", -1, {}) if found is not None else None

    @property
    def wired_outputs(self) -> tuple[str, ...]:
        """The outputs of modules that something is wired to."""
        if not any(module.outputs for module in self.modules.values()):
            return ()
        used = {part.pin for part in self.parts.values()}
        used |= {pin for module in self.modules.values() for pin in module.pins.values()}
        used |= {pin for device in self.devices.values() for pin in device.pins.values()}
        return tuple(
            pin
            for module in self.modules.values()
            for own in module.outputs
            if (pin := f"{module.name}.{own}") in used
        )

    def find_module(self, name: str) -> Module | None:
        """The module that a name or one of people's words means."""
        if not self.modules:
            return None
        folded = fold_words(name)
        for module in self.modules.values():
            if module.name.casefold() == folded:
                return module
        meant = self.words.get(folded)
        return self.modules.get(meant) if meant else None

    def find_part(self, name: str) -> Part | None:
        """The part that a name or one of people's words means ("LD2", "the LED")."""
        folded = fold_words(name)
        for part in self.parts.values():
            if part.name.casefold() == folded:
                return part
        meant = self.words.get(folded)
        return self.parts.get(meant) if meant else None
