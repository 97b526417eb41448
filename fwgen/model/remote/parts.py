"""What a model is told of parts: the kinds that a request may need, and those that are wired.

All of it comes from the tables that the reader of contracts checks against (``fwgen.board``); what
the files of the kinds do not say (words of requests, protocols) stands in ``parts.toml``.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from fwgen.board.board_file import PART_KINDS, SENSOR_KINDS
from fwgen.board.devices import (
    BUS_PINS,
    RESISTOR,
    WIRE,
    known_devices,
    load_part_kind,
)
from fwgen.board.modules import known_modules, load_module_kind
from fwgen.board.quantities import QUANTITIES
from fwgen.board.registers import boards_folder
from fwgen.board.sensors import QUANTITIES as SENSED
from fwgen.board.types import fold_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fwgen.board.modules import Measure
    from fwgen.board.types import Board, Device, Module, Part

MOST_TOLD: Final = 8  # kinds that are described at once
_CURVES: Final = {"ntc": "beta = 3950", "ldr": "gamma = 0.7"}
_BUS_ROLES: Final = {"scl": "SCL", "sda": "SDA", "sck": "SCK", "miso": "MISO", "mosi": "MOSI"}


@cache
def _said() -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath("parts.toml").read_text(encoding="utf-8"))


@cache
def known_kinds() -> tuple[str, ...]:
    """Every kind that [parts] of a contract takes."""
    return (*PART_KINDS, *SENSOR_KINDS, *known_modules(), *known_devices())


# ---------------------------------------------------------------------------- kinds


def family(kind: str) -> str:
    """What a kind shares with those that differ from it in size alone: its model, or itself."""
    return (load_part_kind(kind).model or kind) if _on_bus(kind) else kind


def _on_bus(kind: str) -> bool:
    return kind in known_devices() and kind not in (WIRE, RESISTOR)


def title_of(kind: str) -> str:
    """What a kind is, in its file's words; "" for the plain ones."""
    if kind in known_modules():
        return load_module_kind(kind).title
    return load_part_kind(kind).title if _on_bus(kind) else ""


@cache
def _words_of(kind: str) -> frozenset[str]:
    """The words of a request that call for a kind."""
    told = _said()["words"]
    words = {kind, *told.get(kind, ()), *told.get(family(kind), ())}
    common = frozenset(_said()["common"])
    for word in re.findall(r"[a-z0-9][a-z0-9-]+", title_of(kind).casefold()):
        if len(word) > 2 and word not in common and not word.isdigit():
            words.add(word)
    return frozenset(fold_words(word) for word in words)


def kinds_for(text: str, board: Board) -> list[str]:
    """The kinds that a request calls for, those first that it names; of a family one.

    What the board itself has under a word ("the LED") calls for nothing.
    """
    folded = f" {' '.join(re.findall(r'[a-z0-9.-]+', text.casefold()))} "

    def says(word: str) -> bool:
        return re.search(rf"(?<=[ (]){re.escape(word)}(?:s|es)?(?=[ .])", folded) is not None

    named = [kind for kind in known_kinds() if says(kind) and kind not in board.words]
    called = [
        kind
        for kind in known_kinds()
        if any(says(word) for word in _words_of(kind) if word not in board.words)
    ]
    chosen: dict[str, str] = {}
    for kind in (*named, *called):
        chosen.setdefault(family(kind), kind)
    return [kind for kind in chosen.values() if kind not in PART_KINDS][:MOST_TOLD]


def parts_told(text: str, board: Board) -> str:
    """The parts that a contract may wire: those that the request calls for in full, all by name."""
    simple = ", ".join(f"{kind} ({active})" for kind, (active, _) in PART_KINDS.items())
    lines = [
        'PARTS {"name": a word, "kind", "with": ["pin = TOML value"]}; wire what the request names '
        "and the board lacks, to the pins that it says or to free ones; call it by its name.",
        f'{simple}: pin = "D3"; (KEY) = "high" | "low", the level at which it is on.',
        *(describe_kind(kind) for kind in kinds_for(text, board)),
    ]
    others = [kind for kind in known_kinds() if kind not in PART_KINDS]
    return "\n".join([*lines, f"All kinds: {' '.join(others)}."])


