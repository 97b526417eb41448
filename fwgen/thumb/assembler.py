"""One line of UAL text to machine code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from fwgen.errors import EmissionError, did_you_mean
from fwgen.thumb.forms import Form, Spelling, Variant, by_mnemonic
from fwgen.thumb.operands import (
    CONDITION_NUMBER,
    CONDITIONS,
    REGISTER_NUMBER,
    SPELLINGS,
    Fields,
    FpReg,
    Mark,
    Operand,
    Place,
    RefusedError,
    Reg,
    Target,
    Token,
    it_mask,
    lex,
)

_WIDTH = re.compile(r"\.[wn](?=\.|$)")


class EncodeError(EmissionError):
    """A line of assembly that no form of the instruction can hold."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """One way to encode a line."""

    code: bytes
    form: Form
    fields: Fields


def encode(asm: str, *, address: int = 0, it: bool = False) -> bytes:
    """The bytes, in memory order, of one instruction in UAL.

    The 16-bit form is chosen where it says the same, unless ``.w`` is written; ``.n`` insists on
    it. A name as the target leaves zero bits for a relocation to fill; a number is the address
    meant, counted from ``address``. With ``it``, the instruction stands in an IT block, where a
    conditional branch is the plain one.

    Raises: EncodeError, with what does not fit and what would.
    Source: Arm ARM DDI0403 A7.7; UAL as GNU as reads it.
    """
    return encodings(asm, address=address, it=it)[0].code


@lru_cache(maxsize=8192)
def encodings(asm: str, *, address: int = 0, it: bool = False) -> tuple[Encoding, ...]:
    """Every encoding of a line, the preferred one first. Raises EncodeError."""
    head, rest = _split(asm)
    tokens = lex(rest)
    if not head:
        raise EncodeError("an instruction is missing")
    if "=" in rest:
        raise EncodeError(
            f"{asm!r}: '=' asks for a literal pool",
            hint="put the constant in a words unit and load it by its label",
        )
    if tokens is None:
        raise EncodeError(f"{asm!r}: {rest.strip()!r} is not operand text")
    plain = _WIDTH.sub("", head)
    width = 0 if plain == head else 4 if ".w" in head else 2
    candidates = _candidates(plain, it)
    if not candidates:
        raise EncodeError(
            f"{asm!r}: there is no instruction {plain!r}", hint=did_you_mean(plain, by_mnemonic())
        )
    place = Place(address)
    found: dict[bytes, Encoding] = {}
    refusals: list[tuple[str, int, RefusedError]] = []
    for form, choice, spelling in candidates:
        if width and form.size != width:
            continue
        for variant in form.variants[choice]:
            try:
                fields = _bind(form, spelling, variant, tokens, place)
            except RefusedError as refused:
                shape = f"{plain} {form.wants(choice)}".rstrip()
                refusals.append((shape, form.size, refused))
                continue
            code = form.pack(fields)
            found.setdefault(code, Encoding(code, form, fields))
    if not found:
        raise _explain(asm, plain, width, refusals)
    return tuple(found.values())


def _split(asm: str) -> tuple[str, str]:
    """The mnemonic in lower case, and the rest."""
    head, *rest = asm.split(maxsplit=1) or [""]
    return head.lower(), rest[0] if rest else ""


def condition_of(asm: str, *, it: bool) -> str | None:
    """The condition that an IT block must give a line, or None.

    A conditional branch outside a block (``it`` False) carries its own and needs none.
    """
    head = _WIDTH.sub("", _split(asm)[0])
    entries = [entry for entry in by_mnemonic().get(head, ()) if entry[2].conditional is not True]
    if entries and not (it and entries[0][0].texts[0].startswith("bCC")):
        return None
    stem = head.partition(".")[0]
    n = CONDITION_NUMBER.get(stem[-2:])
    return CONDITIONS[n] if n is not None else None


def names_a_place(asm: str) -> bool:
    """Whether a line's target is a name that only a relocation can turn into bits."""
    try:
        found = encodings(asm)
    except EncodeError:
        return False
    last = (lex(_split(asm)[1]) or [Token("mark", "")])[-1]
    has_target = any(
        isinstance(part, Target) for texts in found[0].form.variants for part in texts[0].operands
    )
    known = last.text in REGISTER_NUMBER or last.text.startswith(".")
    return has_target and last.kind == "word" and not known


