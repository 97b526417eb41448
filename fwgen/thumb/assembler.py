"""One line of UAL text to machine code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from fwgen.errors import EmissionError, did_you_mean
from fwgen.thumb.forms import Form, Spelling, Variant, by_mnemonic
from fwgen.thumb.operands import (
    CONDITION_NUMBER,
    SPELLINGS,
    Fields,
    Mark,
    Place,
    Reg,
    Refused,
    RULES,
    Token,
    it_mask,
    lex,
)


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
    text = asm.strip()
    head, _, rest = text.partition(" ") if "\t" not in text else text.partition("\t")
    head = head.lower()
    tokens = lex(rest)
    if not head:
        raise EncodeError("an instruction is missing")
    if tokens is None:
        raise EncodeError(f"{asm!r}: {rest.strip()!r} is not operand text")
    if any(token.text.startswith("=") for token in tokens):
        raise EncodeError(
            f"{asm!r}: '=' asks for a literal pool",
            hint="put the constant in a words unit and load it by its label",
        )
    plain = re.sub(r"\.[wn](?=\.|$)", "", head)
    width = {".w": 4, ".n": 2}.get(head[len(plain) - len(head) :] if plain != head else "", 0)
    if plain != head:
        width = 4 if ".w" in head else 2
    candidates = _candidates(plain, it)
    if not candidates:
        raise EncodeError(
            f"{asm!r}: there is no instruction {plain!r}", hint=did_you_mean(plain, by_mnemonic())
        )
    place = Place(address)
    found: dict[bytes, Encoding] = {}
    refusals: list[tuple[Form, Refused]] = []
    for form, choice, spelling in candidates:
        if width and form.size != width:
            continue
        for variant in form.variants[choice]:
            try:
                fields = _bind(form, spelling, variant, tokens, place)
            except Refused as refused:
                refusals.append((form, refused))
                continue
            code = form.pack(fields)
            found.setdefault(code, Encoding(code, form, fields))
    if not found:
        raise _explain(asm, plain, width, candidates, refusals)
    return tuple(found.values())


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
    """The fields of a form that the text fills. Raises Refused."""
    fields: Fields = dict(spelling.fields)
    if form.cost == "it":
        fields["x"] = it_mask(spelling.name) or 0
    at = 0
    for operand in variant.operands:
        at = operand.read(tokens, at, fields, place)
    if at < len(tokens):
        raise Refused(f"{tokens[at].text!r} is left over", at)
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
        raise Refused("the base register decides whether '!' is written", at, fit=True)
    reason = form.unsound(fields)
    if reason is not None:
        raise Refused(reason, at, fit=True)
    return fields


def _default(operand: object, fields: Fields, variant: Variant) -> None:
    from fwgen.thumb.operands import FpReg, Operand

    if isinstance(operand, FpReg):
        source = next(o for o in variant.operands if isinstance(o, FpReg))
        fields.setdefault(operand.field, fields[source.field])
        fields.setdefault(operand.field.upper(), fields[source.field.upper()])
    elif isinstance(operand, Operand):
        for name, value in operand.absent().items():
            fields.setdefault(name, value)


def _explain(
    asm: str,
    name: str,
    width: int,
    candidates: list[tuple[Form, int, Spelling]],
    refusals: list[tuple[Form, Refused]],
) -> EncodeError:
    """The most telling refusal, and every shape that the mnemonic has."""
    if not refusals:
        other = "16" if width == 2 else "32"
        return EncodeError(f"{asm!r}: {name} has no {other}-bit form", hint="leave the width out")
    _, best = max(refusals, key=lambda item: (item[1].reach, item[1].fit, item[0].size))
    shapes = list(dict.fromkeys(f"{name} {form.wants()}".rstrip() for form, _, _ in candidates))
    shown = "; ".join(shapes[:6]) + ("; ..." if len(shapes) > 6 else "")
    hint = f"{name} is one of: {shown}"
    if name == "movs" and "modified immediate" in best.reason or "movs" == name and "bits" in best.reason:
        hint += "; movw takes #0..65535"
    return EncodeError(f"{asm!r}: {best.reason}", hint=hint)


__all__ = ["EncodeError", "Encoding", "RULES", "encode", "encodings"]