def describe_kind(kind: str) -> str:
    """A kind in one line: its pins, what it is set to, senses and shows."""
    if kind in PART_KINDS:
        return f'{kind}: pin; {PART_KINDS[kind][0]} = "high" | "low".'
    if kind in SENSOR_KINDS:
        return _sensor_kind(kind)
    if kind == WIRE:
        return 'wire: pins = ["D2", "D3"], joined.'
    if kind == RESISTOR:
        return 'resistor: pin; pull = "up" | "down".'
    if _on_bus(kind):
        return _bus_kind(kind)
    known = load_module_kind(kind)
    optional = "".join(f" ({pin})" for pin in known.optional)
    parts = [f"pins {' '.join(known.pins)}{optional}"]
    parts += [_setting(measure) for measure in known.settings.values()]
    if known.senses:
        parts.append("senses " + ", ".join(_range(m) for m in known.senses.values()))
    if known.shows:
        parts.append("shows " + ", ".join(_shown(m) for m in known.shows.values()))
    if known.keys:
        parts.append(f"press NAME.{' '.join(known.keys)}")
    if known.turns:
        parts.append("turn NAME")
    about = f" {known.about}" if known.about else ""
    return f"{kind}: {known.title}; {'; '.join(parts)}.{about}"


def _setting(measure: Measure) -> str:
    if measure.choices:
        return f"{measure.name} = {' | '.join(_quoted(one) for one in measure.choices)}"
    exact = QUANTITIES[measure.quantity].exact
    rests = exact(measure.rests or "") if measure.quantity == "word" else exact(measure.rests)
    value = rests if measure.quantity == "count" else _quoted(rests)
    ends = [exact(end) for end in (measure.least, measure.most) if end is not None]
    return f"{measure.name} = {value}" + (f" ({' to '.join(ends)})" if len(ends) == 2 else "")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _range(measure: Measure) -> str:
    exact = QUANTITIES[measure.quantity].exact
    ends = [exact(end) for end in (measure.least, measure.most) if end is not None]
    return f"{measure.name} ({' to '.join(ends)}; {exact(measure.rests)} until set)"


def _shown(measure: Measure) -> str:
    if measure.choices:
        return f"{measure.name} {' | '.join(measure.choices)}"
    example = {"colour": ' "#ff8000 red"', "angle": ' "90°"', "ratio": ' "50 %"'}
    return measure.name + example.get(measure.quantity, "")


def _sensor_kind(kind: str) -> str:
    resistance, curve = SENSOR_KINDS[kind]
    quantity = SENSED[kind]
    more = f', {_CURVES[kind]}, fixed = "10 kohm", to = "supply" | "ground"' if curve else ""
    low, high = quantity.show(quantity.least), quantity.show(quantity.most)
    return (
        f'{kind}: pin (of the ADC); {resistance} = "10 kohm"{more}; set NAME, {low} to {high}: '
        "gives no voltage before."
    )


def _bus_kind(kind: str) -> str:
    known = load_part_kind(kind)
    alike = [k for k in known_devices() if _on_bus(k) and family(k) == family(kind)]
    others = f" (also {' '.join(k for k in alike if k != kind)})" if len(alike) > 1 else ""
    text = f"{kind}{others}: {known.title}; pins {' '.join(BUS_PINS[known.bus])}"
    if known.address is not None:
        text += f'; address = {known.address:#04x}; pull = "up"'
    return f'{text}; content = "48 69", hex.'


# ---------------------------------------------------------------------------- what is wired


