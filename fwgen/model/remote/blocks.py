"""Proven blocks: routines of ours that a model may name instead of emitting their bytes.

    {"label": "putc", "kind": "block", "lines": ["console.putc"]}

The unit becomes the block's machine code and constants, under the label that the model chose; it
is called with ``bl`` (CALL). Every block is run on its own in tests/model/remote/test_blocks.py.
What a board lacks is not offered there, and ``--pure`` offers none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from fwgen.errors import did_you_mean
from fwgen.image.emission import PROVEN, CodeLine, Emission, Relocation, Unit, WordLine
from fwgen.image.expression import names
from fwgen.image.facts import Facts
from fwgen.image.problems import Problem, UnsoundEmissionError
from fwgen.image.wire import SCHEMA
from fwgen.thumb import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fwgen.board.types import Board, Pin

_SYST_ON, _PENDSTCLR = 7, "1 << 25"
_UE_TE_RE = "1 << 13 | 1 << 3 | 1 << 2"


@dataclass(frozen=True, slots=True)
class Block:
    """A routine: what it does in a line for the model, its code, the words that it loads.

    A code line is "[label:] assembly [@ RELOCATION symbol]"; "$" stands for the unit's label.
    """

    name: str
    said: str
    code: tuple[str, ...]
    words: Mapping[str, str]


def blocks_of(board: Board) -> dict[str, Block]:
    """The blocks that a board can have, by name."""
    facts = Facts(board)
    made = {}
    for build in _BUILDERS:
        block = build(board)
        known = block is not None and all(
            facts.get(name) is not None
            for word in block.words.values()
            for expression in word.splitlines()
            for name in names(expression)
        )
        if block is not None and known:
            made[block.name] = block
    return made


def schema_with_blocks() -> dict[str, Any]:
    """The schema of an emission in which a unit may be a block."""
    unit = SCHEMA["properties"]["units"]["items"]
    kinds = {"type": "string", "enum": [*unit["properties"]["kind"]["enum"], "block"]}
    made = {**unit, "properties": {**unit["properties"], "kind": kinds}}
    units = {"type": "array", "items": made}
    return {**SCHEMA, "properties": {**SCHEMA["properties"], "units": units}}


def offer(board: Board) -> str:
    """What a model is told of the blocks, or "" where there are none."""
    lines = [f"{block.name}: {block.said}" for block in blocks_of(board).values()]
    if not lines:
        return ""
    return (
        'BLOCKS (kind "block", lines ["NAME"]: a routine of ours under your label, to be called: '
        '"bl putc ; f000 d000 ; CALL putc"; each changes r0-r3 and flags only)\n' + "\n".join(lines)
    )


def taken_apart(data: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """An answer without its blocks, and the blocks: label -> name."""
    units = data.get("units")
    if not isinstance(units, list):
        return data, {}
    found: dict[str, str] = {}
    rest = []
    for unit in units:
        if isinstance(unit, dict) and unit.get("kind") == "block":
            lines = unit.get("lines")
            named = lines[0] if isinstance(lines, list) and len(lines) == 1 else None
            found[str(unit.get("label", ""))] = named if isinstance(named, str) else ""
        else:
            rest.append(unit)
    return {**data, "units": rest}, found


def put_in(emission: Emission, named: Mapping[str, str], board: Board) -> Emission:
    """An emission with the blocks that it names, behind its own units.

    Raises UnsoundEmissionError for a block that there is not.
    """
    known = blocks_of(board)
    problems = []
    units: list[Unit] = []
    for label, name in named.items():
        block = known.get(name.strip())
        if block is None:
            hint = did_you_mean(name, known) or f"known: {', '.join(known)}"
            problems.append(Problem("format", f"there is no block {name!r}", label, hint=hint))
        else:
            units += _units(label, block)
    if problems:
        raise UnsoundEmissionError(tuple(problems))
    return replace(emission, units=(*emission.units, *units))


def aligned(emission: Emission) -> Emission:
    """An emission whose texts lie where ``adr`` reaches them: the wire cannot say so."""
    units = (replace(u, align=4) if u.kind == "bytes" else u for u in emission.units)
    return replace(emission, units=tuple(units))


def _units(label: str, block: Block) -> list[Unit]:
    def own(text: str) -> str:
        return text.replace("$", f"{label}.")

    lines = []
    for text in block.code:
        asm, _, relocated = own(text).partition("@")
        head, colon, rest = asm.partition(":")
        asm, name = (rest.strip(), head.strip()) if colon else (asm.strip(), None)
        kind, _, symbol = relocated.strip().partition(" ")
        lines.append(CodeLine(asm, encode(asm), Relocation(kind, symbol) if kind else None, name))
    words = [
        Unit(own(name), "words", tuple(WordLine(line) for line in word.splitlines()))
        for name, word in block.words.items()
    ]
    return [Unit(label, "code", tuple(lines), purpose=f"{PROVEN}{block.name}"), *words]


# ---------------------------------------------------------------------------- the blocks


def _change(address: str, clear: str, put: str) -> list[str]:
    """Code that clears and sets bits of the register whose address a word holds."""
    lines = [f"ldr r0, ${address} @THM_PC8 ${address}", "ldr r1, [r0, #0]"]
    if clear:
        lines += [f"ldr r2, ${clear} @THM_PC8 ${clear}", "bics r1, r2"]
    return [*lines, f"ldr r2, ${put} @THM_PC8 ${put}", "orrs r1, r2", "str r1, [r0, #0]"]


def _init(board: Board) -> Block | None:
    console = board.console
    if console is None:
        return None
    uart = board.chip.peripherals[console.uart]
    pins = [board.chip.pins[name] for name in (console.tx, console.rx)]
    functions = [
        pin.af(f"{console.uart}_{end}") for pin, end in zip(pins, ("TX", "RX"), strict=True)
    ]
    if uart.gate is None or None in functions:
        return None
    code: list[str] = []
    words: dict[str, str] = {}

    def change(name: str, address: str, clear: int, put: int) -> None:
        words[f"${name}"] = address
        words[f"${name}_put"] = f"{put:#x}"
        if clear:
            words[f"${name}_clear"] = f"{clear:#x}"
        code.extend(_change(name, f"{name}_clear" if clear else "", f"{name}_put"))

    for port in sorted({pin.port for pin in pins}):
        gate = board.chip.peripherals[f"GPIO{port}"].gate
        if gate is None:
            return None
        change(f"on{port}", f"RCC_{gate.register}", 0, 1 << gate.bit)
    change("on", f"RCC_{uart.gate.register}", 0, 1 << uart.gate.bit)
    for end, pin, function in zip(("tx", "rx"), pins, functions, strict=True):
        _route(change, end, pin, function or 0)
    words |= {
        "$brr": f"{console.uart}_BRR",
        "$div": f"round(CLK / {console.baud})",
        "$cr1": _UE_TE_RE,
    }
    code += [
        "ldr r0, $brr @THM_PC8 $brr",
        "ldr r1, $div @THM_PC8 $div",
        "str r1, [r0, #0]",
        "ldr r1, $cr1 @THM_PC8 $cr1",
        "str r1, [r0, #4]",
        "bx lr",
    ]
    said = f"sets up {console.uart} at {console.baud} baud on its pins; call it once, first"
    return Block("console.init", said, tuple(code), words)


def _route(change: Callable[[str, str, int, int], None], end: str, pin: Pin, function: int) -> None:
    """A pin to its alternate function: AFR before MODER."""
    low, lane = pin.index < 8, 4 * (pin.index % 8)
    change(f"af{end}", f"GPIO{pin.port}_AFR{'L' if low else 'H'}", 0xF << lane, function << lane)
    change(f"mode{end}", f"GPIO{pin.port}_MODER", 3 << 2 * pin.index, 2 << 2 * pin.index)


def _putc(board: Board) -> Block | None:
    if board.console is None:
        return None
    code = (
        "ldr r1, $sr @THM_PC8 $sr",
        "$wait: ldr r2, [r1, #0]",
        "lsls r2, r2, #24",
        "bpl $wait @THM_JUMP8 $wait",
        "str r0, [r1, #4]",
        "bx lr",
    )
    words = {"$sr": f"{board.console.uart}_SR"}
    return Block("console.putc", "sends the byte in r0, when there is room", code, words)


def _puts(board: Board) -> Block | None:
    if board.console is None:
        return None
    code = (
        "ldr r1, $sr @THM_PC8 $sr",
        "$next: ldrb r3, [r0, #0]",
        "cmp r3, #0",
        "beq $end @THM_JUMP8 $end",
        "$wait: ldr r2, [r1, #0]",
        "lsls r2, r2, #24",
        "bpl $wait @THM_JUMP8 $wait",
        "str r3, [r1, #4]",
        "adds r0, #1",
        "b $next @THM_JUMP11 $next",
        "$end: bx lr",
    )
    said = "sends the text at r0, which ends with a zero byte"
    words = {"$sr": f"{board.console.uart}_SR"}
    return Block("console.puts", said, code, words)


def _putu(board: Board) -> Block | None:
    if board.console is None:
        return None
    # Digits by repeated subtraction of powers of ten: no division, which small cores lack.
    code = (
        "push {r4, r5, lr}",
        "ldr r1, $sr @THM_PC8 $sr",
        "adr r3, $powers @THM_PC8 $powers",
        "movs r5, #0",
        "$power: ldr r2, [r3, #0]",
        "movs r4, #0",
        "$count: cmp r0, r2",
        "bcc $digit @THM_JUMP8 $digit",
        "subs r0, r0, r2",
        "adds r4, #1",
        "b $count @THM_JUMP11 $count",
        "$digit: orrs r5, r4",
        "cmp r2, #1",
        "beq $send @THM_JUMP8 $send",
        "cmp r5, #0",
        "beq $skip @THM_JUMP8 $skip",
        "$send: adds r4, #48",
        "$wait: ldr r2, [r1, #0]",
        "lsls r2, r2, #24",
        "bpl $wait @THM_JUMP8 $wait",
        "str r4, [r1, #4]",
        "ldr r2, [r3, #0]",
        "$skip: adds r3, #4",
        "cmp r2, #1",
        "bne $power @THM_JUMP8 $power",
        "pop {r4, r5, pc}",
    )
    powers = "\n".join(str(10**digit) for digit in reversed(range(10)))
    words = {"$sr": f"{board.console.uart}_SR", "$powers": powers}
    return Block("console.putu", "sends r0 as a decimal number", code, words)


def _getc(board: Board) -> Block | None:
    if board.console is None:
        return None
    code = (
        "ldr r1, $sr @THM_PC8 $sr",
        "$wait: ldr r2, [r1, #0]",
        "lsls r2, r2, #26",
        "bpl $wait @THM_JUMP8 $wait",
        "ldr r0, [r1, #4]",
        "bx lr",
    )
    words = {"$sr": f"{board.console.uart}_SR"}
    return Block("console.getc", "waits for a byte and returns it in r0", code, words)


def _wait(_: Board) -> Block:
    code = (
        "cpsid i",
        "cmp r0, #0",
        "beq $end @THM_JUMP8 $end",
        "ldr r1, $csr @THM_PC8 $csr",
        "ldr r2, $load @THM_PC8 $load",
        "str r2, [r1, #4]",
        "str r2, [r1, #8]",
        f"movs r3, #{_SYST_ON}",
        "str r3, [r1, #0]",
        "$nap: wfi",
        "ldr r3, [r1, #0]",
        "lsls r3, r3, #15",
        "bpl $nap @THM_JUMP8 $nap",
        "ldr r3, $icsr @THM_PC8 $icsr",
        "ldr r2, $seen @THM_PC8 $seen",
        "str r2, [r3, #0]",
        "subs r0, #1",
        "bne $nap @THM_JUMP8 $nap",
        "str r0, [r1, #0]",
        "$end: bx lr",
    )
    words = {
        "$csr": "SYST_CSR", "$load": "CLK / 1000 - 1", "$icsr": "ICSR", "$seen": _PENDSTCLR,
    }  # fmt: skip
    said = "sleeps r0 ms by SysTick, which is its own; interrupts stay masked (cpsid i)"
    return Block("wait.ms", said, code, words)


_BUILDERS: Final[tuple[Callable[[Board], Block | None], ...]] = (
    _init, _putc, _puts, _putu, _getc, _wait,
)  # fmt: skip
