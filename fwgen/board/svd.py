"""CMSIS-SVD files -> register maps: a start for someone who adds a chip.

    python -m fwgen.board.svd STM32F401.svd USART2 > boards/registers/stm32/usart_v9.toml

What an SVD says of offsets, reset values and bits is mostly right and of access kinds often too
coarse ("read-write" for a flag that a zero clears): read the result against the manual.

Source: CMSIS-SVD 1.3. Not modelled: registers that overlap others (alternate views; the first
named wins), enumerated values, interrupts.
"""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwgen.errors import BoardError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_SCALE = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_NUMBER = re.compile(r"\+?(?:(?:0x)([0-9a-f]+)|(?:#|0b)([01x]+)|(\d+))([kmgt]?)", re.IGNORECASE)
_ACCESS = {
    ("read-only", None): "r",
    ("read-only", "clear"): "rc_r",
    ("write-only", None): "w",
    ("read-write", "oneToClear"): "rc_w1",
    ("read-write", "zeroToClear"): "rc_w0",
    ("read-write", "oneToSet"): "rs",
    ("read-write", "oneToToggle"): "t",
    ("writeOnce", None): "w",
    ("read-writeOnce", None): "rw",
}


@dataclass(frozen=True, slots=True)
class SvdField:
    """A field as the SVD has it; ``access`` in the words of register maps."""

    name: str
    lsb: int
    width: int
    access: str


@dataclass(frozen=True, slots=True)
class SvdRegister:
    """A register as the SVD has it; ``offset`` in bytes, ``width`` in bits."""

    name: str
    offset: int
    width: int
    reset: int
    access: str
    fields: tuple[SvdField, ...]


