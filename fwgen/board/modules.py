"""Modules: parts with a behaviour, from [parts] of a board or a contract.

    LCD = { kind = "hd44780", rs = "D8", e = "D9", d4 = "D4", d5 = "D5", d6 = "D6", d7 = "D7" }
    DIST = { kind = "hc-sr04", trig = "D2", echo = "D3", distance = "40 cm" }
    EE = { kind = "24c256", scl = "PB8", sda = "PB9", address = 0x50, pull = "up" }
    FL = { kind = "w25q32", sck = "PA5", miso = "PA6", mosi = "PA7", cs = "PB6" }

A kind is a file of boards/parts: its data sheet, its pins, what it can be set to, what it senses
and what it shows. One that is on a bus names it, and has the bus's pins without saying so; on I2C
also an ``address`` of those that it can have, and ``pull``, for a resistor on both lines. A new one
is such a file and a model in fwgen/machine/parts.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from fwgen.board.outputs import check_outputs, no_pin, outputs_of
from fwgen.board.quantities import QUANTITIES
from fwgen.board.registers import boards_folder
from fwgen.board.table import Finding, Table, suggest
from fwgen.board.types import Module
from fwgen.errors import BoardError, UnitError
from fwgen.units import parse_duration, parse_frequency

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from fwgen.board.types import Board


BUS_PINS: Mapping[str, tuple[str, ...]] = {
    "i2c": ("scl", "sda"),
    "spi": ("sck", "miso", "mosi", "cs"),
}
ONE_EACH = ("cs",)
"""Pins of a bus that every part on it has for itself."""


@dataclass(frozen=True, slots=True)
class Measure:
    """Something that a module senses, shows or is set to; values in the quantity's unit."""

    name: str
    quantity: str
    least: int | None = None
    most: int | None = None
    rests: int | str = 0  # what it senses while nobody says otherwise; a setting's default
    tolerance: int = 0  # of what it shows, where the contract states none
    choices: tuple[str, ...] = ()

    def parse(self, text: str) -> int | str:
        """A value from text. Raises UnitError, also when out of range."""
        quantity = QUANTITIES[self.quantity]
        value = quantity.parse(text)
        if self.choices and quantity.exact(value) not in self.choices:
            raise UnitError(f"{text!r} is not one of {', '.join(self.choices)}")
        if isinstance(value, int):
            low, high = self.least, self.most
            if (low is not None and value < low) or (high is not None and value > high):
                ends = f"{_end(quantity.show, low)} to {_end(quantity.show, high)}"
                raise UnitError(f"{text!r} is out of range", hint=ends)
        return value


def _end(show: Callable[[int | str], str], value: int | None) -> str:
    return "any" if value is None else show(value)


@dataclass(frozen=True, slots=True)
class ModuleKind:
    """A kind of module: what its file says.

    ``five_volts`` are those of its pins that it drives to 5 V; ``keys`` are what can be pressed on
    it; ``turns``: it can be turned; ``shares``: several may hang on one pin. ``buses`` are those
    that it can be on, and ``addresses`` what it answers to on I2C, the first one unless told;
    ``silent``: it has no output on SPI. ``drives`` are those of its pins that it drives. To its
    ``outputs`` other parts can be wired, as many times over as the setting ``outputs_by`` says;
    ``open_outputs``: it only pulls them low, so that others may, too. ``facts`` are the data
    sheet's figures: whole numbers, times in picoseconds, rates in hertz.
    """

    name: str
    title: str
    source: str
    model: str
    pins: tuple[str, ...]
    optional: tuple[str, ...]
    five_volts: tuple[str, ...]
    settings: Mapping[str, Measure]
    senses: Mapping[str, Measure]
    shows: Mapping[str, Measure]
    keys: tuple[str, ...] = ()
    turns: bool = False
    shares: bool = False
    about: str = ""
    buses: tuple[str, ...] = ()
    addresses: tuple[int, ...] = ()
    silent: bool = False
    drives: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    outputs_by: str = ""
    open_outputs: bool = False
    facts: Mapping[str, int] = field(default_factory=dict)

    def bus_pins(self, bus: str) -> tuple[str, ...]:
        """Its pins on a bus."""
        pins = BUS_PINS.get(bus, ())
        return tuple(pin for pin in pins if pin != "miso") if self.silent else pins

    def measures(self, bus: str) -> Mapping[str, Measure]:
        """All that it can be set to on a bus, what it senses included."""
        made = {**self.settings, **self.senses}
        if bus == "i2c":
            made |= {
                "address": Measure(
                    "address", "address", rests=self.addresses[0],
                    choices=tuple(f"{address:#04x}" for address in self.addresses),
                ),
                "pull": Measure("pull", "word", rests="none", choices=("up", "none")),
            }  # fmt: skip
        return made