def wired_told(board: Board, simple: Iterable[Part] = ()) -> str:
    """The parts that are wired to a board: pins, settings, and how to talk to them.

    Of those on one pin only ``simple``: the board's own are among its facts.
    """
    lines = [part_line(part) for part in simple]
    lines += [_module(module, board) for module in board.modules.values()]
    lines += [_device(device, board) for device in board.devices.values()]
    told = _said()["protocol"]
    protocols = dict.fromkeys(family(part.kind) for part in with_pins(board))
    lines += [f"{kind}: {told[kind]}" for kind in protocols if kind in told]
    return "\n".join(["WIRED", *lines]) if lines else ""


def with_pins(board: Board) -> list[Module | Device]:
    """The parts of a board that have several pins."""
    return [*board.modules.values(), *board.devices.values()]


def _module(module: Module, board: Board) -> str:
    known = load_module_kind(module.kind)
    settings = [
        f"{key} {QUANTITIES[measure.quantity].exact(module.settings.get(key, measure.rests))}"
        for key, measure in known.settings.items()
    ]
    told = "; ".join([_pins_of(module.pins), ", ".join(settings), *_bus_told(module.pins, board)])
    about = f" {known.about}" if known.about else ""
    return f"{module.name}: {module.kind}, {known.title}: {told.strip('; ')}.{about}"


def _device(device: Device, board: Board) -> str:
    if device.kind == WIRE:
        return f"{device.name}: a wire between {' and '.join(device.pins.values())}."
    if device.kind == RESISTOR:
        return f"{device.name}: pulls {device.pins['pin']} {'up' if device.pull else 'down'}."
    told = [_pins_of(device.pins), *_bus_told(device.pins, board)]
    if device.address is not None:
        pulled = "pulled up" if device.pull else "NOT pulled up: use the pins' own pull-ups"
        told.append(f"address {device.address:#04x} (7 bits), {pulled}")
    told.append(", ".join(f"{key} {value}" for key, value in _facts(device.kind).items()))
    return f"{device.name}: {device.kind}, {title_of(device.kind)}: {'; '.join(told)}."


@cache
def _facts(kind: str) -> Mapping[str, object]:
    """The data sheet's figures with their units, as the file of the kind has them."""
    path = boards_folder() / "parts" / f"{kind}.toml"
    facts: Mapping[str, object] = tomllib.loads(path.read_text(encoding="utf-8")).get("facts", {})
    return facts


def _pins_of(pins: Mapping[str, str]) -> str:
    return ", ".join(f"{role} {pin}" for role, pin in pins.items())


def _bus_told(pins: Mapping[str, str], board: Board) -> list[str]:
    ports = bus_ports(pins, board)
    return [f"on {ports[0]}"] if ports else []


def bus_ports(pins: Mapping[str, str], board: Board) -> list[str]:
    """The I2C or SPI ports, or the UARTs, of the chip that can be all the lines of a part."""
    lines = {pins[role]: signal for role, signal in _BUS_ROLES.items() if role in pins}
    if not lines and {"tx", "rx"} <= set(pins):
        lines = {pins["tx"]: "RX", pins["rx"]: "TX"}  # what a part says the chip hears
    able = [_ports_at(board, pin, signal) for pin, signal in lines.items()]
    if len(able) < 2:
        return []
    return [port for port in able[0] if all(port in others for others in able[1:])]


def _ports_at(board: Board, pin: str, signal: str) -> list[str]:
    spec = board.chip.pins.get(pin)
    groups: Iterable[Iterable[str]] = spec.alternate.values() if spec is not None else ()
    ports = (s.removesuffix(f"_{signal}") for g in groups for s in g if s.endswith(f"_{signal}"))
    return sorted(port for port in ports if port in board.chip.peripherals)


def part_line(part: Part) -> str:
    """A part on one pin, in a line."""
    if part.sensor is not None:
        return f"{part.name}: {part.kind} on {part.pin}, gives a voltage."
    level = "high" if part.active else "low"
    pull = "" if part.pull is None else f", pulled {'up' if part.pull else 'down'} on the board"
    return f"{part.name}: {part.kind} on {part.pin}, {PART_KINDS[part.kind][0]} when {level}{pull}."
