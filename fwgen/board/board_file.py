"""Board files: what is soldered round a chip, read from TOML and checked against the chip."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fwgen.board.devices import DEVICES, take_devices
from fwgen.board.modules import check_modules, known_modules, outputs_in, take_modules
from fwgen.board.outputs import PinNames, no_pin
from fwgen.board.sensors import QUANTITIES, parse_sensed
from fwgen.board.table import Finding, Table, hertz, microvolts, ohms, suggest
from fwgen.board.types import Board, Chip, Console, Device, Module, Part, Sensor, fold_words
from fwgen.errors import BoardError, UnitError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

#: Kinds of part -> (the key that says at which level it is active, further keys).
PART_KINDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "led": ("lit", ("colour", "title")),
    "button": ("pressed", ("pull", "colour", "title")),
    "switch": ("closed", ("title",)),
    "buzzer": ("sounds", ("title",)),
    "speaker": ("sounds", ("title",)),
}

#: Kinds of part that give a voltage -> (the key of its resistance, the key of its curve).
SENSOR_KINDS: Mapping[str, tuple[str, str]] = {
    "potentiometer": ("ohm", ""),
    "ntc": ("ohm_25c", "beta"),
    "ldr": ("ohm_10lx", "gamma"),
}

#: What a header may carry that is no pin of the chip.
NETS = frozenset(
    {"NC", "GND", "AGND", "VDD", "3V3", "5V", "E5V", "U5V", "VIN", "VBAT", "AVDD", "AREF"}
    | {"IOREF", "RESET", "BOOT0", "VREF+", "VREF-", "VCAP"}
)

CONSOLE_WORD = "console"


def read_board(
    data: Mapping[str, object],
    name: str,
    where: str,
    find_chip: Callable[[str], Chip],
    out: list[Finding],
) -> Board | None:
    """The board of a file that ``where`` names; what is wrong goes into ``out``.

    ``find_chip`` gives the chip of a name, or raises BoardError; without a chip there is no board.
    """
    top = Table(data, where, out)
    title = top.text("title")
    chip_name = top.text("chip")
    aliases = top.texts("aliases", [])
    supply = microvolts(top, "supply", top.raw("supply", "3.3 V"))
    chip = _chip_of(chip_name, find_chip, top)
    if chip is None:
        return None
    clocks = top.table("clocks", {})
    hse, lse = (
        None if (value := clocks.raw(key, None)) is None else hertz(clocks, key, value)
        for key in ("hse", "lse")
    )
    bypass = clocks.take("hse_bypass", bool, False) is True
    clocks.close()
    _check_supply_and_hse(top, chip, supply, hse, bypass)
    probe_table = top.table("probe", {})
    probe = {key: probe_table.text(key, "") for key in ("board_id", "target", "usb_id")}
    probe_table.close()
    parts_table = top.table("parts", {})
    pins = PinNames(
        lambda name: name if name in chip.pins else "",
        lambda pin: chip.pins[pin].five_volt_tolerant,
        outputs_in(data.get("parts")),
    )
    modules = take_modules(parts_table, pins, pins.stands_5v)
    devices = take_devices(parts_table, pins)
    parts = _parts(parts_table, pins, chip)
    console_data = top.raw("console", None)
    console = None
    if console_data is not None:
        console = _console(Table(console_data, top.at("console"), out), chip)
    headers = _headers(top.table("headers", {}), chip)
    words = _words(top.table("words", {}), chip, [*parts, *modules], headers, console)
    top.close()
    _check_pin_clashes(top, chip, parts, console)
    board = Board(
        name=name,
        title=title,
        chip=chip,
        supply_uv=supply,
        hse_hz=hse,
        hse_bypass=bypass,
        lse_hz=lse,
        parts=parts,
        console=console,
        headers=headers,
        words=words,
        aliases=aliases,
        probe={key: value for key, value in probe.items() if value},
        path=where,
        devices=devices,
    )
    check_modules(modules.values(), board, parts_table.complain)
    return replace(board, modules=modules)


def _chip_of(name: str, find_chip: Callable[[str], Chip], top: Table) -> Chip | None:
    if not name:
        return None
    try:
        return find_chip(name)
    except BoardError as error:
        top.findings.append(Finding(error.where or top.at("chip"), error.message, error.hint))
        return None


def _check_supply_and_hse(
    top: Table, chip: Chip, supply: int, hse: int | None, bypass: bool
) -> None:
    states = chip.clocks.wait_states
    if not any(row.min_uv <= supply <= row.max_uv for row in states):
        top.complain("supply", f"no wait states of {chip.name} are known at this voltage")
    low, high = chip.clocks.hse_bypass_hz if bypass else chip.clocks.hse_hz
    if hse is not None and not low <= hse <= high:
        top.complain("clocks.hse", f"{chip.name} takes {low} to {high} Hz here")


def _level(t: Table, key: str) -> int:
    return 1 if t.one_of(key, ("high", "low")) == "high" else 0


def _pin_name(t: Table, key: str, chip: Chip, pins: PinNames | None = None) -> str:
    name = t.text(key)
    if pins is not None and "." in name:
        if not pins(name):
            t.complain(key, *pins.missing(name))
        return pins(name)
    if name and name not in chip.pins:
        t.complain(key, f"{chip.name} has no pin {name!r}", did_you_mean(name, chip.pins))
    return name


def _parts(table: Table, pins: PinNames, chip: Chip) -> dict[str, Part]:
    parts: dict[str, Part] = {}
    for name, t in table.tables():
        kind = t.one_of("kind", [*PART_KINDS, *SENSOR_KINDS, *DEVICES, *known_modules()])
        pin = _pin_name(t, "pin", chip, pins)
        if kind in SENSOR_KINDS:
            parts[name] = _sensor(t, name, kind, pin)
        elif kind in PART_KINDS:
            parts[name] = _part(t, name, kind, pin)
    return parts


def _part(t: Table, name: str, kind: str, pin: str) -> Part:
    """A part on one pin that is on or off."""
    active_key, further = PART_KINDS[kind]
    active = _level(t, active_key)
    pull = None
    if "pull" in further and (text := t.text("pull", "")):
        if text not in ("up", "down"):
            t.complain("pull", f"{text!r} is not 'up' or 'down'")
        pull = 1 if text == "up" else 0
    colour = (t.take("colour", str, "") or None) if "colour" in further else None
    title = t.text("title", "")
    t.close()
    if kind == "button" and pull == active:
        t.complain("pull", "pulls the pin to the level that means pressed")
    return Part(name, kind, pin, active, colour, pull, title)


def read_wired(
    data: object,
    where: str,
    find_pin: Callable[[str], str],
    five_volts_at: Callable[[str], bool],
    out: list[Finding],
) -> tuple[dict[str, Part], dict[str, Device], dict[str, Module]]:
    """Parts on one pin, devices and modules, wired to a board by someone who uses it.

    ``find_pin`` gives the pin of any name that the board has for it, or ""; ``five_volts_at`` says
    whether a pin stands 5 V.
    """
    table = Table(data, where, out)
    modules = take_modules(table, find_pin, five_volts_at)
    parts: dict[str, Part] = {}
    devices = take_devices(table, find_pin)
    for name, t in table.tables():
        kind = t.one_of("kind", [*PART_KINDS, *SENSOR_KINDS, *DEVICES, *known_modules()])
        said = t.text("pin")
        pin = find_pin(said)
        if said and not pin:
            t.complain("pin", *no_pin(find_pin, said))
        if kind in SENSOR_KINDS and pin:
            parts[name] = _sensor(t, name, kind, pin)
        elif kind in PART_KINDS and pin:
            parts[name] = _part(t, name, kind, pin)
    return parts, devices, modules


def _sensor(t: Table, name: str, kind: str, pin: str) -> Part:
    resistance, curve = SENSOR_KINDS[kind]
    ohm, fixed, value, to_supply = t.read(resistance, ohms), 0, 0, False
    if curve:
        fixed = t.read("fixed", ohms)
        to_supply = t.one_of("to", ("ground", "supply")) == "supply"
        given = t.raw(curve)
        scale = 1 if kind == "ntc" else 1000  # a gamma is a small number with decimals
        if isinstance(given, (int, float)) and not isinstance(given, bool) and 0 < given < 100_000:
            value = round(given * scale)
        if value <= 0:
            t.complain(curve, f"{given!r} should be a number above 0")
            value = 1
    rests = 0
    said = t.text("rests", QUANTITIES[kind].rests)
    try:
        rests = parse_sensed(kind, said)
    except UnitError as error:
        t.complain("rests", error.message, error.hint)
    title = t.text("title", "")
    t.close()
    if ohm <= 0 or (curve and fixed <= 0):
        t.complain(resistance, "a resistance is more than nothing")
    sensor = Sensor(max(ohm, 1), rests, max(fixed, 1) if curve else 0, value, to_supply)
    return Part(name, kind, pin, active=1, title=title, sensor=sensor)


def _console(t: Table, chip: Chip) -> Console | None:
    uart = t.one_of("uart", [n for n in chip.peripherals if "UART" in n or "USART" in n])
    tx, rx = _pin_name(t, "tx", chip), _pin_name(t, "rx", chip)
    baud = t.number("baud", 115200, low=1, high=20_000_000)
    t.close()
    for key, pin, signal in (("tx", tx, f"{uart}_TX"), ("rx", rx, f"{uart}_RX")):
        if uart and pin in chip.pins and chip.pins[pin].af(signal) is None:
            able = [p.name for p in chip.pins.values() if p.af(signal) is not None]
            t.complain(key, f"{pin} cannot be {signal}", f"these can: {', '.join(able)}")
    return Console(uart, tx, rx, baud) if uart else None


def _headers(table: Table, chip: Chip) -> dict[str, dict[str, str]]:
    headers: dict[str, dict[str, str]] = {}
    seen: dict[str, str] = {}
    for name, value in table.items():
        if isinstance(value, list):
            stem = name.split()[-1] if name.split() else name
            labelled = {f"{stem}-{n}": v for n, v in enumerate(value, start=1)}
        elif isinstance(value, dict):
            labelled = dict(value)
        else:
            table.complain(name, "should be a table of label = pin, or a list of pins from 1")
            continue
        t = Table(labelled, table.at(name), table.findings)
        headers[name] = {}
        for label, pin in t.items():
            if not isinstance(pin, str) or (pin not in chip.pins and pin not in NETS):
                t.complain(
                    label, f"{chip.name} has no pin {pin!r}", did_you_mean(str(pin), chip.pins)
                )
                continue
            folded = label.casefold()
            if folded in seen:
                t.complain(label, f"is already a label of {seen[folded]}")
            if label.upper() in chip.pins and label.upper() != pin:
                t.complain(label, f"is the name of another pin than {pin}")
            seen[folded] = name
            headers[name][label] = pin
    return headers


def _words(
    t: Table,
    chip: Chip,
    parts: Collection[str],
    headers: Mapping[str, Mapping[str, str]],
    console: Console | None,
) -> dict[str, str]:
    labels = [label for header in headers.values() for label in header]
    known = {*parts, *chip.pins, *labels, *([CONSOLE_WORD] if console else [])}
    words: dict[str, str] = {}
    for word, meant in t.items():
        folded = fold_words(word)
        if not isinstance(meant, str) or meant not in known:
            t.complain(
                word, f"there is no part or pin {meant!r}", suggest(str(meant), sorted(known))
            )
        elif folded in words and words[folded] != meant:
            t.complain(word, f"already means {words[folded]}")
        else:
            words[folded] = meant
    return words


def _check_pin_clashes(
    top: Table, chip: Chip, parts: Mapping[str, Part], console: Console | None
) -> None:
    taken: dict[str, str] = {}
    if console:
        taken = {console.tx: "the console's tx", console.rx: "the console's rx"}
        if console.tx == console.rx:
            top.complain("console.rx", "is the same pin as tx")
    for pin in chip.pins.values():
        if pin.af("SWDIO") is not None or pin.af("SWCLK") is not None:
            taken[pin.name] = "the debug probe"
    for part in parts.values():
        if part.pin in taken:
            top.complain(f"parts.{part.name}.pin", f"{part.pin} belongs to {taken[part.pin]}")
        taken[part.pin] = part.name
