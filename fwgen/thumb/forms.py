"""The table, compiled: forms that pack fields into bits and find the form of given bits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product

from fwgen.thumb import table
from fwgen.thumb.operands import (
    CONDITION_NUMBER,
    RULES,
    SHIFTS,
    SPELLINGS,
    Condition,
    Fields,
    ItCondition,
    Mark,
    Operand,
    it_name,
    operand,
)

FEATURES = ("v7m", "dsp", "fp", "fp5", "dp", "v8m")
_WORD = re.compile(r"#[^\s,\]]+|@\w+|\w+(?:\[x\])?|[\[\],!()]")
_SPELLING = re.compile(
    r"(?P<head>[a-z0-9]+?)(?P<flag>S|CC|\{s\})?(?P<type>(?:\.\w+)*)(?P<opt>\{\.\w+\})?"
)


@dataclass(frozen=True, slots=True)
class Variant:
    """One concrete spelling of a form: a mnemonic and operands, with what is left out."""

    operands: tuple[Operand, ...]
    left_out: tuple[Operand, ...]
    guard: str


@dataclass(frozen=True, slots=True)
class Spelling:
    """A mnemonic of a form, as written, and the fields it binds by itself."""

    name: str  # without condition and width: "adds", "vadd.f32"
    fields: tuple[tuple[str, int], ...]
    conditional: bool | None  # True: only with a condition; False: only without; None: either


class Form:
    """One encoding: fixed bits, fields, texts, and what it demands of core and place."""

    def __init__(self, row: str, rank: int) -> None:
        bits, text, attributes = (part.strip() for part in row.split("|"))
        bits = bits.replace(" ", "")
        self.rank = rank
        self.size = len(bits) // 8
        self.mask = sum(1 << at for at, bit in enumerate(reversed(bits)) if bit in "01")
        self.value = int(re.sub(r"[^01]", "0", bits), 2)
        self.places: dict[str, list[int]] = {}
        for at, letter in enumerate(bits):
            if letter not in "01":
                self.places.setdefault(letter, []).append(len(bits) - 1 - at)
        self.widths = {name: len(at) for name, at in self.places.items()}
        self.texts = [part.strip() for part in text.split(";")]
        words = attributes.split()
        self.cost = words[0]
        self.rules = [word[1:] for word in words if word.startswith("!")]
        self.copies = [tuple(word.split("=")) for word in words if "=" in word]
        self.needs = frozenset(word for word in words if word in FEATURES)
        if "v6m" in words:
            self.needs -= {"v7m"}
        self.barred_in_it = "noit" in words
        self.ends_it = "last" in words

    def __repr__(self) -> str:
        return f"Form({self.texts[0]!r}, {self.value:#x}/{self.mask:#x})"

    def pack(self, fields: Mapping[str, int]) -> bytes:
        """The instruction's bytes in memory order, from every field's value."""
        word = self.value
        for name, places in self.places.items():
            value = fields[name]
            for at in reversed(places):
                word |= (value & 1) << at
                value >>= 1
        if self.size == 2:
            return word.to_bytes(2, "little")
        return (word >> 16).to_bytes(2, "little") + (word & 0xFFFF).to_bytes(2, "little")

    def fields_of(self, word: int) -> Fields:
        """Every field's value in a word with this form's fixed bits."""
        fields: Fields = {}
        for name, places in self.places.items():
            value = 0
            for at in places:
                value = value << 1 | (word >> at & 1)
            fields[name] = value
        return fields

    @cached_property
    def spellings(self) -> list[list[Spelling]]:
        """For each text, the mnemonics it allows."""
        return [_spell(text.split()[0]) for text in self.texts]

    @cached_property
    def variants(self) -> list[list[Variant]]:
        """For each text, its operands with options taken and left."""
        return [_variants(text, self.widths) for text in self.texts]

    @cached_property
    def operands(self) -> tuple[Operand, ...]:
        """All operands of the form's main text, and the condition where it has one."""
        extra = (Condition(),) if "CC" in self.texts[0].split()[0] else ()
        return (*extra, *self.variants[0][0].operands)

    def unsound(self, fields: Mapping[str, int]) -> str | None:
        """Why these fields are UNPREDICTABLE in this form, or None."""
        for part in self.operands:
            reason = part.sound(fields)
            if reason is not None:
                return reason
        for one, other in self.copies:
            if fields[one] != fields[other]:
                return "the register must be given twice the same"
        for name in self.rules:
            holds, reason = RULES[name]
            if reason != "last" and not holds(fields):
                return reason
        return None

    def leaves(self, fields: Mapping[str, int]) -> bool:
        """Whether it may change the flow of the program: an IT block must end with it."""
        if self.ends_it or self.cost in ("branch", "table-branch"):
            return True
        return any(RULES[n][1] == "last" and not RULES[n][0](fields) for n in self.rules)

    def show(self, fields: Mapping[str, int], address: int = 0) -> str:
        """The instruction as UAL text, as outside an IT block."""
        choice = 0
        for n, variants in enumerate(self.variants):
            guard = variants[0].guard
            if not guard or SPELLINGS[guard](fields):
                choice = n
                break
        spellings = self.spellings[choice]
        given = [s for s in spellings if all(fields[f] == v for f, v in s.fields)]
        head = given[0].name if given else spellings[0].name
        operands = self._shortest(choice, fields).operands
        if self.texts[choice] == "IT":
            head = it_name(fields)
        out, dot, width = "", "", ""
        for part in operands:
            out += part.show(fields, address)
        if self.size == 4 and narrow_too(head):
            head, dot, width = head.partition(".")
            return f"{head}.w{dot}{width} {out}".rstrip()
        return f"{head} {out}".rstrip()

    def _shortest(self, choice: int, fields: Mapping[str, int]) -> Variant:
        """The variant that leaves out every shift or offset that says nothing."""
        variants = self.variants[choice]
        for variant in reversed(variants):
            silent = [part for part in variant.left_out if not isinstance(part, Mark)]
            if all(
                part.absent() and all(fields[f] == v for f, v in part.absent().items())
                for part in silent
            ):
                return variant
        return variants[0]

    def wants(self, choice: int = 0) -> str:
        """What one of the form's texts takes, in words."""
        words = [part.wants() for part in self.variants[choice][0].operands]
        return "".join(f"{w} " if w in (",", *SHIFTS) else w for w in words).strip()