def svd_number(text: str) -> int:
    """A scaledNonNegativeInteger: "0x10", "#101", "00000010" (decimal), "4k". Raises BoardError."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        raise BoardError(f"{text!r} is not a number as SVD writes them")
    hexa, binary, decimal, scale = match.groups()
    if hexa:
        value = int(hexa, 16)
    elif binary:
        value = int(binary.lower().replace("x", "0"), 2)
    else:
        value = int(decimal)
    return value * _SCALE[scale.lower()]


def read_svd(path: str | Path) -> ET.Element:
    """The root of an SVD file. Raises BoardError."""
    try:
        root = ET.parse(path).getroot()
    except (OSError, ET.ParseError) as error:
        raise BoardError(f"cannot be read as SVD: {error}", where=str(path)) from None
    if root.tag != "device":
        raise BoardError(f"is no SVD: its root is <{root.tag}>", where=str(path))
    return root


def peripheral_names(root: ET.Element) -> list[str]:
    """The names of all peripherals of an SVD."""
    return [_text(p, "name") for p in root.iter("peripheral")]


def peripheral_registers(root: ET.Element, peripheral: str) -> tuple[SvdRegister, ...]:
    """The registers of a peripheral, arrays and clusters counted out, by offset.

    Raises BoardError for an unknown peripheral and for numbers that are none.
    """
    by_name = {_text(p, "name"): p for p in root.iter("peripheral")}
    name, seen = peripheral, set[str]()
    while True:
        seen.add(name)
        found = by_name.get(name)
        if found is None:
            hint = did_you_mean(name, by_name)
            raise BoardError(f"the SVD has no peripheral {name!r}", hint=hint)
        parent = found.get("derivedFrom")
        if parent is None or parent in seen or found.find("registers") is not None:
            break
        name = parent
    holder = found.find("registers")
    inherited = _properties(found, _properties(root, {}))
    registers = [] if holder is None else list(_registers(holder, "", 0, inherited))
    return tuple(sorted(registers, key=lambda r: r.offset))


def register_map_toml(root: ET.Element, peripheral: str, source: str) -> str:
    """A register map in TOML (see fwgen.board.registers) of one peripheral. Raises BoardError."""
    lines = [f"source = {_quoted(source)}"]
    end = 0
    for register in peripheral_registers(root, peripheral):
        if register.offset < end or register.width not in (8, 16, 32):
            lines.append(f"# left out: {register.name} at {register.offset:#x}, it overlaps")
            continue
        end = register.offset + register.width // 8
        lines += ["", f"[{register.name}]", f"offset = {register.offset:#04x}"]
        if reset := register.reset & ((1 << register.width) - 1):
            lines.append(f"reset = {reset:#x}")
        if register.width != 32:
            lines.append(f"width = {register.width}")
        if register.access != "rw":
            lines.append(f'access = "{register.access}"')
        fields = [
            f'{f.name} = "{_bits(f)}{"" if f.access == register.access else " " + f.access}"'
            for f in register.fields
        ]
        if fields:
            lines.append(f"fields = {{ {', '.join(fields)} }}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _bits(f: SvdField) -> str:
    return f"{f.lsb + f.width - 1}:{f.lsb}" if f.width > 1 else f"{f.lsb}"


def _text(element: ET.Element, tag: str) -> str:
    return (element.findtext(tag) or "").strip()


def _properties(element: ET.Element, inherited: dict[str, str]) -> dict[str, str]:
    """Size, reset value and access, which SVD hands down from device to register."""
    own = {tag: _text(element, tag) for tag in ("size", "resetValue", "access")}
    return {**inherited, **{tag: text for tag, text in own.items() if text}}


def _copies(element: ET.Element) -> Iterator[tuple[str, int]]:
    """Name and extra offset of each copy of a register or cluster (dim, dimIndex)."""
    name = _text(element, "name")
    if not (dim := _text(element, "dim")):
        yield name, 0
        return
    count, step = svd_number(dim), svd_number(_text(element, "dimIncrement"))
    index = _text(element, "dimIndex")
    if (span := re.fullmatch(r"(\d+)-(\d+)", index)) is not None:
        labels = [str(n) for n in range(int(span[1]), int(span[2]) + 1)]
    else:
        labels = [part.strip() for part in index.split(",")] if index else []
    if len(labels) != count:
        labels = [str(n) for n in range(count)]
    for n, label in enumerate(labels):
        yield name.replace("[%s]", "%s").replace("%s", label), n * step


def _registers(
    holder: ET.Element, prefix: str, base: int, inherited: dict[str, str]
) -> Iterator[SvdRegister]:
    siblings = {_text(r, "name"): r for r in holder.findall("register")}
    for element in holder:
        if element.tag not in ("register", "cluster"):
            continue
        offset = base + svd_number(_text(element, "addressOffset") or "0")
        properties = _properties(element, inherited)
        for name, extra in _copies(element):
            if element.tag == "cluster":
                yield from _registers(element, f"{prefix}{name}_", offset + extra, properties)
            else:
                original = siblings.get(element.get("derivedFrom") or "")
                if original is not None:
                    properties = _properties(element, _properties(original, inherited))
                yield _register(element, original, f"{prefix}{name}", offset + extra, properties)


def _register(
    element: ET.Element,
    original: ET.Element | None,
    name: str,
    offset: int,
    properties: dict[str, str],
) -> SvdRegister:
    access = _access(properties.get("access", ""), element)
    source = element if element.find("fields") is not None or original is None else original
    fields = []
    for f in source.findall("fields/field"):
        lsb, width = _position(f, name)
        own = _text(f, "access")
        kind = _access(own or properties.get("access", ""), f)
        fields.append(SvdField(_text(f, "name"), lsb, width, kind))
    return SvdRegister(
        name,
        offset,
        svd_number(properties.get("size", "32")),
        svd_number(properties.get("resetValue", "0")),
        access,
        tuple(sorted(fields, key=lambda f: f.lsb)),
    )


def _position(f: ET.Element, register: str) -> tuple[int, int]:
    if offset := _text(f, "bitOffset"):
        return svd_number(offset), svd_number(_text(f, "bitWidth") or "1")
    if lsb := _text(f, "lsb"):
        return svd_number(lsb), svd_number(_text(f, "msb")) - svd_number(lsb) + 1
    span = re.fullmatch(r"\[(\d+):(\d+)\]", _text(f, "bitRange"))
    if span is None:
        raise BoardError(f"{register}.{_text(f, 'name')} has no bit position")
    return int(span[2]), int(span[1]) - int(span[2]) + 1


def _access(text: str, element: ET.Element) -> str:
    written = _text(element, "modifiedWriteValues") or None
    read = _text(element, "readAction") or None
    return _ACCESS.get((text, written or read)) or _ACCESS.get((text, None)) or "rw"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the register map of one peripheral of an SVD file."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) != 2:
        sys.stderr.write("usage: python -m fwgen.board.svd FILE.svd PERIPHERAL\n")
        return 2
    path, peripheral = arguments
    try:
        sys.stdout.write(register_map_toml(read_svd(path), peripheral, f"{path}: {peripheral}"))
    except BoardError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