def _files() -> dict[str, Path]:
    return {path.stem: path for path in sorted((boards_folder() / "parts").glob("*.toml"))}


@cache
def known_modules() -> tuple[str, ...]:
    """Every kind of module."""
    return tuple(_files())


@cache
def load_module_kind(name: str) -> ModuleKind:
    """Read boards/parts/<name>.toml. Raises BoardError."""
    path, where = _files().get(name), f"boards/parts/{name}.toml"
    if path is None:
        raise BoardError(f"there is no kind of part {name!r}", where="boards/parts")
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise BoardError(f"not valid TOML: {error}", where=where) from None
    findings: list[Finding] = []
    t = Table(data, where, findings)
    facts = t.table("facts", {})
    made = ModuleKind(
        name, t.text("title"), t.text("source"), t.text("model"), t.texts("pins", []),
        t.texts("optional", []), t.texts("five_volts", []),
        _measures(t, "settings", "default"), _measures(t, "senses", "rests"),
        _measures(t, "shows", ""), t.texts("keys", []), t.take("turns", bool, False) is True,
        t.take("shares", bool, False) is True, t.text("about"), t.texts("buses", []),
        tuple(a for a in t.take("addresses", list, []) or [] if isinstance(a, int)),
        t.take("silent", bool, False) is True, t.texts("drives", []), t.texts("outputs", []),
        t.text("outputs_by", ""), t.take("open_outputs", bool, False) is True,
        {key: _fact(facts, key, value) for key, value in facts.items()},
    )  # fmt: skip
    if any(bus not in BUS_PINS for bus in made.buses):
        t.complain("buses", f"should be of {', '.join(BUS_PINS)}")
    if ("i2c" in made.buses) != bool(made.addresses):
        t.complain("addresses", "belong to a part on I2C, and one at least")
    t.close()
    for finding in findings:
        raise finding.error()
    return made


def _fact(t: Table, key: str, value: object) -> int:
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str):
        for parse, scale in ((parse_duration, 1), (parse_frequency, 1000)):
            try:
                return parse(value) // scale
            except UnitError:
                continue
    t.complain(key, f"{value!r} should be a whole number, a time or a frequency")
    return 0


def _measures(outer: Table, key: str, rests: str) -> dict[str, Measure]:
    made: dict[str, Measure] = {}
    for name, t in outer.table(key, {}).tables():
        quantity = t.one_of("quantity", QUANTITIES)
        if not quantity:
            continue
        numbers = {}
        for end in ("least", "most", "tolerance", rests):
            text = t.text(end, "") if end else ""
            if text:
                numbers[end] = QUANTITIES[quantity].parse(text)
        made[name] = Measure(
            name, quantity, _whole(numbers.get("least")), _whole(numbers.get("most")),
            numbers.get(rests, _nothing(quantity)), _whole(numbers.get("tolerance")) or 0,
            t.texts("choices", []),
        )  # fmt: skip
        t.close()
    return made


def _nothing(quantity: str) -> int | str:
    return "" if quantity in ("bytes", "text", "word") else 0


def _whole(value: int | str | None) -> int | None:
    return value if isinstance(value, int) else None


def outputs_in(data: object) -> dict[str, tuple[str, ...]]:
    """The outputs of each part of a raw table [parts] that has any, by its name."""
    made: dict[str, tuple[str, ...]] = {}
    for name, raw in data.items() if isinstance(data, dict) else ():
        if isinstance(raw, dict) and is_module(raw):
            kind = load_module_kind(str(raw["kind"]))
            often = str(raw.get(kind.outputs_by) or kind.settings[kind.outputs_by].rests) if (
                kind.outputs_by
            ) else "1"  # fmt: skip
            made[str(name)] = outputs_of(kind, int(often) if often.isdecimal() else 1)
    return made


def is_module(data: object) -> bool:
    """Whether a table of [parts] is a module, by its kind."""
    return isinstance(data, dict) and data.get("kind") in known_modules()


def take_modules(
    table: Table, find_pin: Callable[[str], str], five_volts_at: Callable[[str], bool]
) -> dict[str, Module]:
    """The modules of a table [parts], taken from it.

    ``find_pin`` gives the pin of any name that the board has for it, or ""; ``five_volts_at`` says
    whether a pin stands 5 V.
    """
    made: dict[str, Module] = {}
    for name in table.names():
        if is_module(table.peek(name)):
            module = _module(name, table.table(name), find_pin, five_volts_at)
            if module is not None:
                made[name] = module
    return made