def _candidates(name: str, it: bool) -> list[tuple[Form, int, Spelling]]:
    """The forms that a mnemonic, with or without a condition in it, may mean."""
    index = by_mnemonic()
    head, dot, kind = name.partition(".")
    found = [
        entry
        for entry in index.get(name, ())
        if entry[2].conditional is not True and not (it and entry[0].texts[0].startswith("bCC"))
    ]
    stem, condition = head[:-2], head[-2:]
    if condition in CONDITION_NUMBER and stem:
        for entry in index.get(stem + dot + kind, ()):
            form, _, spelling = entry
            # A conditional branch outside an IT block has its own forms.
            if spelling.conditional is False or form.barred_in_it or (stem == "b" and not it):
                continue
            found.append(entry)
    return found


def _bind(
    form: Form, spelling: Spelling, variant: Variant, tokens: list[Token], place: Place
) -> Fields:
    """The fields of a form that the text fills. Raises RefusedError."""
    fields: Fields = dict(spelling.fields)
    if form.cost == "it":
        fields["x"] = it_mask(spelling.name) or 0
    at = 0
    for operand in variant.operands:
        at = operand.read(tokens, at, fields, place)
    if at < len(tokens):
        raise RefusedError(f"{tokens[at].text!r} is left over", at)
    for operand in variant.left_out:
        if isinstance(operand, Reg):
            source = next(o for o in variant.operands if isinstance(o, Reg | Mark))
            if isinstance(source, Reg):
                fields.setdefault(operand.field, fields[source.field])
            else:  # "add sp, ..." in full is "add sp, sp, ..."
                fields.setdefault(operand.field, 13)
        elif not isinstance(operand, Mark):
            _default(operand, fields, variant)
    for one, other in form.copies:
        fields[one] = fields[other]
    if variant.guard and not SPELLINGS[variant.guard](fields):
        raise RefusedError("the base register decides whether '!' is written", at, fit=True)
    reason = form.unsound(fields)
    if reason is not None:
        raise RefusedError(reason, at, fit=True)
    return fields


def _default(operand: Operand, fields: Fields, variant: Variant) -> None:
    if isinstance(operand, FpReg):
        source = next(o for o in variant.operands if isinstance(o, FpReg))
        fields.setdefault(operand.field, fields[source.field])
        fields.setdefault(operand.field.upper(), fields[source.field.upper()])
    else:
        for name, value in operand.absent().items():
            fields.setdefault(name, value)


def _explain(
    asm: str, name: str, width: int, refusals: list[tuple[str, int, RefusedError]]
) -> EncodeError:
    """The most telling refusal, and the shapes that came as near."""
    if not refusals:
        other = "16" if width == 2 else "32"
        return EncodeError(f"{asm!r}: {name} has no {other}-bit form", hint="leave the width out")
    best = max(refusals, key=lambda one: (one[2].reach, one[2].fit, one[1]))[2]
    near = [shape for shape, _, r in refusals if (r.reach, r.fit) == (best.reach, best.fit)]
    if name in ("mov", "movs") and best.fit and _ends_in_number(asm):
        near.append("movw Rd, #0..65535")
    shapes = list(dict.fromkeys(near))
    shown = "; ".join(shapes[:5]) + ("; ..." if len(shapes) > 5 else "")
    return EncodeError(f"{asm!r}: {best.reason}", hint=f"there is {shown}")


def _ends_in_number(asm: str) -> bool:
    """Whether the last operand is a number."""
    tokens = lex(_split(asm)[1])
    return bool(tokens and tokens[-1].kind == "number")
