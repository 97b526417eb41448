"""Bytes held against what their author believed them to be.

A belief and some bytes agree when the bytes are *an* encoding of the belief, by our table, and
what capstone reads in the bytes has those bytes among its own encodings. Two readers that share
no code must err alike for a slip to pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fwgen.thumb.assembler import EncodeError, Encoding, condition_of, encodings, names_a_place
from fwgen.thumb.disassembler import decode
from fwgen.thumb.forms import manual, recognise
from fwgen.thumb.operands import CONDITIONS, it_conditions, lex
from fwgen.thumb.relocate import RelocationError, blank

__all__ = ["Disagreement", "disagreement", "disagreements", "manual", "normal"]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A line whose bytes are not what it says.

    ``decodes_to`` is what the bytes are; ``encodes_to`` what the belief would be in bytes, or None
    where it cannot be encoded; ``reason`` is one sentence.
    """

    belief: str
    code: bytes
    decodes_to: str
    encodes_to: bytes | None
    reason: str

    def __str__(self) -> str:
        return self.reason


def disagreement(
    belief: str,
    code: bytes,
    relocation: str | None = None,
    *,
    condition: str | None = None,
) -> Disagreement | None:
    """Where a line's bytes depart from its text, or None where they agree.

    ``relocation`` is the ELF type (without R_ARM_) that will fill the instruction: its bits are
    not compared. ``condition`` is that of the IT block around it, "al" for outside any, None when
    not known; then a condition in the text is taken on trust.

    Never raises: a belief that is no instruction is a disagreement.
    """
    inside = condition not in (None, "al")
    read = decode(code)
    seen = read.text if read.valid and read.size == len(code) else f"no instruction ({code.hex()})"

    def departs(reason: str, wanted: tuple[Encoding, ...] = ()) -> Disagreement:
        return Disagreement(belief, code, seen, wanted[0].code if wanted else None, reason)

    try:
        wanted = encodings(belief, it=inside)
    except EncodeError as error:
        if normal(belief) == normal(seen):
            return None
        return departs(f"{error.message}; the bytes {manual(code)} are {seen}")
    if condition is not None:
        said = condition_of(belief, it=inside) or "al"
        if said != condition:
            block = (
                "no IT block makes it so" if condition == "al" else f"its IT block says {condition}"
            )
            what = "unconditional" if said == "al" else f"under {said}"
            return departs(f"{belief!r} is {what}, but {block}", wanted)
    if relocation is None and names_a_place(belief):
        return departs(f"{belief!r} names a place, but no relocation fills it in", wanted)
    codes = {one.code for one in wanted}
    bare = code
    if relocation is not None:
        try:
            bare = blank(relocation, code)
        except RelocationError as error:
            return departs(error.message, wanted)
        codes = {_blank(relocation, one) for one in codes}
    if bare in codes and _referee_agrees(bare, inside):
        return None
    expected = manual(wanted[0].code)
    return departs(f"{belief!r} is {expected}, but the bytes {manual(code)} are {seen}", wanted)


def _blank(relocation: str, code: bytes) -> bytes:
    try:
        return blank(relocation, code)
    except RelocationError:
        return code


def _referee_agrees(code: bytes, inside: bool) -> bool:
    """Whether what capstone reads has these bytes among its encodings."""
    read = decode(code)
    if not read.valid:
        return False
    try:
        again = encodings(read.text, it=inside)
    except EncodeError:
        # A spelling the table has not: hold the texts against each other.
        match = recognise(code)
        return match is not None and normal(match.form.show(match.fields)) == normal(read.text)
    return any(one.code == code for one in again)


def disagreements(
    lines: Iterable[tuple[str, bytes, str | None]],
) -> list[tuple[int, Disagreement]]:
    """The disagreements of a run of (belief, bytes, relocation), IT blocks followed.

    Returns: (index of the line, what is wrong).
    """
    found: list[tuple[int, Disagreement]] = []
    pending: list[str] = []
    for index, (belief, code, relocation) in enumerate(lines):
        condition = pending.pop(0) if pending else "al"
        wrong = disagreement(belief, code, relocation, condition=condition)
        if wrong is not None:
            found.append((index, wrong))
        match = recognise(code) if len(code) == 2 else None
        if match is not None and match.form.cost == "it" and match.fault is None:
            pending = [CONDITIONS[c] if c < 14 else "al" for c in it_conditions(match.fields)]
    return found


_ALIASES = {
    "r13": "sp",
    "r14": "lr",
    "r15": "pc",
    "sb": "r9",
    "sl": "r10",
    "fp": "r11",
    "ip": "r12",
}


def normal(text: str) -> str:
    """A text with case, number base, spacing, register names, ``[r0, #0]`` and width ironed out."""
    head, _, rest = text.strip().lower().replace("\t", " ").partition(" ")
    head = head.removesuffix(".w").removesuffix(".n")
    tokens = lex(rest)
    if tokens is None:
        return f"{head} {rest.strip()}"
    words = [str(t.value) if t.kind == "number" else _ALIASES.get(t.text, t.text) for t in tokens]
    return f"{head} {' '.join(words)}".replace(" , 0 ]", " ]").strip()
