r"""An emission as JSON: what a remote model answers, and what an emission is kept as.

    {"plan": "...", "units": [{"label": "reset", "kind": "code", "lines": [...]}, ...],
     "vectors": ["Reset=reset", "15=tick"]}

    kind    one line of a unit
    code    [label:] asm ; hex [; REL symbol] [; comment]      "loop: bne wait ; d100 ; J8 wait"
            (MOVW and MOVT take an expression for a symbol)
    words   expression [; comment]                             "CLK/1000-1"
    bytes   a JSON string, or bytes in hex                     "\"on\\r\\n\"", "0d 0a"
    zero    one line: the number of bytes                      "4"

The hex is written as the manual prints it: halfwords, most significant nibble first, two for a
32-bit instruction. Offset bits stay zero where a relocation stands. ``purpose`` and ``align`` of
a unit do not travel.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from fwgen.errors import did_you_mean
from fwgen.image import expression
from fwgen.image.emission import CodeLine, Emission, Kind, Relocation, Unit, WordLine
from fwgen.image.problems import Problem, UnsoundEmissionError
from fwgen.thumb.belief import manual

# Short names cost a model fewer tokens; the ELF names are understood too.
SHORT: Final = {
    "PC8": "THM_PC8",
    "PC12": "THM_PC12",
    "ADR": "THM_ALU_PREL_11_0",
    "J6": "THM_JUMP6",
    "J8": "THM_JUMP8",
    "J11": "THM_JUMP11",
    "J19": "THM_JUMP19",
    "J24": "THM_JUMP24",
    "CALL": "THM_CALL",
    "MOVW": "THM_MOVW_ABS_NC",
    "MOVT": "THM_MOVT_ABS",
    "ABS32": "ABS32",
}
_LONG: Final = {long: short for short, long in SHORT.items()}
_KINDS: Final[tuple[Kind, ...]] = ("code", "words", "bytes", "zero")
ABSOLUTE: Final = frozenset({"THM_MOVW_ABS_NC", "THM_MOVT_ABS", "ABS32"})
"""Relocations that take a value, hence an expression in the symbol's place too."""
MAX_BYTES: Final = 1 << 20  # of one unit: far above any chip we know, far below a memory bomb

SCHEMA: Final[dict[str, Any]] = {
    "title": "Emission",
    "type": "object",
    "additionalProperties": False,
    "required": ["plan", "units", "vectors"],
    "properties": {
        "plan": {"type": "string"},
        "units": {
            "type": "array",
            "items": {
                "title": "Unit",
                "type": "object",
                "additionalProperties": False,
                "required": ["label", "kind", "lines"],
                "properties": {
                    "label": {"type": "string"},
                    "kind": {"type": "string", "enum": list(_KINDS)},
                    "lines": {"type": "array", "items": {"type": "string"}},
                },
            },
        },
        "vectors": {"type": "array", "items": {"type": "string"}},
    },
}
"""JSON schema of the wire format; flat, so that strict-schema servers accept it."""

_NAME = r"[A-Za-z_.][A-Za-z0-9_.$]*"
_LABELLED = re.compile(rf"({_NAME})\s*:\s*(.*)", re.ASCII | re.DOTALL)
_HEX = re.compile(r"[0-9a-fA-F]{4}(?:\s?[0-9a-fA-F]{4})?")
_RELOCATION = re.compile(r"(\w+)\s+(.+)", re.ASCII)
_ADDEND = re.compile(rf"({_NAME})" r"\s*([+-])\s*(0[xX][0-9a-fA-F]{1,8}|\d{1,10})", re.ASCII)
_VECTOR = re.compile(rf"\s*(\w+)\s*=\s*({_NAME})\s*", re.ASCII)
_BYTES = re.compile(r"(?:[0-9a-fA-F]{2}\s*)*")


