"""What stands between the commas: each kind of operand reads text into fields and back.

An operand has four duties: ``read`` text into fields, ``show`` fields as text, say which fields
are ``sound`` (else the instruction is UNPREDICTABLE), and ``wants``: what it takes, in words.
Fields are plain integers under the one-letter names of :mod:`fwgen.thumb.table`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

Fields = dict[str, int]

CONDITIONS = ("eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le")
CONDITION_NUMBER = {name: n for n, name in enumerate(CONDITIONS)} | {"hs": 2, "lo": 3}

_NAMES = [f"r{n}" for n in range(13)] + ["sp", "lr", "pc"]
REGISTER_NUMBER = (
    {f"r{n}": n for n in range(16)}
    | {name: n for n, name in enumerate(_NAMES)}
    | {"sb": 9, "sl": 10, "fp": 11, "ip": 12}
    | {f"a{n}": n - 1 for n in range(1, 5)}
    | {f"v{n}": n + 3 for n in range(1, 9)}
)
_FP_REGISTER = re.compile(r"([sd])(\d|[12]\d|3[01])")

SYSTEM_REGISTERS = {
    0: "apsr", 1: "iapsr", 2: "eapsr", 3: "xpsr", 5: "ipsr", 6: "epsr", 7: "iepsr",
    8: "msp", 9: "psp", 10: "msplim", 11: "psplim",
    16: "primask", 17: "basepri", 18: "basepri_max", 19: "faultmask", 20: "control",
}  # fmt: skip
_SYSTEM_NUMBER = {name: n for n, name in SYSTEM_REGISTERS.items()} | {"psr": 3}
_FLAG_MASKS = {2: "nzcvq", 1: "g", 3: "nzcvqg"}

_BARRIERS = {15: "sy", 14: "st", 11: "ish", 10: "ishst", 7: "nsh", 6: "nshst", 3: "osh", 2: "oshst"}
_BARRIER_NUMBER = {name: n for n, name in _BARRIERS.items()} | {"un": 7, "sh": 11}

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>\#?\s*[-+]?(?:0x[0-9a-f]+|0b[01]+|\d+\.\d*(?:e[-+]?\d+)?|\d+(?:e[-+]?\d+)?)
                 (?![\w.$]))
      | (?P<word>\#?=?[a-z_.$@][\w.$@]*(?:\s*[+-]\s*(?:0x[0-9a-f]+|\d+)\b)?|\d+[fb]\b)
      | (?P<mark>[\[\]{},!^\-])
    )""",
    re.VERBOSE,
)


class Token(NamedTuple):
    """A lexeme: ``kind`` is "number", "word" or "mark"; numbers carry their value."""

    kind: str
    text: str
    value: int | float = 0


