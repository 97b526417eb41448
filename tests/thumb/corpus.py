"""Instructions drawn from the table of forms itself: every form, text, option and field value."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from fwgen.thumb.forms import Form, Spelling, all_forms, recognise
from fwgen.thumb.operands import SPELLINGS, Fields, FpReg, Mark, Reg, Target, it_name


@dataclass(frozen=True)
class Line:
    """A text, the bytes it may stand for, and where those came from."""

    text: str
    code: bytes
    form: Form
    conditional: bool = False
    short: bool = False  # the destination is left out


def sound_fields(form: Form, bits: int) -> Fields | None:
    """Fields from random bits, or None where the form would be UNPREDICTABLE or another one."""
    word = form.value | bits & ~form.mask
    fields = form.fields_of(word)
    for one, other in form.copies:
        fields[one] = fields[other]
    if form.unsound(fields) is not None:
        return None
    match = recognise(form.pack(fields))
    return fields if match is not None and match.form is form else None


def _names(form: Form, spellings: list[Spelling], fields: Fields) -> Iterator[tuple[str, bool]]:
    for spelling in spellings:
        if form.cost == "it":
            yield it_name(fields), False
            return
        if all(fields[name] == value for name, value in spelling.fields):
            yield spelling.name, spelling.conditional is True


def lines(form: Form, bits: int, condition: str = "eq") -> Iterator[Line]:
    """Every way to write the form with these bits: all texts, names, options, with a condition."""
    drawn = sound_fields(form, bits)
    if drawn is None:
        return
    for spellings, variants in zip(form.spellings, form.variants, strict=True):
        for variant in variants:
            fields = dict(drawn)
            for part in variant.left_out:
                source = variant.operands[0] if variant.operands else None
                if isinstance(part, Reg):
                    fields[part.field] = fields[source.field] if isinstance(source, Reg) else 13
                elif isinstance(part, FpReg) and isinstance(source, FpReg):
                    fields[part.field] = fields[source.field]
                    fields[part.field.upper()] = fields[source.field.upper()]
                elif not isinstance(part, Mark):
                    fields |= part.absent()
            if form.unsound(fields) or (variant.guard and not SPELLINGS[variant.guard](fields)):
                continue
            if any(
                isinstance(p, Target) and p.relocation.startswith("THM_MOV")
                for p in variant.operands
            ):
                continue  # takes a name only
            places = any(isinstance(part, Target) for part in variant.operands)
            if places and fields.get("u") == 0 and not fields["i"]:
                continue  # minus zero: the same place as plus zero, which is preferred
            match = recognise(form.pack(fields))
            if match is None or match.form is not form:
                continue
            short = any(isinstance(part, Reg | FpReg) for part in variant.left_out)
            operands = "".join(part.show(fields) for part in variant.operands)
            for name, must in _names(form, spellings, fields):
                code = form.pack(fields)
                if not must:
                    yield Line(f"{name} {operands}".rstrip(), code, form, short=short)
                barred = form.barred_in_it or form.cost == "it" or form.leaves(fields)
                if not barred and (must or "S" not in form.texts[0].split()[0]):
                    head, dot, kind = name.partition(".")
                    text = f"{head}{condition}{dot}{kind} {operands}".rstrip()
                    yield Line(text, code, form, True, short)


def sample(per_form: int, seed: int = 1) -> list[Line]:
    """Some lines of every form, the same for the same seed."""
    rng = random.Random(seed)
    found: dict[tuple[str, bytes], Line] = {}
    for form in all_forms():
        drawn = 0
        for _ in range(400):
            batch = list(lines(form, rng.getrandbits(form.size * 8)))
            drawn += bool(batch)
            found |= {(line.text, line.code): line for line in batch}
            if drawn == per_form:
                break
    return list(found.values())