class _LineError(ValueError):
    """What is wrong with one line; its place is added by whoever reads the unit."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


def parse_emission(text: str) -> Emission:
    """Read the wire format.

    Raises UnsoundEmissionError with every problem found, each with its unit and line.
    """
    problems: list[Problem] = []
    data = _object(text)
    _check_keys(data, {"plan", "units", "vectors"}, "", problems)
    plan, raw_units, raw_vectors = (data.get(key) for key in ("plan", "units", "vectors"))
    if not isinstance(plan, str):
        problems.append(Problem("format", "plan is a text"))
        plan = ""
    units: list[Unit] = []
    if isinstance(raw_units, list):
        units = [_unit(raw, number, problems) for number, raw in enumerate(raw_units, 1)]
    else:
        problems.append(Problem("format", "units is a list"))
    vectors: list[tuple[str, str]] = []
    if not isinstance(raw_vectors, list):
        problems.append(Problem("format", "vectors is a list"))
        raw_vectors = []
    for raw in raw_vectors:
        match = _VECTOR.fullmatch(raw) if isinstance(raw, str) else None
        if match is None:
            hint = 'write "Reset=label", "SysTick=label" or "15=label"'
            problems.append(Problem("format", f"{_brief(raw)} is not a vector", hint=hint))
        else:
            vectors.append((match[1], match[2]))
    if problems:
        raise UnsoundEmissionError(tuple(problems))
    return Emission(plan, tuple(units), tuple(vectors))


def dump_emission(emission: Emission) -> str:
    """An emission in the wire format; ``parse_emission`` gives it back."""
    units = [
        {"label": unit.label, "kind": unit.kind, "lines": _dump_lines(unit)}
        for unit in emission.units
    ]
    vectors = [f"{name}={label}" for name, label in emission.vectors]
    data = {"plan": emission.plan, "units": units, "vectors": vectors}
    return json.dumps(data, indent=1, ensure_ascii=False)


def _object(text: str) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise _LineError(f"{twice!r} stands twice in one object")
        return dict(pairs)

    try:
        data = json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise _whole(f"not JSON: {error.msg} at {place}") from None
    except (_LineError, RecursionError, ValueError) as error:
        deep = isinstance(error, RecursionError)
        raise _whole("nested too deeply" if deep else str(error)) from None
    if not isinstance(data, dict):
        raise _whole("an emission is one JSON object")
    return data


def _whole(message: str) -> UnsoundEmissionError:
    return UnsoundEmissionError((Problem("format", message),))


def _check_keys(
    data: dict[str, Any], allowed: set[str], unit: str, problems: list[Problem]
) -> None:
    for key in data:
        if key not in allowed:
            hint = did_you_mean(key, allowed)
            problems.append(Problem("format", f"unknown key {key!r}", unit, hint=hint))
    problems += [
        Problem("format", f"{key!r} is missing", unit) for key in sorted(allowed - set(data))
    ]


def _brief(raw: object) -> str:
    shown = repr(raw)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def _unit(raw: object, number: int, problems: list[Problem]) -> Unit:
    nothing = Unit(f"#{number}", "bytes")
    if not isinstance(raw, dict):
        problems.append(Problem("format", "a unit is an object", nothing.label))
        return nothing
    label, kind, lines = raw.get("label"), raw.get("kind"), raw.get("lines")
    named = isinstance(label, str) and re.fullmatch(_NAME, label, re.ASCII) is not None
    name = label if isinstance(label, str) and named else nothing.label
    before = len(problems)
    _check_keys(raw, {"label", "kind", "lines"}, name, problems)
    if "label" in raw and not named:
        hint = "letters, digits, _ and ., not starting with a digit"
        problems.append(Problem("format", f"{_brief(label)} is not a label", name, hint=hint))
    if "kind" in raw and kind not in _KINDS:
        hint = f"one of {', '.join(_KINDS)}"
        problems.append(Problem("format", f"{_brief(kind)} is not a kind", name, hint=hint))
    if "lines" in raw and not (
        isinstance(lines, list) and all(isinstance(line, str) for line in lines)
    ):
        problems.append(Problem("format", "lines is a list of texts", name))
    if len(problems) > before:
        return nothing
    assert isinstance(lines, list)
    return _read_lines(name, kind, lines, problems)


def _read_lines(name: str, kind: Any, lines: list[str], problems: list[Problem]) -> Unit:
    read: list[CodeLine | WordLine] = []
    data, size = b"", 0
    for number, line in enumerate(lines, 1):
        try:
            if kind == "code":
                read.append(_code_line(line))
            elif kind == "words":
                read.append(_word_line(line))
            elif kind == "bytes":
                data += _byte_line(line)
            else:
                size += _zero_line(line)
        except _LineError as error:
            problems.append(Problem("format", str(error), name, line=number, hint=error.hint))
    if kind == "zero" and len(lines) != 1:
        problems.append(Problem("format", "a zero unit has one line: its size in bytes", name))
    return Unit(name, kind, tuple(read), data, size)


def _code_line(line: str) -> CodeLine:
    fields = [part.strip() for part in line.split(";", 3)]
    if len(fields) < 2:
        raise _LineError(f"{_brief(line)} is not code", "write: asm ; hex ; REL symbol")
    asm, digits = fields[0], fields[1]
    label = None
    if match := _LABELLED.fullmatch(asm):
        label, asm = match[1], match[2]
    if not asm:
        raise _LineError("the asm is empty", "write: asm ; hex ; REL symbol")
    if _HEX.fullmatch(digits) is None:
        raise _LineError(
            f"{_brief(digits)} is not the hex of an instruction",
            "4 digits, or 8 for a 32-bit instruction, as the manual prints them",
        )
    code = bytes.fromhex(digits)
    code = b"".join(code[at : at + 2][::-1] for at in range(0, len(code), 2))
    relocation = _relocation(fields[2]) if len(fields) > 2 and fields[2] else None
    return CodeLine(asm, code, relocation, label, fields[3] if len(fields) > 3 else "")


def _relocation(text: str) -> Relocation:
    match = _RELOCATION.fullmatch(text)
    if match is None:
        raise _LineError(f"{_brief(text)} is not a relocation", "write: REL symbol, as PC8 k_rcc")
    name, symbol = match[1], match[2].strip()
    kind = SHORT.get(name.upper(), name.upper().removeprefix("R_ARM_"))
    if kind not in _LONG:
        hint = did_you_mean(name, SHORT) or f"one of {', '.join(SHORT)}"
        raise _LineError(f"{name!r} is no relocation that we know", hint)
    if plain := _ADDEND.fullmatch(symbol):
        addend = int(plain[3], 0 if plain[3][:2] in ("0x", "0X") else 10)
        return Relocation(kind, plain[1], -addend if plain[2] == "-" else addend)
    if kind not in ABSOLUTE and not expression.is_name(symbol):
        raise _LineError(f"{_brief(symbol)} is not a symbol", "a label, or a label + bytes")
    return Relocation(kind, _checked(symbol))


def _word_line(line: str) -> WordLine:
    text, _, comment = line.partition(";")
    return WordLine(_checked(text.strip()), comment.strip())


def _checked(text: str) -> str:
    try:
        expression.names(text)
    except expression.ExpressionError as error:
        raise _LineError(error.message, error.hint) from None
    return text


def _byte_line(line: str) -> bytes:
    text = line.strip()
    if text.startswith('"'):
        try:
            return str(json.loads(text)).encode()
        except ValueError:
            raise _LineError(f"{_brief(text)} is not a quoted text") from None
    if _BYTES.fullmatch(text) is None or not text:
        raise _LineError(f"{_brief(text)} is not bytes", 'a quoted text, or hex: "48 69"')
    return bytes.fromhex(text)


def _zero_line(line: str) -> int:
    def no_names(_name: str) -> None:
        return None

    try:
        size = expression.evaluate(line, no_names)
    except expression.ExpressionError as error:
        raise _LineError(error.message, "a zero unit has one line: its size in bytes") from None
    if not 0 < size <= MAX_BYTES:
        raise _LineError(f"a zero unit of {size} bytes makes no sense")
    return size


def _dump_lines(unit: Unit) -> list[str]:
    if unit.kind == "zero":
        return [str(unit.size)]
    if unit.kind == "bytes":
        return _dump_bytes(unit.data)
    return [
        _dump_code(line) if isinstance(line, CodeLine) else _dump_word(line) for line in unit.lines
    ]


def _dump_code(line: CodeLine) -> str:
    parts = [f"{line.label}: {line.asm}" if line.label else line.asm, manual(line.code)]
    if line.relocation:
        rel = line.relocation
        addend = f"{rel.addend:+d}" if rel.addend else ""
        parts.append(f"{_LONG.get(rel.type, rel.type)} {rel.symbol}{addend}")
    elif line.comment:
        parts.append("")
    if line.comment:
        parts.append(line.comment)
    return " ; ".join(parts)


def _dump_word(line: WordLine) -> str:
    return f"{line.expression} ; {line.comment}" if line.comment else line.expression


def _dump_bytes(data: bytes) -> list[str]:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = ""
    if text and all(char.isprintable() or char in "\r\n\t" for char in text):
        return [json.dumps(text, ensure_ascii=False)]
    return [data[at : at + 16].hex(" ") for at in range(0, len(data), 16)]