class RefusedError(Exception):
    """An operand could not take the text; ``reach`` is how far reading got."""

    def __init__(self, reason: str, reach: int, fit: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.reach = reach
        self.fit = fit  # right shape, wrong value: the most telling of several refusals


def number(text: str) -> int | float:
    """The value of a numeric lexeme, with or without its hash."""
    text = text.replace(" ", "").lstrip("#")
    digits = text.lstrip("+-")
    if digits.startswith(("0x", "0b")):
        return int(text, 0)
    return int(text) if digits.isdigit() else float(text)


def lex(text: str) -> list[Token] | None:
    """The tokens of an operand text in lower case, or None where a character is foreign."""
    tokens: list[Token] = []
    at, text = 0, text.lower().rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            return None
        kind = str(match.lastgroup)
        lexeme = match.group(kind)
        if len(lexeme) > 200:
            return None  # nothing that long means anything, and int() would refuse it
        if kind == "number":
            tokens.append(Token(kind, lexeme, number(lexeme)))
        else:
            tokens.append(Token(kind, lexeme.replace(" ", "")))
        at = match.end()
    return tokens


@dataclass(frozen=True, slots=True)
class Place:
    """Where an instruction is: its address, for targets given as numbers."""

    address: int = 0


def bind(fields: Fields, name: str, value: int, reach: int, what: str) -> None:
    """Give a field its value; a field met twice must get the same one."""
    if fields.setdefault(name, value) != value:
        raise RefusedError(f"{what} must be the same register as before", reach, fit=True)


class Operand:
    """One kind of operand. Subclasses say how it reads, shows, and what it accepts."""

    def read(self, tokens: list[Token], at: int, fields: Fields, place: Place) -> int:
        """Read tokens from ``at``, bind fields, return the position after. Raises RefusedError."""
        raise NotImplementedError

    def show(self, fields: Mapping[str, int], address: int = 0) -> str:
        """The operand as UAL text."""
        raise NotImplementedError

    def sound(self, fields: Mapping[str, int]) -> str | None:
        """Why these fields are UNPREDICTABLE or not this form's, or None."""
        return None

    def absent(self) -> Fields:
        """What leaving the operand out means."""
        return {}

    def wants(self) -> str:
        """What it takes, in words."""
        raise NotImplementedError


def _token(tokens: list[Token], at: int, wanted: str) -> Token:
    if at >= len(tokens):
        raise RefusedError(f"{wanted} is missing", at)
    return tokens[at]


@dataclass(frozen=True, slots=True)
class Mark(Operand):
    """Punctuation or a fixed word or number."""

    text: str

    def read(self, tokens: list[Token], at: int, fields: Fields, place: Place) -> int:
        """Accept exactly this lexeme."""
        token = _token(tokens, at, f"{self.text!r}")
        same = token.text == self.text
        if self.text.startswith("#") and token.kind == "number":
            same = token.value == number(self.text)
        if token.kind == "word":
            known = REGISTER_NUMBER.get(token.text)
            same = same or (known is not None and known == REGISTER_NUMBER.get(self.text))
        if not same:
            raise RefusedError(f"{token.text!r} stands where {self.text!r} would", at)
        return at + 1

    def show(self, fields: Mapping[str, int], address: int = 0) -> str:
        """The lexeme."""
        return ", " if self.text == "," else self.text + (" " if self.text in SHIFTS else "")

    def wants(self) -> str:
        """The lexeme."""
        return self.text


@dataclass(frozen=True, slots=True)
class Reg(Operand):
    """A core register; ``kind`` R excludes sp and pc, S only pc, P only sp, X nothing."""

    kind: str
    field: str
    low: bool

    def read(self, tokens: list[Token], at: int, fields: Fields, place: Place) -> int:
        """Accept a register this place can hold."""
        token = _token(tokens, at, "a register")
        n = REGISTER_NUMBER.get(token.text) if token.kind == "word" else None
        if n is None:
            raise RefusedError(f"{token.text!r} is not a register", at)
        if self.low and n > 7:
            raise RefusedError(f"{token.text} does not fit: only r0-r7 here", at, fit=True)
        if (n == 13 and self.kind in "RP") or (n == 15 and self.kind in "RS"):
            raise RefusedError(f"{_NAMES[n]} is not allowed here", at, fit=True)
        bind(fields, self.field, n, at, token.text)
        return at + 1

    def show(self, fields: Mapping[str, int], address: int = 0) -> str:
        """Name of the register."""
        return _NAMES[fields[self.field]]

    def sound(self, fields: Mapping[str, int]) -> str | None:
        """Sp and pc where the manual calls them UNPREDICTABLE."""
        n = fields[self.field]
        if (n == 13 and self.kind in "RP") or (n == 15 and self.kind in "RS"):
            return f"{_NAMES[n]} as R{self.field} is UNPREDICTABLE"
        return None

    def wants(self) -> str:
        """Which registers."""
        name = f"R{self.field}"
        if self.low:
            return f"{name} (r0-r7)"
        return {"R": name, "S": f"{name}|sp", "P": f"{name}|pc", "X": f"{name}|sp|pc"}[self.kind]


@dataclass(frozen=True, slots=True)
class FpReg(Operand):
    """A floating-point register: Vd and D make one number, the other way round for doubles."""

    double: bool
    field: str
    lane: str = ""

    def read(self, tokens: list[Token], at: int, fields: Fields, place: Place) -> int:
        """Accept s0-s31, or d0-d15."""
        letter = "d" if self.double else "s"
        wanted = f"{letter}0-{letter}{15 if self.double else 31}"
        token = _token(tokens, at, wanted)
        match = _FP_REGISTER.fullmatch(token.text)
        if match is None or match[1] != letter:
            raise RefusedError(f"{token.text!r} stands where {wanted} would", at)
        self.put(fields, int(match[2]), at)
        if not self.lane:
            return at + 1
        index = tokens[at + 1 : at + 4]
        if [t.text for t in index[::2]] != ["[", "]"] or index[1].value not in (0, 1):
            raise RefusedError(f"{token.text} needs [0] or [1] here", at + 1)
        bind(fields, self.lane, int(index[1].value), at, token.text)
        return at + 4

    def put(self, fields: Fields, n: int, at: int) -> None:
        """Bind a register number to Vx and x."""
        if self.double and n > 15:
            raise RefusedError(f"d{n} does not exist: d0-d15", at, fit=True)
        high, low = (n >> 4, n & 15) if self.double else (n & 1, n >> 1)
        bind(fields, self.field, low, at, "it")
        bind(fields, self.field.upper(), high, at, "it")

    def number(self, fields: Mapping[str, int]) -> int:
        """The register's number."""
        low, high = fields[self.field], fields[self.field.upper()]
        return high << 4 | low if self.double else low << 1 | high

    def show(self, fields: Mapping[str, int], address: int = 0) -> str:
        """Name of the register."""
        name = f"{'d' if self.double else 's'}{self.number(fields)}"
        return f"{name}[{fields[self.lane]}]" if self.lane else name

    def sound(self, fields: Mapping[str, int]) -> str | None:
        """Only d0-d15 exist."""
        return "only d0-d15 exist" if self.double and self.number(fields) > 15 else None

    def wants(self) -> str:
        """Which registers."""
        return ("d" if self.double else "s") + self.field


@dataclass(frozen=True, slots=True)
class NextFp(Operand):
    """The single register after the one in field m."""

    before: FpReg

    def read(self, tokens: list[Token], at: int, fields: Fields, place: Place) -> int:
        """Accept exactly the next register."""
        wanted = f"s{self.before.number(fields) + 1}"
        token = _token(tokens, at, wanted)
        if token.text != wanted:
            raise RefusedError(f"{token.text!r} stands where {wanted} would", at, fit=True)
        return at + 1

    def show(self, fields: Mapping[str, int], address: int = 0) -> str:
        """Name of the next register."""
        return f"s{self.before.number(fields) + 1}"

    def wants(self) -> str:
        """What follows."""
        return "the next s register"


@dataclass(frozen=True, slots=True)
class Imm(Operand):
    """An unsigned immediate: (value - bias) / scale in ``bits``; or signed with a U bit."""

    names: str
    widths: tuple[int, ...]
    scale: int = 1
    bias: int = 0
    least: int = 0
    wraps: bool = False  # 1..32, 32 stored as 0
    sign: str = ""  # "", "-" (always subtracted) or "±" (bit u adds)
    hash: str = "#"

    @property
    def bits(self) -> int:
        """Width of the field or fields together."""
        return sum(self.widths)

    def limits(self) -> tuple[int, int]:
        """Smallest and greatest value written."""
        if self.wraps:
            return 1, 32
        top = ((1 << self.bits) - 1) * self.scale + self.bias
        low = max(self.least, self.bias)
        return {"": (low, top), "-": (-top, 0), "±": (-top, top)}[self.sign]

    def read(self, tokens: list[Token], at: int, fields: Fields, place: Place) -> int:
        """Accept a number in range and on the grid."""
        token = _token(tokens, at, f"an immediate ({self.wants()})")
        if token.kind != "number":
            raise RefusedError(f"{token.text!r} stands where {self.wants()} would", at)
        low, high = self.limits()
        if not isinstance(token.value, int):
            raise RefusedError(f"{token.text} is not a whole number", at, fit=True)
        value, minus = token.value, token.text.lstrip("# ").startswith("-")
        if not low <= value <= high or (self.sign == "-" and not minus):
            raise RefusedError(
                f"#{value} does not fit {self.bits} bits ({self.wants()})", at, fit=True
            )
        if (value - self.bias) % self.scale:
            raise RefusedError(f"#{value} is not a multiple of {self.scale}", at, fit=True)
        if self.sign == "±":
            bind(fields, "u", 0 if minus else 1, at, "the sign")
        self.put(
            fields, 0 if self.wraps and value == 32 else (abs(value) - self.bias) // self.scale
        )
        return at + 1

    def put(self, fields: Fields, raw: int) -> None:
        """Spread a raw value over the fields."""
        for name, width in zip(reversed(self.names), reversed(self.widths), strict=True):
            fields[name] = raw & ((1 << width) - 1)
            raw >>= width

    def raw(self, fields: Mapping[str, int]) -> int:
        """The fields joined."""
        value = 0
        for name, width in zip(self.names, self.widths, strict=True):
            value = value << width | fields[name]
        return value

    def value(self, fields: Mapping[str, int]) -> int:
        """The number meant."""
        raw = self.raw(fields)
        size = 32 if self.wraps and raw == 0 else raw * self.scale + self.bias
        return -size if self.sign == "-" or (self.sign == "±" and not fields["u"]) else size

    def show(self, fields: Mapping[str, int], address: int = 0) -> str:
        """``#n``, with ``#-0`` where the sign bit says so."""
        value = self.value(fields)
        minus = self.sign == "-" or (self.sign == "±" and not fields["u"])
        return f"{self.hash}-{-value}" if minus else f"{self.hash}{value}"

    def sound(self, fields: Mapping[str, int]) -> str | None:
        """A value below the least belongs to another form."""
        low, _ = self.limits()
        return f"#{self.value(fields)} is below {low}" if self.value(fields) < low else None

    def absent(self) -> Fields:
        """Zero, added."""
        fields: Fields = {"u": 1} if self.sign == "±" else {}
        self.put(fields, 0)
        return fields

    def wants(self) -> str:
        """The range in words."""
        low, high = self.limits()
        steps = f" in steps of {self.scale}" if self.scale > 1 else ""
        return f"#{low}..{high}{steps}"


def expand_modified(raw: int) -> int | None:
    """ThumbExpandImm: the 32-bit constant of an i:imm3:imm8, or None if UNPREDICTABLE. A5.3.2."""
    byte = raw & 0xFF
    if raw >> 10:
        turn = raw >> 7
        value = 0x80 | (raw & 0x7F)
        return (value >> turn | value << (32 - turn)) & 0xFFFFFFFF
    shape = raw >> 8 & 3
    if shape and not byte:
        return None
    return byte * (1, 0x00010001, 0x01000100, 0x01010101)[shape]


def modified(value: int) -> int | None:
    """The i:imm3:imm8 of a 32-bit constant, or None if it has none. A5.3.2."""
    value &= 0xFFFFFFFF
    for shape, factor in enumerate((1, 0x00010001, 0x01000100, 0x01010101)):
        byte = value >> 8 & 0xFF if shape == 2 else value & 0xFF
        if byte * factor == value and (byte or not shape):
            return shape << 8 | byte
    turn = 8 + 32 - value.bit_length()  # brings the top bit to bit 7
    rotated = (value << turn | value >> (32 - turn)) & 0xFFFFFFFF
    return turn << 7 | (rotated & 0x7F) if rotated <= 0xFF else None


class ModifiedImm(Operand):
    """A modified immediate: a byte anywhere, or a byte repeated. A5.3.2."""

    def read(self, tokens: list[Token], at: int, fields: Fields, place: Place) -> int:
        """Accept a constant that has the pattern; negative means its two's complement."""
        token = _token(tokens, at, "an immediate")
        if token.kind != "number" or not isinstance(token.value, int):
            raise RefusedError(f"{token.text!r} stands where an immediate would", at)
        if not -(2**31) <= token.value < 2**32:
            raise RefusedError(f"#{token.value} does not fit 32 bits", at, fit=True)
        raw = modified(token.value)
        if raw is None:
            raise RefusedError(
                f"#{token.text.lstrip('# ')} is not a modified immediate "
                "(eight bits anywhere, or one byte repeated)", at, fit=True
            )  # fmt: skip
        fields["i"] = raw
        return at + 1

    def show(self, fields: Mapping[str, int], address: int = 0) -> str:
        """``#n``, unsigned."""
        value = expand_modified(fields["i"])
        return f"#{value if value is not None else 0}"

    def sound(self, fields: Mapping[str, int]) -> str | None:
        """A zero byte must not be repeated."""
        if expand_modified(fields["i"]) is None:
            return "a zero byte in a repeated pattern is UNPREDICTABLE"
        return None

    def wants(self) -> str:
        """In words."""
        return "#a modified immediate (eight bits anywhere, or one byte repeated)"


SHIFTS = ("lsl", "lsr", "asr", "ror")


class Shift(Operand):
    """A constant shift of the last register: DecodeImmShift. A7.4.2."""

    def read(self, tokens: list[Token], at: int, fields: Fields, place: Place) -> int:
        """Accept lsl #0-31, lsr/asr #1-32, ror #1-31, rrx."""
        name = _token(tokens, at, "a shift").text
        if name == "rrx":
            fields |= {"t": 3, "i": 0}
            return at + 1
        if name not in SHIFTS:
            raise RefusedError(f"{name!r} is not a shift by a constant ({self.wants()})", at)
        token = _token(tokens, at + 1, f"{name}'s amount")
        kind = SHIFTS.index(name)
        low, high = ((0, 31), (1, 32), (1, 32), (1, 31))[kind]
        if token.kind != "number" or not isinstance(token.value, int):
            raise RefusedError(f"{token.text!r} stands where {name}'s amount would", at + 1)
        if not low <= token.value <= high:
            raise RefusedError(f"{name} #{token.value} is outside {low}..{high}", at + 1, fit=True)
        fields |= {"t": kind, "i": token.value & 31}
        return at + 2

    def show(self, fields: Mapping[str, int], address: int = 0) -> str:
        """The shift, or nothing for lsl #0 (see Syntax)."""
        kind, amount = fields["t"], fields["i"]
        if kind == 3 and not amount:
            return "rrx"
        return f"{SHIFTS[kind]} #{amount or (32 if kind in (1, 2) else 0)}"

    def absent(self) -> Fields:
        """No shift: lsl #0."""
        return {"t": 0, "i": 0}

    def wants(self) -> str:
        """In words."""
        return "lsl #0..31|lsr #1..32|asr #1..32|ror #1..31|rrx"


def register_names(mask: int) -> str:
    """A register list in braces."""
    return "{" + ", ".join(name for n, name in enumerate(_NAMES) if mask >> n & 1) + "}"


@dataclass(frozen=True, slots=True)
class RegList(Operand):
    """A list of core registers: ``width`` low ones, and lr (L), pc (P) where the form has them."""

    width: int
    lr: bool
    pc: bool

    def read(self, tokens: list[Token], at: int, fields: Fields, place: Place) -> int:
        """Accept ``{r0, r2-r4, lr}`` in any order."""
        if _token(tokens, at, "a register list").text != "{":
            raise RefusedError(f"{tokens[at].text!r} stands where a register list would", at)
        mask, at = 0, at + 1
        while True:
            first = REGISTER_NUMBER.get(_token(tokens, at, "a register").text)
            last, at = first, at + 1
            if at < len(tokens) and tokens[at].text == "-":
                last, at = REGISTER_NUMBER.get(_token(tokens, at + 1, "a register").text), at + 2
            if first is None or last is None:
                raise RefusedError(f"{tokens[at - 1].text!r} is not a register", at - 1)
            if last < first:
                raise RefusedError(
                    f"{_NAMES[first]}-{_NAMES[last]} runs backwards", at - 1, fit=True
                )
            mask |= (2 << last) - (1 << first)
            mark, at = _token(tokens, at, "'}'").text, at + 1
            if mark == "}":
                break
            if mark != ",":
                raise RefusedError(f"{mark!r} stands where ',' or '}}' would", at - 1)
        beyond = mask & ~self.mask()
        if beyond:
            raise RefusedError(
                f"{register_names(beyond)} cannot be listed here ({self.wants()})", at - 1, fit=True
            )
        fields["r"] = mask & ((1 << self.width) - 1)
        if self.lr:
            fields["L"] = mask >> 14 & 1
        if self.pc:
            fields["P"] = mask >> 15 & 1
        return at

    def mask(self) -> int:
        """Every register the form can list."""
        return (1 << self.width) - 1 | self.lr << 14 | self.pc << 15

    def show(self, fields: Mapping[str, int], address: int = 0) -> str:
        """The list in ascending order."""
        return register_names(listed(fields))

    def wants(self) -> str:
        """In words."""
        return "{" + f"r0-r{self.width - 1}" + ", lr" * self.lr + ", pc" * self.pc + "}"


def listed(fields: Mapping[str, int]) -> int:
    """The registers of a list, as a mask of 16 bits."""
    return fields["r"] | fields.get("L", 0) << 14 | fields.get("P", 0) << 15


@dataclass(frozen=True, slots=True)
class FpList(Operand):
    """A run of consecutive floating-point registers; the immediate counts words."""

    double: bool

    def read(self, tokens: list[Token], at: int, fields: Fields, place: Place) -> int:
        """Accept ``{s0-s3}`` or ``{s0, s1, s2}``."""
        letter = "d" if self.double else "s"
        numbers: list[int] = []
        if _token(tokens, at, "a register list").text != "{":
            raise RefusedError(f"{tokens[at].text!r} stands where a register list would", at)
        span, at = False, at + 1
        while True:
            token = _token(tokens, at, "a register")
            match = _FP_REGISTER.fullmatch(token.text)
            if match is None or match[1] != letter:
                raise RefusedError(f"{token.text!r} stands where an {letter} register would", at)
            n = int(match[2])
            numbers += range(numbers[-1] + 1, n + 1) if span else [n]
            mark, at = _token(tokens, at + 1, "'}'").text, at + 2
            span = mark == "-"
            if mark == "}":
                break
        if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
            raise RefusedError("the list must be consecutive and ascending", at - 1, fit=True)
        if self.double and (len(numbers) > 16 or numbers[-1] > 15):
            raise RefusedError("only d0-d15 exist", at - 1, fit=True)
        FpReg(self.double, "d").put(fields, numbers[0], at)
        fields["i"] = len(numbers) * (2 if self.double else 1)
        return at

    def run(self, fields: Mapping[str, int]) -> tuple[int, int]:
        """First register and how many."""
        count = fields["i"] // 2 if self.double else fields["i"]
        return FpReg(self.double, "d").number(fields), count

    def show(self, fields: Mapping[str, int], address: int = 0) -> str:
        """Each register by name."""
        first, count = self.run(fields)
        letter = "d" if self.double else "s"
        return "{" + ", ".join(f"{letter}{first + n}" for n in range(count)) + "}"

    def sound(self, fields: Mapping[str, int]) -> str | None:
        """At least one register, none beyond the last."""
        first, count = self.run(fields)
        if not count or (self.double and fields["i"] & 1):
            return "the register list is empty or odd"
        return "the list runs past the last register" if first + count > (
            16 if self.double else 32
        ) else None  # fmt: skip

    def wants(self) -> str:
        """In words."""
        return "{d0-d15}" if self.double else "{s0-s31}"


@dataclass(frozen=True, slots=True)
class Layout:
    """How a target's distance is laid over fields. Source: AAELF32 §5.6, DDI0403 A7.7.

    ``names`` from the most significant field down, in units of ``step`` bytes from pc. A "±"
    layout has a magnitude in i and its direction in u. ``base``: what pc means to the form.
    """

    names: str
    widths: tuple[int, ...]
    step: int
    signed: bool
    base_aligned: bool = False
    folded: bool = False  # J1, J2 are stored as NOT(I1 EOR S), NOT(I2 EOR S)

    def limits(self) -> tuple[int, int]:
        """Smallest and greatest distance from pc, in bytes."""
        if self.names.startswith("±"):
            top = ((1 << self.widths[0]) - 1) * self.step
            return -top, top
        bits = sum(self.widths)
        low = -(1 << bits - 1) if self.signed else 0
        return low * self.step, ((1 << (bits - self.signed)) - 1) * self.step

    def pc(self, address: int) -> int:
        """What pc is to an instruction at ``address``."""
        return (address + 4) & ~3 if self.base_aligned else address + 4

    def put(self, fields: Fields, distance: int) -> None:
        """Lay a distance (in range, on the grid) over the fields."""
        raw = distance // self.step
        if self.names.startswith("±"):
            fields |= {"u": int(distance >= 0), "i": abs(raw)}
            return
        for name, width in zip(reversed(self.names), reversed(self.widths), strict=True):
            fields[name] = raw & ((1 << width) - 1)
            raw >>= width
        if self.folded:
            fields["J"] ^= fields["S"] ^ 1
            fields["K"] ^= fields["S"] ^ 1

    def distance(self, fields: Mapping[str, int]) -> int:
        """The distance that the fields hold."""
        if self.names.startswith("±"):
            return (fields["i"] if fields["u"] else -fields["i"]) * self.step
        fold = fields["S"] ^ 1 if self.folded else 0
        raw = 0
        for name, width in zip(self.names, self.widths, strict=True):
            raw = raw << width | (fields[name] ^ (fold if name in "JK" else 0))
        bits = sum(self.widths)
        if self.signed and raw >> bits - 1:
            raw -= 1 << bits
        return raw * self.step


# By relocation. SUB_PC12, LDRD_PC8 and VLDR_PC8 exist in no ELF file: only numbers fill them.
TARGETS = {
    "THM_CALL": Layout("SJKhi", (1, 1, 1, 10, 11), 2, signed=True, folded=True),
    "THM_JUMP24": Layout("SJKhi", (1, 1, 1, 10, 11), 2, signed=True, folded=True),
    "THM_JUMP19": Layout("SKJhi", (1, 1, 1, 6, 11), 2, signed=True),
    "THM_JUMP11": Layout("i", (11,), 2, signed=True),
    "THM_JUMP8": Layout("i", (8,), 2, signed=True),
    "THM_JUMP6": Layout("i", (6,), 2, signed=False),
    "THM_PC8": Layout("i", (8,), 4, signed=False, base_aligned=True),
    "THM_PC12": Layout("±", (12,), 1, signed=True, base_aligned=True),
    "THM_ALU_PREL_11_0": Layout("i", (12,), 1, signed=False, base_aligned=True),
    "SUB_PC12": Layout("i", (12,), -1, signed=False, base_aligned=True),
    "LDRD_PC8": Layout("±", (8,), 4, signed=True, base_aligned=True),
    "VLDR_PC8": Layout("±", (8,), 4, signed=True, base_aligned=True),
}


@dataclass(frozen=True, slots=True)
class Target(Operand):
    """A place in the program: a name (filled by a relocation, zero until then) or an address."""

    relocation: str

    def read(self, tokens: list[Token], at: int, fields: Fields, place: Place) -> int:
        """Accept an identifier, ``.``, ``.+n`` or a number that is the address meant."""
        token = _token(tokens, at, "a target")
        word = token.text.lstrip("#")
        layout = TARGETS.get(self.relocation)
        if token.kind == "mark" or word in REGISTER_NUMBER or word.startswith("="):
            raise RefusedError(f"{token.text!r} stands where a target would", at)
        here = re.fullmatch(r"\.([+-].+)?", word) if token.kind == "word" else None
        if token.kind == "word" and here is None:
            if self.relocation in ("SUB_PC12",):
                raise RefusedError("a name is reached with the adding form", at)
            fields |= dict.fromkeys(("h", "i"), 0)
            if layout is not None:
                layout.put(fields, 0)
            return at + 1
        if layout is None:
            raise RefusedError(f"{token.text!r} stands where a name would", at)
        if here is not None:
            target = place.address + int(number(here[1] or "0"))
        elif isinstance(token.value, int):
            target = token.value
        else:
            raise RefusedError(f"{token.text} is not an address", at, fit=True)
        # Addresses wrap: a target just below 2**32 is near address 0.
        distance = (target - layout.pc(place.address) + 2**31) % 2**32 - 2**31
        low, high = sorted(layout.limits())
        if not low <= distance <= high or distance % layout.step:
            raise RefusedError(
                f"a target {distance:+} bytes from pc is out of reach ({self.wants()})",
                at,
                fit=True,
            )
        layout.put(fields, distance)
        return at + 1

    def show(self, fields: Mapping[str, int], address: int = 0) -> str:
        """The address in hex."""
        layout = TARGETS[self.relocation]
        return f"#{(layout.pc(address) + layout.distance(fields)) & 0xFFFFFFFF:#x}"

    def wants(self) -> str:
        """Reach in words."""
        layout = TARGETS.get(self.relocation)
        if layout is None:
            return "a name"
        low, high = sorted(layout.limits())
        grid = f" in steps of {abs(layout.step)}" if abs(layout.step) > 1 else ""
        return f"a target {low:+}..{high:+} bytes from pc{grid}"


class Condition(Operand):
    """The condition in a branch's name; it takes no operand text."""

    def read(self, tokens: list[Token], at: int, fields: Fields, place: Place) -> int:
        """Bound by the mnemonic already."""
        return at

    def show(self, fields: Mapping[str, int], address: int = 0) -> str:
        """Nothing: it is part of the mnemonic."""
        return ""

    def sound(self, fields: Mapping[str, int]) -> str | None:
        """Conditions 14 and 15 are other instructions."""
        return "no such condition" if fields["c"] > 13 else None

    def wants(self) -> str:
        """Nothing."""
        return ""


class ItCondition(Operand):
    """The first condition of an IT block; the mnemonic's t and e are in field x. A7.7.37."""

    def read(self, tokens: list[Token], at: int, fields: Fields, place: Place) -> int:
        """Accept a condition and fold the pattern with its lowest bit."""
        token = _token(tokens, at, "a condition")
        condition = 14 if token.text == "al" else CONDITION_NUMBER.get(token.text)
        if condition is None:
            raise RefusedError(f"{token.text!r} is not a condition", at)
        fields["c"] = condition
        if condition & 1:
            fields["x"] = _invert_above_stop(fields["x"])
        return at + 1

    def show(self, fields: Mapping[str, int], address: int = 0) -> str:
        """Name of the condition."""
        return CONDITIONS[fields["c"]] if fields["c"] < 14 else "al"

    def sound(self, fields: Mapping[str, int]) -> str | None:
        """Condition al allows no else; 15 is nothing."""
        c, x = fields["c"], fields["x"]
        if c == 15 or (c == 14 and x & (x - 1)):
            return "this IT condition is UNPREDICTABLE"
        return None

    def wants(self) -> str:
        """In words."""
        return "a condition"


def _invert_above_stop(mask: int) -> int:
    stop = mask & -mask
    return mask ^ (0xF & ~(2 * stop - 1))


def it_name(fields: Mapping[str, int]) -> str:
    """The mnemonic of an IT with this mask and condition: it, itt, ite ..."""
    mask = _invert_above_stop(fields["x"]) if fields["c"] & 1 else fields["x"]
    length = 4 - (mask & -mask).bit_length() + 1
    return "it" + "".join("e" if mask >> (3 - n) & 1 else "t" for n in range(length - 1))


def it_mask(name: str) -> int | None:
    """The mask of an IT mnemonic for an even condition, or None if it is none."""
    tail = name[2:]
    if not name.startswith("it") or len(tail) > 3 or set(tail) - {"t", "e"}:
        return None
    bits = "".join("1" if letter == "e" else "0" for letter in tail) + "1"
    return int(bits.ljust(4, "0"), 2)


def it_conditions(fields: Mapping[str, int]) -> list[int]:
    """The conditions of an IT block's instructions, in order. A7.3.2."""
    mask, first = fields["x"], fields["c"]
    length = 4 - ((mask & -mask).bit_length() - 1)
    return [first] + [first & 14 | (mask >> (3 - n) & 1) for n in range(length - 1)]


@dataclass(frozen=True, slots=True)
class System(Operand):
    """A special register of MRS and MSR. B5.1.1."""

    write: bool

    def read(self, tokens: list[Token], at: int, fields: Fields, place: Place) -> int:
        """Accept a register name; a write of flags also says which."""
        token = _token(tokens, at, "a special register")
        name, _, suffix = token.text.partition("_")
        mask = next((m for m, s in _FLAG_MASKS.items() if s == suffix), None)
        n = _SYSTEM_NUMBER.get(token.text)
        if self.write and mask is not None and _SYSTEM_NUMBER.get(name, 99) < 4:
            n = _SYSTEM_NUMBER[name]
        if n is None:
            known = ", ".join(SYSTEM_REGISTERS.values())
            raise RefusedError(f"{token.text!r} is not a special register ({known})", at, fit=True)
        fields["s"] = n
        if self.write:
            fields["k"] = mask or 2
        return at + 1

    def show(self, fields: Mapping[str, int], address: int = 0) -> str:
        """Name of the register."""
        name = SYSTEM_REGISTERS.get(fields["s"], f"#{fields['s']}")
        if self.write and fields["s"] < 4:
            return f"{name}_{_FLAG_MASKS.get(fields['k'], '')}"
        return name

    def sound(self, fields: Mapping[str, int]) -> str | None:
        """Unknown numbers and masks are UNPREDICTABLE."""
        if fields["s"] not in SYSTEM_REGISTERS:
            return f"special register {fields['s']} does not exist"
        if self.write and (not fields["k"] or (fields["s"] >= 4 and fields["k"] != 2)):
            return "this mask for the special register is UNPREDICTABLE"
        return None

    def wants(self) -> str:
        """In words."""
        return "a special register"


class Barrier(Operand):
    """The option of a barrier; M-profile cores treat every one as sy."""

    def read(self, tokens: list[Token], at: int, fields: Fields, place: Place) -> int:
        """Accept an option name or number."""
        token = _token(tokens, at, "a barrier option")
        n = _BARRIER_NUMBER.get(token.text)
        if token.kind == "number" and isinstance(token.value, int) and 0 <= token.value < 16:
            n = token.value
        if n is None:
            raise RefusedError(f"{token.text!r} is not a barrier option", at, fit=True)
        fields["o"] = n
        return at + 1

    def show(self, fields: Mapping[str, int], address: int = 0) -> str:
        """Name or number of the option."""
        return _BARRIERS.get(fields["o"], f"#{fields['o']}")

    def absent(self) -> Fields:
        """The whole system."""
        return {"o": 15}

    def wants(self) -> str:
        """In words."""
        return "sy"


class Width(Operand):
    """The width of a bit field, stored as its most significant bit."""

    def read(self, tokens: list[Token], at: int, fields: Fields, place: Place) -> int:
        """Accept 1 .. 32 - lsb."""
        token = _token(tokens, at, "the field's width")
        room = 32 - fields["i"]
        if not isinstance(token.value, int) or token.kind != "number":
            raise RefusedError(f"{token.text!r} stands where the field's width would", at)
        if not 1 <= token.value <= room:
            raise RefusedError(
                f"a field of {token.value} bits from bit {fields['i']} is outside 1..{room}", at,
                fit=True,
            )  # fmt: skip
        fields["m"] = fields["i"] + token.value - 1
        return at + 1

    def show(self, fields: Mapping[str, int], address: int = 0) -> str:
        """``#width``."""
        return f"#{fields['m'] - fields['i'] + 1}"

    def wants(self) -> str:
        """In words."""
        return "#width"


@dataclass(frozen=True, slots=True)
class FractionBits(Operand):
    """Fraction bits of a fixed-point conversion, stored as size minus them."""

    size: int

    def read(self, tokens: list[Token], at: int, fields: Fields, place: Place) -> int:
        """Accept 0..16, or 1..32."""
        token = _token(tokens, at, "fraction bits")
        low = 0 if self.size == 16 else 1
        value = token.value
        if token.kind != "number" or not isinstance(value, int) or not low <= value <= self.size:
            raise RefusedError(f"{token.text} fraction bits: {self.wants()}", at, fit=True)
        fields |= {"i": (self.size - value) >> 1, "j": (self.size - value) & 1}
        return at + 1

    def show(self, fields: Mapping[str, int], address: int = 0) -> str:
        """``#fbits``."""
        return f"#{self.size - (fields['i'] << 1 | fields['j'])}"

    def sound(self, fields: Mapping[str, int]) -> str | None:
        """A 16-bit number has at most 16 of them."""
        stored = fields["i"] << 1 | fields["j"]
        return "more fraction bits than the number has" if stored > self.size else None

    def wants(self) -> str:
        """In words."""
        return f"#{0 if self.size == 16 else 1}..{self.size}"


def expand_float(raw: int) -> float:
    """VFPExpandImm: the value of an 8-bit floating-point constant. A6.4.1."""
    sign, high, exponent, fraction = raw >> 7, raw >> 6 & 1, raw >> 4 & 3, raw & 15
    power = exponent - 3 if high else exponent + 1
    value = (16 + fraction) / 16 * 2.0**power
    return -value if sign else value


_FLOATS = {expand_float(raw): raw for raw in range(256)}


class FloatImm(Operand):
    """An 8-bit floating-point constant. A6.4.1."""

    def read(self, tokens: list[Token], at: int, fields: Fields, place: Place) -> int:
        """Accept n/16 * 2^e with n in 16..31 and e in -3..4."""
        token = _token(tokens, at, "a floating-point constant")
        raw = _FLOATS.get(float(token.value)) if token.kind == "number" else None
        if raw is None:
            raise RefusedError(
                f"{token.text} is no constant of vmov ({self.wants()})", at, fit=True
            )
        fields |= {"h": raw >> 4, "i": raw & 15}
        return at + 1

    def show(self, fields: Mapping[str, int], address: int = 0) -> str:
        """Decimal."""
        return f"#{expand_float(fields['h'] << 4 | fields['i'])}"

    def wants(self) -> str:
        """In words."""
        return "±(16..31)/16 * 2^(-3..4)"


class Flags(Operand):
    """A register, where 15 means the flags (vmrs, mrc)."""

    def read(self, tokens: list[Token], at: int, fields: Fields, place: Place) -> int:
        """Accept a register or apsr_nzcv."""
        if _token(tokens, at, "a register").text == "apsr_nzcv":
            fields["t"] = 15
            return at + 1
        return Reg("R", "t", low=False).read(tokens, at, fields, place)

    def show(self, fields: Mapping[str, int], address: int = 0) -> str:
        """Name."""
        return "apsr_nzcv" if fields["t"] == 15 else _NAMES[fields["t"]]

    def sound(self, fields: Mapping[str, int]) -> str | None:
        """Not sp."""
        return "sp as Rt is UNPREDICTABLE" if fields["t"] == 13 else None

    def wants(self) -> str:
        """In words."""
        return "Rt|apsr_nzcv"


@dataclass(frozen=True, slots=True)
class Numbered(Operand):
    """A coprocessor (p0-p15) or one of its registers (c0-c15)."""

    letter: str
    field: str

    def read(self, tokens: list[Token], at: int, fields: Fields, place: Place) -> int:
        """Accept the letter and 0..15."""
        token = _token(tokens, at, f"{self.letter}0-{self.letter}15")
        match = re.fullmatch(rf"{self.letter}r?(\d|1[0-5])", token.text)
        if match is None:
            raise RefusedError(f"{token.text!r} stands where {self.wants()} would", at)
        fields[self.field] = int(match[1])
        return at + 1

    def show(self, fields: Mapping[str, int], address: int = 0) -> str:
        """Name."""
        return f"{self.letter}{fields[self.field]}"

    def sound(self, fields: Mapping[str, int]) -> str | None:
        """Coprocessors 10 and 11 are the FPU: another table."""
        if self.letter == "p" and fields[self.field] in (9, 10, 11):
            return "coprocessors 9 to 11 are the FPU, which has no such instruction"
        return None

    def wants(self) -> str:
        """In words."""
        return f"{self.letter}0-{self.letter}15"


Rule = Callable[[Mapping[str, int]], bool]

# What makes a form UNPREDICTABLE beyond its operands, by the name the table uses. "last" rules
# say that the instruction then branches, so that it must end its IT block.
RULES: dict[str, tuple[Rule, str]] = {
    "listed": (lambda f: listed(f) != 0, "the register list is empty"),
    "two-listed": (lambda f: listed(f).bit_count() >= 2, "the wide form needs two registers"),
    "pc-or-lr": (lambda f: not (f["P"] and f["L"]), "pc and lr cannot both be loaded"),
    "base-unlisted": (
        lambda f: not listed(f) >> f["n"] & 1,
        "the base register is listed and written back",
    ),
    "base-first": (
        lambda f: not f["r"] >> f["n"] & 1 or f["r"] & -f["r"] == 1 << f["n"],
        "the base register is listed, written back and not the lowest",
    ),
    "base-not-t": (lambda f: f["n"] != f["t"], "the base register is also Rt and written back"),
    "base-not-ts": (
        lambda f: f["n"] not in (f["t"], f["s"]),
        "the base register is also transferred and written back",
    ),
    "t-not-s": (lambda f: f["t"] != f["s"], "both registers are the same"),
    "t-not-sp": (lambda f: f["t"] != 13, "sp cannot be popped alone"),
    "d-not-nt": (lambda f: f["d"] not in (f["n"], f["t"]), "the status register is also used"),
    "lo-not-hi": (lambda f: f["l"] != f["h"], "RdLo and RdHi are the same"),
    "one-is-high": (
        lambda f: (f["n"] > 7 or f["m"] > 7) and 15 not in (f["n"], f["m"]),
        "cmp of two low registers has its own form, and pc cannot be compared",
    ),
    "not-both-pc": (lambda f: not f["d"] == f["m"] == 15, "pc cannot be added to itself"),
    "sp-plain-move": (
        lambda f: not (f["d"] == f["m"] == 13) and not (f["s"] and 13 in (f["d"], f["m"])),
        "sp moves to or from another register without setting flags",
    ),
    "sp-shift": (
        lambda f: f["d"] != 13 or (f["t"] == 0 and f["i"] < 4),
        "sp takes only lsl #0..3 here",
    ),
    "field-fits": (lambda f: f["i"] + f["w"] < 32, "the bit field runs past bit 31"),
    "msb-above-lsb": (lambda f: f["m"] >= f["i"], "the bit field ends before it begins"),
    "s-pair": (lambda f: (f["m"] << 1 | f["M"]) != 31, "there is no register after s31"),
    "pc-last": (lambda f: f["d"] != 15, "last"),
    "pc-listed-last": (lambda f: not f["P"], "last"),
    "pc-loaded-last": (lambda f: f["t"] != 15, "last"),
}

# Conditions on the text alone: two spellings share the bits, each right for some fields.
SPELLINGS: dict[str, Rule] = {
    "unlisted": lambda f: not f["r"] >> f["n"] & 1,
    "relisted": lambda f: bool(f["r"] >> f["n"] & 1),
}

_IMM = re.compile(r"#(?P<sign>[-±]?)(?P<names>[a-z]+)(?P<how>\*\d+|\+1|%32|>1|~)?")


def operand(text: str, widths: Mapping[str, int]) -> Operand:
    """The operand that a word of the table's text column stands for."""
    match = _IMM.fullmatch(text)
    if match and set(match["names"]) <= set(widths):
        how = match["how"] or ""
        if how == "~":
            return ModifiedImm()
        return Imm(
            match["names"],
            tuple(widths[name] for name in match["names"]),
            scale=int(how[1:]) if how.startswith("*") else 1,
            bias=1 if how == "+1" else 0,
            least=1 if how == ">1" else 0,
            wraps=how == "%32",
            sign=match["sign"],
        )
    if re.fullmatch(r"[RSPX][a-z]", text):
        return Reg(text[0], text[1], low=widths[text[1]] == 3)
    if match := re.fullmatch(r"([FD])([dnm])(?:\[(x)\])?", text):
        return FpReg(match[1] == "D", match[2], match[3] or "")
    if text.startswith("@"):
        return Target(text[1:])
    if match := re.fullmatch(r"CR([dnm])", text):
        return Numbered("c", match[1])
    if text == "REGS":
        return RegList(widths["r"], "L" in widths, "P" in widths)
    fixed = _NAMED.get(text)
    return fixed if fixed is not None else Mark(text)


_NAMED: dict[str, Operand] = {
    "SHIFT": Shift(),
    "FLIST": FpList(double=False),
    "DLIST": FpList(double=True),
    "NEXT": NextFp(FpReg(False, "m")),
    "CC": Condition(),
    "IT": ItCondition(),
    "SYSR": System(write=False),
    "SYSW": System(write=True),
    "BARRIER": Barrier(),
    "WIDTH": Width(),
    "FBITS16": FractionBits(16),
    "FBITS32": FractionBits(32),
    "FPIMM": FloatImm(),
    "FLAGS": Flags(),
    "TARGET": Flags(),
    "COP": Numbered("p", "p"),
    "ZERO": Mark("#0"),
}
