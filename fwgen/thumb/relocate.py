"""Relocations: a place in the code gets what its symbol turned out to be.

RELA meaning: the field's old bits are overwritten, the addend is in ``target`` already.
Source: ELF for the Arm Architecture (AAELF32) §5.6.
"""

from __future__ import annotations

from fwgen.errors import EmissionError
from fwgen.thumb.forms import Match, all_forms, manual, recognise
from fwgen.thumb.operands import TARGETS, Target

TYPES = (
    "THM_CALL", "THM_JUMP24", "THM_JUMP19", "THM_JUMP11", "THM_JUMP8", "THM_JUMP6",
    "THM_PC8", "THM_PC12", "THM_ALU_PREL_11_0", "THM_MOVW_ABS_NC", "THM_MOVT_ABS", "ABS32",
)  # fmt: skip
_CODE_TARGETS = ("THM_CALL", "THM_JUMP24", "THM_JUMP19", "THM_JUMP11", "THM_JUMP8", "THM_JUMP6")
_LONGER = {
    "THM_JUMP6": "cmp and a conditional branch reach further",
    "THM_JUMP8": "the 32-bit form (.w, THM_JUMP19) reaches ±1 MiB",
    "THM_JUMP11": "the 32-bit form (.w, THM_JUMP24) reaches ±16 MiB",
    "THM_JUMP19": "a 32-bit b under an inverted condition reaches ±16 MiB",
    "THM_PC8": "put the literal within 1020 bytes after it, or use the 32-bit form (THM_PC12)",
    "THM_PC12": "put the literal nearer, or use movw and movt",
    "THM_ALU_PREL_11_0": "use movw and movt",
}


class RelocationError(EmissionError):
    """A relocation that does not fit its instruction, or a target it cannot reach."""


def size_of(type: str) -> int:
    """How many bytes the field of a relocation has. Raises RelocationError for an unknown one."""
    _known(type)
    narrow = ("THM_JUMP11", "THM_JUMP8", "THM_JUMP6", "THM_PC8")
    return 2 if type in narrow else 4


def apply(type: str, field: bytes, place: int, target: int) -> bytes:
    """The field's bytes with the relocation done.

    ``field`` is the whole instruction (or word) in memory order, ``place`` its address,
    ``target`` the symbol's address plus addend, with bit 0 set where it is a Thumb function.

    A branch drops that bit; all others keep it, as a pointer to code must.

    Raises: RelocationError with the distance, the reach, and what reaches further.
    """
    _known(type)
    if len(field) != size_of(type):
        raise RelocationError(f"R_ARM_{type} fills {size_of(type)} bytes, not {len(field)}")
    if type == "ABS32":
        return (target & 0xFFFFFFFF).to_bytes(4, "little")
    match = _instruction(type, field)
    fields = dict(match.fields)
    if type in ("THM_MOVW_ABS_NC", "THM_MOVT_ABS"):
        half = target >> 16 if type == "THM_MOVT_ABS" else target
        fields["h"], fields["i"] = half >> 12 & 15, half & 0xFFF
        return match.form.pack(fields)
    layout = TARGETS[type]
    to = target & ~1 if type in _CODE_TARGETS else target
    distance = to - layout.pc(place)
    low, high = layout.limits()
    if distance % layout.step:
        raise RelocationError(
            f"R_ARM_{type}: the target {to:#x} is not a multiple of {layout.step} from pc",
            hint=f"align the target to {layout.step} bytes",
        )
    if not low <= distance <= high:
        raise RelocationError(
            f"R_ARM_{type}: the target {to:#x} is {distance:+} bytes from pc "
            f"at {layout.pc(place):#x}; it reaches {low:+}..{high:+}",
            hint=_LONGER.get(type),
        )
    layout.put(fields, distance)
    return match.form.pack(fields)


def blank(type: str, field: bytes) -> bytes:
    """The field's bytes with what the relocation fills set to zero. Raises RelocationError."""
    _known(type)
    if type == "ABS32":
        return bytes(4)
    match = _instruction(type, field)
    fields = dict(match.fields)
    if type in ("THM_MOVW_ABS_NC", "THM_MOVT_ABS"):
        fields |= {"h": 0, "i": 0}
    else:
        TARGETS[type].put(fields, 0)
    return match.form.pack(fields)


def _known(type: str) -> None:
    if type not in TYPES:
        raise RelocationError(
            f"R_ARM_{type} is not a relocation we do", hint=f"one of {', '.join(TYPES)}"
        )


def _instruction(type: str, field: bytes) -> Match:
    """The instruction that holds the field. Raises RelocationError where it cannot hold it."""
    match = recognise(field)
    if match is not None:
        for variants in match.form.variants:
            if Target(type) in variants[0].operands:
                return match
    what = match.form.show(match.fields) if match and not match.fault else "no instruction"
    raise RelocationError(
        f"R_ARM_{type} cannot sit in {manual(field)} ({what})",
        hint=f"it sits in {', '.join(_hosts(type))}",
    )


def _hosts(type: str) -> list[str]:
    """The mnemonics whose forms a relocation can sit in."""
    texts = [text for form in all_forms() for text in form.texts if f"@{type}" in text]
    return list(dict.fromkeys(text.split()[0].replace("CC", "<c>") for text in texts))