def _module(
    name: str, t: Table, find_pin: Callable[[str], str], five_volts_at: Callable[[str], bool]
) -> Module | None:
    kind = load_module_kind(t.one_of("kind", known_modules()))
    before = len(t.findings)
    bus = _bus(kind, t)
    needed = (*kind.bus_pins(bus), *kind.pins)
    pins: dict[str, str] = {}
    for key in (*needed, *kind.optional):
        said = t.text(key) if key in needed else t.text(key, "")
        if not said:
            continue
        pin = find_pin(said)
        if not pin:
            t.complain(key, *no_pin(find_pin, said))
        elif pin in pins.values():
            t.complain(key, f"{pin} is wired to two of its pins")
        elif key in kind.five_volts and not five_volts_at(pin):
            t.complain(key, f"gives 5 V, which {pin} does not stand", "use a pin that does (FT)")
        pins[key] = pin
    settings: dict[str, int | str] = {}
    for key, measure in kind.measures(bus).items():
        settings[key] = _setting(t, key, measure)
        if measure.quantity == "bytes":
            length = len(bytes.fromhex(str(settings[key])))
            if length > kind.facts.get("bytes", 0):
                t.complain(key, f"{length} bytes are more than it holds")
    title = t.text("title", "")
    t.close()
    if len(t.findings) > before:
        return None
    outputs = outputs_of(kind, int(settings[kind.outputs_by]) if kind.outputs_by else 1)
    return Module(name, kind.name, kind.model, pins, settings, title, bus, outputs)


def _bus(kind: ModuleKind, t: Table) -> str:
    """The bus of those that a kind can be on whose pins are named; "" for one on none."""
    for bus in kind.buses[1:]:
        if t.peek(kind.bus_pins(bus)[0]) is not None:
            return bus
    return kind.buses[0] if kind.buses else ""


def _setting(t: Table, key: str, measure: Measure) -> int | str:
    value = t.raw(key, None)
    if value is None:
        return measure.rests
    numbers = ("count", "address")
    if isinstance(value, int) and not isinstance(value, bool) and measure.quantity in numbers:
        value = str(value)
    if not isinstance(value, str):
        t.complain(key, f"{value!r} should be a text")
        return measure.rests
    try:
        return measure.parse(value)
    except UnitError as error:
        t.complain(key, error.message, error.hint)
        return measure.rests


def check_modules(
    modules: Iterable[Module], board: Board, complain: Callable[[str, str, str | None], None]
) -> None:
    """No pin is wired to two things that would disturb each other.

    ``complain`` takes the name of the module, what is wrong, and a hint.
    """
    taken: dict[str, tuple[str, str, str]] = {
        part.pin: (part.name, "", "") for part in board.parts.values() if part.kind != "led"
    }
    if board.console is not None:
        taken |= dict.fromkeys((board.console.tx, board.console.rx), ("the console", "", ""))
    modules = tuple(modules)
    for module in (*board.modules.values(), *modules):
        kind = load_module_kind(module.kind)
        lines = [pin for pin in kind.bus_pins(module.bus) if pin not in ONE_EACH]
        for role, pin in module.pins.items():
            shared = role if role in lines else kind.name if kind.shares else ""
            key = role if shared else ""
            other, *how = taken.get(pin, ("", "", ""))
            if other and (not shared or how != [shared, key]):
                complain(module.name, f"{pin} is wired to {other}, too", "give it another pin")
            taken[pin] = (module.name, shared, key)
    _check_addresses((*board.modules.values(), *modules), complain)
    check_outputs(
        (*board.modules.values(), *modules), board.parts.values(), board.devices.values(),
        load_module_kind, complain,
    )  # fmt: skip


def _check_addresses(
    modules: Iterable[Module], complain: Callable[[str, str, str | None], None]
) -> None:
    """No address is on a bus twice."""
    seen: dict[tuple[str, str, int], str] = {}
    for module in modules:
        if module.address is None:
            continue
        lines = module.pins["scl"], module.pins["sda"]
        for n in range(load_module_kind(module.kind).facts.get("answers", 1)):
            address = module.address + n
            other = seen.setdefault((*lines, address), module.name)
            if other != module.name:
                complain(
                    module.name, f"{other} has address {address:#x} on these pins, too",
                    "give it another one",
                )  # fmt: skip
                break


def screen(module: Module) -> tuple[int, int]:
    """Columns and rows of a module that shows a picture: its setting ``size``."""
    width, _, height = str(module.settings["size"]).partition("x")
    return int(width), int(height)


def suggest_measure(name: str, measures: Mapping[str, Measure]) -> str | None:
    """A hint for a measure that a kind does not have."""
    return suggest(name, measures)