def _spell(words: str) -> list[Spelling]:
    """The mnemonics of a table word: "and{s}" is and, ands; "addS" is adds, add<c>."""
    if words == "IT":
        tails = ["", *("".join(tail) for n in (1, 2, 3) for tail in product("te", repeat=n))]
        return [Spelling("it" + tail, (), conditional=False) for tail in tails]
    spelled: list[Spelling] = []
    for word in words.split("/"):
        match = _SPELLING.fullmatch(word)
        assert match is not None, word
        head, flag, kind = match["head"], match["flag"], match["type"]
        for suffix in (kind, match["opt"][1:-1]) if match["opt"] else (kind,):
            if flag == "S":
                spelled.append(Spelling(head + "s" + suffix, (), conditional=False))
                spelled.append(Spelling(head + suffix, (), conditional=True))
            elif flag == "{s}":
                spelled.append(Spelling(head + suffix, (("s", 0),), conditional=None))
                spelled.append(Spelling(head + "s" + suffix, (("s", 1),), conditional=None))
            elif flag == "CC":
                spelled += [
                    Spelling(head + name, (("c", n),), conditional=False)
                    for name, n in CONDITION_NUMBER.items()
                ]
            else:
                spelled.append(Spelling(head + suffix, (), conditional=None))
    return spelled


def _variants(text: str, widths: Mapping[str, int]) -> list[Variant]:
    """Every way to take or leave the optional parts of a table text, fullest first."""
    text, _, guard = text.partition(" ?")
    _, _, rest = text.partition(" ")
    if text == "IT":
        return [Variant((ItCondition(),), (), "")]
    pieces = re.split(r"\{(.*?)\}", rest)
    options = [range(2) if n % 2 else range(1) for n in range(len(pieces))]
    found = []
    for choice in product(*options):
        taken: list[Operand] = []
        left: list[Operand] = []
        for piece, out in zip(pieces, choice, strict=True):
            words = _WORD.findall(piece.replace("(", "( ").replace(")", " )"))
            parts = [operand({"(": "{", ")": "}"}.get(w, w), widths) for w in words]
            (left if out else taken).extend(parts)
        found.append(Variant(tuple(taken), tuple(left), guard))
    return found


@cache
def all_forms() -> tuple[Form, ...]:
    """Every form, in order of preference."""
    return tuple(Form(row, rank) for rank, row in enumerate(table.rows()))


@cache
def by_mnemonic() -> dict[str, list[tuple[Form, int, Spelling]]]:
    """For each mnemonic, the forms, texts and spellings that answer to it, narrow ones first."""
    index: dict[str, list[tuple[Form, int, Spelling]]] = {}
    for form in sorted(all_forms(), key=lambda form: (form.size, form.rank)):
        for text, spellings in enumerate(form.spellings):
            for spelling in spellings:
                index.setdefault(spelling.name, []).append((form, text, spelling))
    return index


def narrow_too(name: str) -> bool:
    """Whether a mnemonic also has a 16-bit form, so that the wide one is written ".w"."""
    return any(form.size == 2 for form, _, _ in by_mnemonic().get(name, ()))


@cache
def _buckets() -> dict[int, list[Form]]:
    """Forms by the top seven bits of the first halfword, the most specific first."""
    buckets: dict[int, list[Form]] = {}
    for form in sorted(all_forms(), key=lambda form: -form.mask.bit_count()):
        shift = 9 if form.size == 2 else 25
        mask, value = form.mask >> shift, form.value >> shift
        for top in range(128):
            if top & mask == value:
                buckets.setdefault(top, []).append(form)
    return buckets


@dataclass(frozen=True, slots=True)
class Match:
    """Bits, the form that they are, and its fields; ``fault`` says why they are UNPREDICTABLE."""

    form: Form
    fields: Fields
    fault: str | None


def is_wide(halfword: int) -> bool:
    """Whether a first halfword begins a 32-bit instruction. A5.1."""
    return halfword >> 11 in (0b11101, 0b11110, 0b11111)


@cache
def recognise(code: bytes) -> Match | None:
    """The form of one instruction's bytes; None where no form has them."""
    first = int.from_bytes(code[:2], "little")
    word = first if len(code) == 2 else first << 16 | int.from_bytes(code[2:], "little")
    fallback: Match | None = None
    for form in _buckets().get(first >> 9, ()):
        if form.size != len(code) or word & form.mask != form.value:
            continue
        fields = form.fields_of(word)
        fault = form.unsound(fields)
        match = Match(form, fields, fault)
        if fault is None:
            return match
        fallback = fallback or match
    return fallback


def halfwords(code: bytes) -> list[bytes]:
    """The instructions of a run of code, cut where the manual cuts them; a torn end stays torn."""
    cut, at = [], 0
    while at < len(code):
        size = 4 if is_wide(int.from_bytes(code[at : at + 2], "little")) else 2
        cut.append(code[at : at + size])
        at += size
    return cut


def manual(code: bytes) -> str:
    """Bytes as the manual prints them: halfwords, the most significant nibble first."""
    return " ".join(code[at : at + 2][::-1].hex() for at in range(0, len(code), 2))
