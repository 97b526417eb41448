"""Parts with several pins: chips on a bus, wires between pins, pull-ups. From [parts] of a TOML.

    EE = { kind = "24c256", scl = "PB8", sda = "PB9", address = 0x50, pull = "up" }
    FL = { kind = "w25q32", sck = "PA5", miso = "PA6", mosi = "PA7", cs = "PB6" }
    W1 = { kind = "wire", pins = ["PA5", "PB13"] }
    R1 = { kind = "resistor", pin = "PB10", pull = "up" }

A kind of chip is a file of boards/parts: which bus, which model, and the data sheet's facts.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from fwgen.board.registers import boards_folder
from fwgen.board.table import Finding, Table
from fwgen.board.types import Device
from fwgen.errors import BoardError, UnitError
from fwgen.units import parse_duration, parse_frequency

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

WIRE, RESISTOR = "wire", "resistor"
BUS_PINS: Mapping[str, tuple[str, ...]] = {
    "i2c": ("scl", "sda"),
    "spi": ("sck", "miso", "mosi", "cs"),
}
_PULLS = {"up": 1, "down": 0}
_HEX = re.compile(r"(?:\s*[0-9A-Fa-f]{2})*\s*")


@dataclass(frozen=True, slots=True)
class PartKind:
    """A chip that can stand on a bus. ``facts`` are whole numbers, times in picoseconds."""

    name: str
    title: str
    source: str
    model: str
    bus: str
    facts: Mapping[str, int]
    address: int | None = None


def _files() -> dict[str, Path]:
    return {path.stem: path for path in sorted((boards_folder() / "parts").glob("*.toml"))}


def known_devices() -> list[str]:
    """Every kind of part with several pins."""
    return [*_files(), WIRE, RESISTOR]


@cache
def load_part_kind(name: str) -> PartKind:
    """Read boards/parts/<name>.toml. Raises BoardError."""
    path = _files().get(name)
    where = f"boards/parts/{name}.toml"
    if path is None:
        raise BoardError(f"there is no part {name!r}", where="boards/parts")
    findings: list[Finding] = []
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise BoardError(f"not valid TOML: {error}", where=where) from None
    t = Table(data, where, findings)
    facts: dict[str, int] = {}
    title, source, model = t.text("title"), t.text("source"), t.text("model")
    bus = t.one_of("bus", BUS_PINS)
    address = t.number("address", high=0x7F) if bus == "i2c" else None
    inner = t.table("facts", {})
    for key, value in inner.items():
        facts[key] = _fact(inner, key, value)
    t.close()
    for finding in findings:
        raise finding.error()
    return PartKind(name, title, source, model, bus, facts, address)


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


def is_device(data: object) -> bool:
    """Whether a table of [parts] is one of these, by its kind."""
    return isinstance(data, dict) and data.get("kind") in known_devices()


def read_devices(
    data: object, where: str, find_pin: Callable[[str], str], out: list[Finding]
) -> dict[str, Device]:
    """The devices of a table [parts] in which there is nothing else.

    ``find_pin`` gives the pin of any name that the board has for it, or "".
    """
    table = Table(data, where, out)
    devices = take_devices(table, find_pin)
    for name, t in table.tables():
        read_device(name, t, find_pin)  # says that there is no such kind
    return devices


def take_devices(table: Table, find_pin: Callable[[str], str]) -> dict[str, Device]:
    """Those parts of a table [parts] that have several pins, taken from it."""
    devices: dict[str, Device] = {}
    for name in table.names():
        if is_device(table.peek(name)):
            made = read_device(name, table.table(name), find_pin)
            if made is not None:
                devices[name] = made
    check_devices(devices.values(), table.complain)
    return devices


def read_device(name: str, t: Table, find_pin: Callable[[str], str]) -> Device | None:
    """One table of [parts]; what is wrong goes into the table's findings.

    ``find_pin`` gives the pin of any name that the board has for it, or "".
    """
    kind = t.one_of("kind", known_devices())

    def pin(key: str, said: str) -> str:
        found = find_pin(said) if said else ""
        if said and not found:
            t.complain(key, f"the board has no pin {said!r}")
        return found

    made: Device | None = None
    title = t.text("title", "")
    if kind == WIRE:
        ends = [pin("pins", said) for said in t.texts("pins")]
        if len(set(ends)) < 2:
            t.complain("pins", "a wire joins two pins or more")
        made = Device(name, kind, "", "", {str(n): end for n, end in enumerate(ends)}, title=title)
    elif kind == RESISTOR:
        pull = _PULLS.get(t.one_of("pull", _PULLS))
        made = Device(name, kind, "", "", {"pin": pin("pin", t.text("pin"))}, None, pull,
                      title=title)  # fmt: skip
    elif kind:
        made = _chip(name, kind, t, pin, title)
    t.close()
    return made


def _chip(name: str, kind: str, t: Table, pin: Callable[[str, str], str], title: str) -> Device:
    known = load_part_kind(kind)
    pins = {key: pin(key, t.text(key)) for key in BUS_PINS[known.bus]}
    if len(set(pins.values())) < len(pins):
        t.complain("", "the same pin twice")
    address = None
    pull: int | None = None
    if known.bus == "i2c":
        address = t.number("address", known.address or 0, low=0x08, high=0x77)
        if t.peek("pull") is not None:
            pull = _PULLS.get(t.one_of("pull", ("up",)))
    text = t.text("content", "")
    if not _HEX.fullmatch(text):
        t.complain("content", "should be hexadecimal bytes", 'such as "48 65 6c"')
        text = ""
    content = bytes.fromhex(text)
    if len(content) > known.facts.get("bytes", 0):
        t.complain("content", f"{len(content)} bytes are more than it holds")
    return Device(
        name, kind, known.model, known.bus, pins, address, pull, known.facts, content,
        title or known.title,
    )  # fmt: skip


def check_devices(
    devices: Iterable[Device], complain: Callable[[str, str, str | None], None]
) -> None:
    """What cannot be wired together: one address twice on a bus, one chip select for two.

    ``complain`` takes the name of the device, what is wrong, and a hint.
    """
    seen: dict[tuple[object, ...], str] = {}
    for device in devices:
        key: tuple[object, ...]
        if device.bus == "i2c":
            key = (device.pins["scl"], device.pins["sda"], device.address)
            what = f"address {device.address:#x} on these pins"
        elif device.bus == "spi":
            key, what = ("cs", device.pins["cs"]), f"{device.pins['cs']} as its chip select"
        else:
            continue
        other = seen.setdefault(key, device.name)
        if other != device.name:
            complain(device.name, f"{other} has {what}, too", "give it another one")
