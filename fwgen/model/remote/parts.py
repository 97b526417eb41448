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
from fwgen.board.devices import DEVICES, WIRE
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
    return (*PART_KINDS, *SENSOR_KINDS, *known_modules(), *DEVICES)


# ---------------------------------------------------------------------------- kinds


def family(kind: str) -> tuple[object, ...]:
    """What kinds share that are wired and used alike, and differ in a figure (24c01, 24c02 ...)."""
    if kind not in known_modules():
        return (kind,)
    known = load_module_kind(kind)
    return known.model, known.buses, known.pins, known.optional, tuple(known.settings)


def title_of(kind: str) -> str:
    """What a kind is, in its file's words; "" for the plain ones."""
    return load_module_kind(kind).title if kind in known_modules() else ""


def _told(table: str, kind: str) -> Any:
    """What ``parts.toml`` says of a kind, or of all with its model; None where nothing."""
    entries = _said()[table]
    model = load_module_kind(kind).model if kind in known_modules() else kind
    return entries.get(kind, entries.get(model))


@cache
def _words_of(kind: str) -> frozenset[str]:
    """The words of a request that call for a kind."""
    # What hangs on another bus ("ssd1306-spi") is called the same.
    words = {kind, *(_told("words", kind) or _told("words", kind.partition("-")[0]) or ())}
    common = frozenset(_said()["common"])
    for word in re.findall(r"[a-z0-9][a-z0-9-]+", title_of(kind).casefold()):
        if len(word) > 2 and word not in common and not word.isdigit():
            words.add(word)
    return frozenset(fold_words(word) for word in words)


def _explains(kind: str) -> frozenset[str]:
    """The words that call for nothing else once a kind is named: a DS18B20's "temperature"."""
    if kind not in known_modules():
        return _words_of(kind)
    known = load_module_kind(kind)
    return _words_of(kind) | set(known.senses) | set(known.shows)


def kinds_for(text: str, board: Board) -> list[str]:
    """The kinds that a request calls for, those first that it names; of a family one.

    What the board itself has under a word ("the LED") calls for nothing.
    """
    folded = f" {' '.join(re.findall(r'[a-z0-9.-]+', text.casefold()))} "

    def says(word: str) -> bool:
        return re.search(rf"(?<=[ (]){re.escape(word)}(?:s|es)?(?=[ .])", folded) is not None

    named = [kind for kind in known_kinds() if says(kind) and kind not in board.words]
    told = set(board.words).union(*map(_explains, named))
    called = [
        kind
        for kind in known_kinds()
        if any(says(word) for word in _words_of(kind) if word not in told)
    ]
    chosen: dict[tuple[object, ...], str] = {}
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
    if kind in DEVICES:
        return 'resistor: pin; pull = "up" | "down".'
    known = load_module_kind(kind)
    alike = [other for other in known_modules() if family(other) == family(kind) and other != kind]
    also = f" (also {' '.join(alike)})" if alike else ""
    optional = "".join(f" ({pin})" for pin in known.optional)
    ways = [" ".join((*known.bus_pins(bus), *known.pins)) for bus in known.buses or ("",)]
    parts = [f"pins {' or '.join(ways)}{optional}"]
    measures = known.measures("i2c" if known.addresses else "")
    plain = {key: m for key, m in measures.items() if key not in known.senses}
    if known.addresses:
        del plain["pull"]
    parts += [_setting(measure) for measure in plain.values()]
    if known.addresses:
        parts.append('pull = "up" on one of a bus')
    if known.senses:
        parts.append("senses " + ", ".join(_range(m) for m in known.senses.values()))
    if known.shows:
        parts.append("shows " + ", ".join(_shown(m) for m in known.shows.values()))
    if known.keys:
        parts.append(f"press NAME.{' '.join(known.keys)}")
    if known.turns:
        parts.append("turn NAME")
    about = f" {known.about}" if known.about else ""
    return f"{kind}{also}: {known.title}; {'; '.join(parts)}.{about}"


def _setting(measure: Measure) -> str:
    if measure.quantity == "address":
        low, high = min(measure.choices), max(measure.choices)
        others = f" ({low} to {high})" if low != high else ""
        return f"address = {int(measure.rests):#04x}{others}"
    if measure.quantity == "bytes":
        return f'{measure.name} = "48 69" (hex)'
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


# ---------------------------------------------------------------------------- what is wired


def wired_told(board: Board, simple: Iterable[Part] = ()) -> str:
    """The parts that are wired to a board: pins, settings, and how to talk to them.

    Of those on one pin only ``simple``: the board's own are among its facts.
    """
    lines = [part_line(part) for part in simple]
    lines += [_module(module, board) for module in board.modules.values()]
    lines += [_device(device) for device in board.devices.values()]
    protocols = {_told("protocol", part.kind): part.kind for part in board.modules.values()}
    lines += [f"{kind}: {protocol}" for protocol, kind in protocols.items() if protocol]
    return "\n".join(["WIRED", *lines]) if lines else ""


def with_pins(board: Board) -> list[Module | Device]:
    """The parts of a board that have several pins."""
    return [*board.modules.values(), *board.devices.values()]


def _module(module: Module, board: Board) -> str:
    known = load_module_kind(module.kind)
    settings = [
        f"{key} {QUANTITIES[measure.quantity].exact(module.settings.get(key, measure.rests))}"
        for key, measure in known.settings.items()
        if measure.quantity != "bytes"
    ]
    told = [_pins_of(module.pins), *(f"on {port}" for port in bus_ports(module.pins, board)[:1])]
    if module.address is not None:
        pulled = module.settings.get("pull") == "up"
        told.append(f"address {module.address:#04x} (7 bits), {'' if pulled else 'not '}pulled up")
    told += [", ".join(settings)] if settings else []
    if facts := _facts(module.kind):
        told.append(", ".join(f"{key} {value}" for key, value in facts.items()))
    about = f" {known.about}" if known.about else ""
    return f"{module.name}: {module.kind}, {known.title}: {'; '.join(told)}.{about}"


def _device(device: Device) -> str:
    if device.kind == WIRE:
        return f"{device.name}: a wire between {' and '.join(device.pins.values())}."
    return f"{device.name}: pulls {device.pins['pin']} {'up' if device.pull else 'down'}."


@cache
def _facts(kind: str) -> Mapping[str, object]:
    """The data sheet's figures with their units, as the file of the kind has them."""
    path = boards_folder() / "parts" / f"{kind}.toml"
    facts: Mapping[str, object] = tomllib.loads(path.read_text(encoding="utf-8")).get("facts", {})
    return facts


def _pins_of(pins: Mapping[str, str]) -> str:
    return ", ".join(f"{role} {pin}" for role, pin in pins.items())


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
