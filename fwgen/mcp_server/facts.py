"""Tools that look things up: boards, their pins and registers, and Thumb-2 encodings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from mcp_types import CallToolResult
from pydantic import BaseModel, Field

from fwgen.errors import InputError, did_you_mean
from fwgen.mcp_server.replies import Ctx, Reply, reply, shop_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwgen.board.registers import Field as RegisterField
    from fwgen.board.registers import RegisterMap, RegisterSpec
    from fwgen.board.types import Board, PeripheralSpec

MOST_LINES = 256  # that are encoded or decoded in one call
BoardName = Annotated[str, Field(description="name of a board (list_boards), or a board's .toml")]


# ---------------------------------------------------------------------------- boards


class BoardLine(BaseModel):
    """A board in a list."""

    name: str
    title: str
    chip: str
    aliases: list[str]


class Boards(Reply):
    """The boards there are."""

    boards: list[BoardLine]

    def text(self) -> str:
        """One a line."""
        return "\n".join(f"{b.name}: {b.title}, {b.chip}" for b in self.boards)


def list_boards() -> Annotated[CallToolResult, Boards]:
    """List the boards that fwgen knows."""
    from fwgen.board import list_boards as known

    lines = [
        BoardLine(name=b.name, title=b.title, chip=b.chip, aliases=list(b.aliases)) for b in known()
    ]
    return reply(Boards(boards=lines))


class PinFacts(BaseModel):
    """What a pin is, and can be."""

    name: str
    labels: list[str]
    used_by: str
    functions: str


class BoardFacts(Reply):
    """A board in short."""

    board: str
    facts: str = Field(description="chip, memories, clock after reset, parts, console")
    words: dict[str, str] = Field(description="what prompts may call things, and what that means")
    modelled: list[str] = Field(description="peripherals that the machine models")
    not_modelled: list[str] = Field(description="touching one makes a PASS an UNSURE")
    headers: dict[str, dict[str, str]] = Field(description="label -> pin")
    pins: list[PinFacts]

    def text(self) -> str:
        """All of it."""
        lines = [
            self.facts,
            f"modelled: {', '.join(self.modelled)}",
            f"not modelled: {', '.join(self.not_modelled) or 'nothing'}",
        ]
        for title, pins in self.headers.items():
            lines.append(f"{title}: " + " ".join(f"{label}={pin}" for label, pin in pins.items()))
        for pin in self.pins:
            used = f", used by {pin.used_by}" if pin.used_by else ""
            labels = f" ({', '.join(pin.labels)})" if pin.labels else ""
            lines.append(f"{pin.name}{labels}{used}: {pin.functions}")
        return "\n".join(lines)


def board_facts(
    ctx: Ctx,
    board: BoardName,
    pins: Annotated[
        list[str], Field(description='pins to tell all functions of: "D7", "PA5", "LD2"')
    ] = [],  # noqa: B006 - the SDK makes a model of it
) -> Annotated[CallToolResult, BoardFacts]:
    """What a board is: chip, memories, clock, parts, console, headers, what is modelled.

    For the pins that are named also every alternate function.
    """
    from fwgen.model.remote.system import board_facts as facts

    the = shop_of(ctx).board(board)
    chip = the.chip
    # Labels such as "CN7-23" are for who holds a wire; "pins" tells them, too.
    short = {
        title: dict(labels)
        for title, labels in the.headers.items()
        if not all("-" in label for label in labels)
    }
    return reply(
        BoardFacts(
            board=the.name,
            facts=facts(the),
            words=dict(the.words),
            modelled=[p.name for p in chip.peripherals.values() if p.kind is not None],
            not_modelled=[p.name for p in chip.peripherals.values() if p.kind is None],
            headers=short,
            pins=[_pin(the, name) for name in pins[:16]],
        )
    )


def _pin(board: Board, name: str) -> PinFacts:
    from fwgen.board.pinmap import pin_map

    pin = board.find_pin(name)
    if pin is None:
        known = [*board.chip.pins, *(label for h in board.headers.values() for label in h)]
        raise InputError(f"{board.name} has no pin {name!r}", hint=did_you_mean(name, known))
    rows = [row for group in pin_map(board).groups for row in group.rows if row.pin == pin.name]
    row = rows[-1]  # of the port: the headers' rows come first
    return PinFacts(
        name=pin.name, labels=list(row.labels), used_by=row.used_by, functions=row.functions
    )


# ---------------------------------------------------------------------------- registers


class RegisterFacts(BaseModel):
    """A register with its fields."""

    name: str
    address: str
    reset: str
    fields: dict[str, str] = Field(
        description='name -> bits, and access unless rw: "7:4 r"; fields in a row are one entry: '
        '"MODER0..15" -> "2 bits each from 0"'
    )


class PeripheralFacts(Reply):
    """A peripheral, and some or all of its registers."""

    peripheral: str
    base: str
    bus: str
    clock_enable: str = Field(description="the bit that turns its clock on, or empty")
    interrupts: dict[str, int] = Field(description="request -> IRQ number")
    modelled: bool
    source: str
    registers: list[RegisterFacts]

    def text(self) -> str:
        """A line a register."""
        gate = f", clock: {self.clock_enable}" if self.clock_enable else ""
        irqs = "".join(f", {name} IRQ {n}" for name, n in self.interrupts.items())
        known = "" if self.modelled else ", NOT MODELLED"
        lines = [f"{self.peripheral} {self.base} on {self.bus}{gate}{irqs}{known} [{self.source}]"]
        for r in self.registers:
            fields = " ".join(f"{name}={bits}" for name, bits in r.fields.items())
            lines.append(f"{r.address} {r.name} reset {r.reset}: {fields}".rstrip(": "))
        return "\n".join(lines)


def registers(
    ctx: Ctx,
    board: BoardName,
    peripheral: Annotated[str, Field(description='such as "GPIOA", "TIM2", "RCC"')] = "",
    register: Annotated[str, Field(description='only this one: "MODER"')] = "",
    address: Annotated[str, Field(description='or what lies here: "0x40020014"')] = "",
) -> Annotated[CallToolResult, PeripheralFacts]:
    """Registers of a peripheral with addresses, reset values and fields; or the one at an address.

    Expressions of an emission may use these names: GPIOA_MODER, RCC_AHB1ENR_GPIOAEN (a mask).
    """
    return reply(find_registers(shop_of(ctx).board(board), peripheral, register, address))


def find_registers(
    board: Board, peripheral: str, register: str = "", address: str = ""
) -> PeripheralFacts:
    """The registers that are meant. Raises InputError that names what there is."""
    from fwgen.image.facts import register_map

    at = _address(address) if address else None
    spec = _at(board, at) if at is not None else _named(board, peripheral)
    mapped = register_map(spec)
    shown = list(mapped.registers.values()) if mapped is not None else []
    if at is not None and mapped is not None:
        one = mapped.at(at - spec.base)
        if one is None:
            raise InputError(f"{at:#010x} is in {spec.name}, at no register of it",
                             hint=f"registers: {', '.join(mapped.registers)}")  # fmt: skip
        shown = [one]
    elif register:
        shown = [_register(spec, mapped, register)]
    gate = spec.gate
    return PeripheralFacts(
        peripheral=spec.name,
        base=f"{spec.base:#010x}",
        bus=spec.bus,
        clock_enable=f"RCC_{gate.register} bit {gate.bit}" if gate is not None else "",
        interrupts=dict(spec.irqs),
        modelled=spec.kind is not None,
        source=mapped.source if mapped is not None else "its registers have no names here",
        registers=[_shown(spec, one) for one in shown],
    )


def _address(text: str) -> int:
    try:
        return int(text.replace("_", ""), 0)
    except ValueError:
        raise InputError(f"{text!r} is no address", hint='such as "0x40020014"') from None


def _at(board: Board, address: int) -> PeripheralSpec:
    spec = board.chip.peripheral_at(address)
    if spec is None:
        raise InputError(f"there is no peripheral at {address:#010x} on {board.chip.title}")
    return spec


def _named(board: Board, name: str) -> PeripheralSpec:
    known = board.chip.peripherals
    spec = known.get(name.strip().upper())
    if spec is None:
        hint = did_you_mean(name, known) or f"there is {', '.join(known)}"
        raise InputError(f"{board.name} has no peripheral {name!r}", hint=hint)
    return spec


def _register(spec: PeripheralSpec, mapped: RegisterMap | None, name: str) -> RegisterSpec:
    known = mapped.registers if mapped is not None else {}
    bare = name.strip().upper().removeprefix(f"{spec.name}_")
    if bare not in known:
        hint = did_you_mean(bare, known) or f"there is {', '.join(known)}"
        raise InputError(f"{spec.name} has no register {name!r}", hint=hint)
    return known[bare]


def _shown(spec: PeripheralSpec, one: RegisterSpec) -> RegisterFacts:
    return RegisterFacts(
        name=one.name,
        address=f"{spec.base + one.offset:#010x}",
        reset=f"{one.reset:#x}",
        fields=dict(_folded(sorted(one.fields.values(), key=lambda f: f.lsb))),
    )


def _folded(fields: list[RegisterField]) -> Iterator[tuple[str, str]]:
    """Fields and their bits; those that only count up (MODER0, MODER1 ...) are one entry."""
    at = 0
    while at < len(fields):
        first = fields[at]
        count = 1
        while at + count < len(fields) and _follows(first, fields[at + count], count):
            count += 1
        access = "" if first.access.value == "rw" else f" {first.access.value}"
        if count > 2:
            stem, number = _numbered(first.name)
            what = "1 bit" if first.width == 1 else f"{first.width} bits"
            yield f"{stem}{number}..{number + count - 1}", f"{what} each from {first.lsb}{access}"
            at += count
        else:
            high = f"{first.lsb + first.width - 1}:" if first.width > 1 else ""
            yield first.name, f"{high}{first.lsb}{access}"
            at += 1


def _numbered(name: str) -> tuple[str, int]:
    stem = name.rstrip("0123456789")
    return stem, int(name[len(stem) :] or -1)


def _follows(first: RegisterField, other: RegisterField, count: int) -> bool:
    stem, number = _numbered(first.name)
    return (
        number >= 0
        and _numbered(other.name) == (stem, number + count)
        and (other.width, other.access) == (first.width, first.access)
        and other.lsb == first.lsb + count * first.width
    )


# ---------------------------------------------------------------------------- encodings


class Encoded(BaseModel):
    """One line, as it is in bytes."""

    asm: str
    hex: str = Field(description="as the manual prints it; empty where there is none")
    wrong: str = Field(description="what is wrong with the line; empty: nothing")


class Encodings(Reply):
    """Assembly lines as machine code."""

    lines: list[Encoded]

    def text(self) -> str:
        """A line each, as an emission has it."""
        return "\n".join(
            f"{one.asm} ; {one.hex}" + (f"   <- {one.wrong}" if one.wrong else "")
            if one.hex else f"{one.asm}   <- {one.wrong}"
            for one in self.lines
        )  # fmt: skip


def encode(
    lines: Annotated[
        list[str],
        Field(
            description='assembly: "movs r0, #1"; or a line of an emission, whose hex is then held '
            'against it: "movs r0, #1 ; 2001", "bl putc ; f000 d000 ; CALL putc"'
        ),
    ],
) -> Annotated[CallToolResult, Encodings]:
    """Thumb-2 assembly to machine code, or a check of hex against the assembly that it should be.

    Instructions that name a label are written with a relocation; their offset bits stay 0.
    """
    _not_too_many(lines)
    return reply(Encodings(lines=[_encoded(line) for line in lines]))


def _not_too_many(lines: list[str]) -> None:
    if not 0 < len(lines) <= MOST_LINES:
        raise InputError(f"between 1 and {MOST_LINES} lines in one call, not {len(lines)}")


def _encoded(line: str) -> Encoded:
    from fwgen.image.wire import SHORT
    from fwgen.thumb import EncodeError, manual
    from fwgen.thumb import encode as as_bytes
    from fwgen.thumb.belief import disagreement

    asm, *rest = (part.strip() for part in line[:200].split(";", 3))
    bare = asm.partition(":")[2].strip() if ":" in asm else asm
    if not rest:
        try:
            return Encoded(asm=asm, hex=manual(as_bytes(bare)), wrong="")
        except EncodeError as error:
            hint = f" ({error.hint})" if error.hint else ""
            return Encoded(asm=asm, hex="", wrong=f"{error.message}{hint}")
    try:
        code = _code(rest[0])
    except InputError as error:
        return Encoded(asm=asm, hex="", wrong=error.message)
    relocation = rest[1].split()[0].upper() if len(rest) > 1 and rest[1] else None
    long = SHORT.get(relocation, relocation) if relocation else None
    found = disagreement(bare, code, long)
    return Encoded(asm=asm, hex=manual(code), wrong=found.reason if found is not None else "")


def _code(text: str) -> bytes:
    """Halfwords as the manual prints them, as bytes in memory order."""
    digits = "".join(text.replace("0x", "").split())
    try:
        code = bytes.fromhex(digits)
    except ValueError:
        raise InputError(f"{text[:40]!r} is no hex") from None
    if not code or len(code) % 2:
        raise InputError(f"{text[:40]!r} is no run of halfwords", hint='such as "2001" "f000 d000"')
    return b"".join(code[at : at + 2][::-1] for at in range(0, len(code), 2))


class DecodedLine(BaseModel):
    """One instruction."""

    address: str
    hex: str
    asm: str
    valid: bool


class Decodings(Reply):
    """Machine code as assembly."""

    lines: list[DecodedLine]

    def text(self) -> str:
        """A line each."""
        return "\n".join(f"{one.address}  {one.hex:<9}  {one.asm}" for one in self.lines)


def decode(
    code: Annotated[
        str, Field(description='halfwords as the manual prints them: "2001 f000 f801 e7fe"')
    ],
    address: Annotated[str, Field(description="where the first lies: branches show where to")] = (
        "0x08000000"
    ),
) -> Annotated[CallToolResult, Decodings]:
    """Thumb-2 machine code to assembly, by a decoder that shares nothing with the encoder."""
    from fwgen.thumb import decode_all, manual

    data = _code(code)
    if len(data) > 4 * MOST_LINES:
        raise InputError(f"{len(data)} bytes are too many for one call",
                         hint="explain shows a whole firmware")  # fmt: skip
    lines = [
        DecodedLine(
            address=f"{one.address:#010x}", hex=manual(one.code), asm=one.text, valid=one.valid
        )
        for one in decode_all(data, _address(address))
    ]
    return reply(Decodings(lines=lines))
