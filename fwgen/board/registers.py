"""Register maps: the names, offsets, reset values and access kinds of one IP version.

A map is a TOML file, ``boards/registers/<family>/<ip_version>.toml``; one table per register:

    source = "RM0368 §19.6"
    [SR]
    offset = 0x00
    reset = 0x00C0            # default 0
    width = 32                # bits, default 32
    access = "rw"             # default for the register's fields
    fields = { PE = "0 r", TC = "6 rc_w0", DIV = "15:4" }

Bits that belong to no field are reserved. The same map names what a listing touches, what a Gap
is, and what the machine's model of the peripheral hangs its behaviour on.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import Enum
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from fwgen.errors import BoardError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping


class Access(Enum):
    """How software may touch a field, as ST's manuals abbreviate it (RM0368 §1.1)."""

    RW = "rw"
    R = "r"
    W = "w"
    RC_W0 = "rc_w0"  # read; write 0 clears, 1 has no effect
    RC_W1 = "rc_w1"  # read; write 1 clears, 0 has no effect
    RS = "rs"  # read; write 1 sets, 0 has no effect
    RC_R = "rc_r"  # reading clears
    T = "t"  # write 1 toggles


@dataclass(frozen=True, slots=True)
class Field:
    """Bits ``lsb`` .. ``lsb + width - 1`` of a register."""

    name: str
    lsb: int
    width: int
    access: Access

    @property
    def mask(self) -> int:
        """The field's bits, in place."""
        return ((1 << self.width) - 1) << self.lsb


@dataclass(frozen=True)
class RegisterSpec:
    """One register: ``offset`` in bytes from the peripheral's base, ``width`` in bits."""

    name: str
    offset: int
    reset: int
    width: int
    fields: Mapping[str, Field]

    @cached_property
    def defined(self) -> int:
        """Mask of the bits that belong to a field; the others are reserved."""
        mask = 0
        for f in self.fields.values():
            mask |= f.mask
        return mask

    @cached_property
    def layout(self) -> tuple[int, int, int, int, int, int, int, int]:
        """For a ``Register``: the bits rw, rc_w0, rc_w1, rs, t, rc_r; what reads; what is reserved.

        A chip has a thousand registers, and each run makes them anew.
        """
        m, every = self.masks, (1 << self.width) - 1
        return (
            m[Access.RW], m[Access.RC_W0], m[Access.RC_W1], m[Access.RS], m[Access.T],
            m[Access.RC_R], every & ~m[Access.W], every & ~sum(m.values()),
        )  # fmt: skip

    @cached_property
    def masks(self) -> Mapping[Access, int]:
        """The bits of each access kind; worked out once for all instances."""
        masks = dict.fromkeys(Access, 0)
        for f in self.fields.values():
            masks[f.access] |= f.mask
        return masks


@dataclass(frozen=True, slots=True)
class RegisterMap:
    """All registers of one IP version, by name."""

    name: str  # "stm32.usart_v1"
    source: str
    registers: Mapping[str, RegisterSpec]

    def at(self, offset: int) -> RegisterSpec | None:
        """The register that holds the byte at ``offset``, or None."""
        return next(
            (r for r in self.registers.values() if r.offset <= offset < r.offset + r.width // 8),
            None,
        )

    def after_reset(self, offset: int, size: int) -> int:
        """What ``size`` bytes at ``offset`` hold after reset; 0 where there is no register."""
        spec = self.at(offset)
        shifted = spec.reset >> 8 * (offset - spec.offset) if spec is not None else 0
        return shifted & (1 << 8 * size) - 1


def boards_folder() -> Path:
    """The folder of board, chip and register files that this installation uses."""
    packaged = Path(__file__).resolve().parents[1] / "_boards"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[2] / "boards"


def known_register_maps() -> list[str]:
    """The names of all register maps of this installation: "stm32.usart_v2" ..."""
    folder = boards_folder() / "registers"
    files = (p.relative_to(folder).with_suffix("") for p in folder.rglob("*.toml"))
    return sorted(".".join(p.parts) for p in files)


@cache
def load_register_map(name: str) -> RegisterMap:
    """Read ``boards/registers/<name with slashes>.toml``. Raises BoardError."""
    folder = boards_folder() / "registers"
    path = folder.joinpath(*name.split(".")).with_suffix(".toml")
    where = f"boards/registers/{'/'.join(name.split('.'))}.toml"
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        hint = did_you_mean(name, known_register_maps())
        raise BoardError(f"there is no register map {name!r}", where=where, hint=hint) from None
    except tomllib.TOMLDecodeError as error:
        raise BoardError(f"not valid TOML: {error}", where=where) from None
    source = data.pop("source", None)
    if not isinstance(source, str):
        raise BoardError("a register map names its source", where=where, hint='source = "RM0368"')
    registers = {key: _register(key, table, f"{where}: {key}") for key, table in data.items()}
    _check_no_overlap(registers, where)
    return RegisterMap(name, source, registers)


def _register(name: str, table: object, where: str) -> RegisterSpec:
    if not isinstance(table, dict):
        raise BoardError("a register is a table", where=where)
    unknown = set(table) - {"offset", "reset", "width", "access", "fields"}
    if unknown:
        raise BoardError(f"unknown key {sorted(unknown)[0]!r}", where=where)
    offset, width = table.get("offset"), table.get("width", 32)
    reset, default = table.get("reset", 0), table.get("access", "rw")
    if not isinstance(offset, int) or offset < 0:
        raise BoardError("a register needs an offset", where=where)
    if width not in (8, 16, 32):
        raise BoardError(f"width {width!r} is not 8, 16 or 32 bits", where=where)
    if not isinstance(reset, int) or reset >> width:
        raise BoardError(f"reset value {reset!r} does not fit {width} bits", where=where)
    fields: dict[str, Field] = {}
    taken = 0
    for field_name, text in table.get("fields", {}).items():
        made = _field(field_name, str(text), str(default), f"{where}.{field_name}")
        if made.mask & taken or made.mask >> width:
            raise BoardError("bits overlap another field or lie outside", where=where)
        taken |= made.mask
        fields[field_name] = made
    return RegisterSpec(name, offset, reset, width, fields)


def _field(name: str, text: str, default: str, where: str) -> Field:
    bits, _, access = text.partition(" ")
    high, _, low = bits.partition(":")
    try:
        msb, lsb = int(high), int(low or high)
        kind = Access(access.strip() or default)
    except ValueError:
        raise BoardError(
            f"{text!r} is not bits and access", where=where, hint='write "7:4 rw" or "3 rc_w0"'
        ) from None
    if msb < lsb:
        raise BoardError(f"{text!r}: highest bit first", where=where)
    return Field(name, lsb, msb - lsb + 1, kind)


def _check_no_overlap(registers: Mapping[str, RegisterSpec], where: str) -> None:
    ordered = sorted(registers.values(), key=lambda r: r.offset)
    for one, two in pairwise(ordered):
        if one.offset + one.width // 8 > two.offset:
            raise BoardError(f"{one.name} and {two.name} overlap", where=where)
