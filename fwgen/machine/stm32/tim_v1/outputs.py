"""What the output pins of a channel carry, and which bits BDTR.LOCK freezes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

E, P, NE, NP = 1, 2, 4, 8  # CCER, per channel

# One pin: (follows OCxREF, inverted) or (does not, its level; None: the timer lets it go).
Stage = tuple[bool, int | None]
OFF: Stage = (False, None)


@dataclass(frozen=True, slots=True)
class Idle:
    """What BDTR and CR2 say of one channel's outputs when they do not follow OCxREF.

    ``ois`` and ``ois_n`` are the idle levels of OCx and OCxN; ``settling``: the dead time after
    MOE fell has yet to pass.
    """

    moe: bool
    ossi: bool
    ossr: bool
    ois: int
    ois_n: int
    settling: bool = False

    def both_active(self, bits: int) -> bool:
        """Whether the idle levels would make OCx and OCxN active at once."""
        return bool(self.ois ^ bool(bits & P) and self.ois_n ^ bool(bits & NP))


def stages(bits: int, idle: Idle, *, has_n: bool) -> tuple[Stage, Stage]:
    """OCx and OCxN of an advanced timer; ``bits`` are the channel's four bits of CCER.

    RM0368 §12.4.9, Table "Output control bits for complementary OCx and OCxN channels with break
    feature". A channel that has no OCxN gets OFF for it.
    """
    polarity, polarity_n = int(bool(bits & P)), int(bool(bits & NP))
    enabled, enabled_n = bool(bits & E), has_n and bool(bits & NE)
    if not enabled and not enabled_n:
        return OFF, OFF
    if not idle.moe:
        if not idle.ossi:
            return OFF, OFF
        # First inactive, asynchronously; after a dead time the idle levels, unless they would
        # make both active.
        quiet = has_n and (idle.settling or idle.both_active(bits))
        level, level_n = (polarity, polarity_n) if quiet else (idle.ois, idle.ois_n)
        return (False, level), (False, level_n) if has_n else OFF
    held: Stage = (False, polarity) if idle.ossr else OFF
    held_n: Stage = (False, polarity_n) if idle.ossr and has_n else OFF
    if enabled and enabled_n:
        return (True, polarity), (True, polarity_n ^ 1)
    if enabled:
        return (True, polarity), held_n
    return held, (True, polarity_n)  # alone, OCxN follows OCxREF


def frozen(register: str, level: int, outputs: Iterable[int]) -> int:
    """The bits of a register that BDTR.LOCK at ``level`` write-protects. RM0368 §12.4.18.

    ``outputs`` are the channel indices that compare: the locks of CCER and CCMRx spare inputs.
    """
    mask = 0
    if register == "BDTR":
        mask |= 0x70FF if level >= 1 else 0  # DTG, BKE, BKP, AOE
        mask |= 0x0C00 if level >= 2 else 0  # OSSI, OSSR
    elif register == "CR2" and level >= 1:
        mask |= 0x7F00  # OISx, OISxN
    elif register == "CCER" and level >= 2:
        for i in outputs:
            mask |= (P | NP) << 4 * i
    elif register in ("CCMR1", "CCMR2") and level >= 3:
        for i in outputs:
            if (i < 2) == (register == "CCMR1"):
                mask |= 0x78 << 8 * (i & 1)  # OCxM, OCxPE
    return mask
