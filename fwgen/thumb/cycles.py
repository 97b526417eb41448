"""What each instruction costs on each core, with memory that never waits.

``cost`` gives a straight run of code its total and the cycles before each instruction; the
machine adds ``REFILL[core]`` whenever it finds that a branch was taken, and the flash's wait
states, which are not the core's affair.

Rules, kept few so that a block's cost depends on its bytes alone:

- A conditional branch costs its untaken price; the refill comes on top when it is taken. The same
  for every other way to write pc.
- Cortex-M3, M4 and M33 overlap a load with a directly preceding single load whose result it does
  not need as an address: the second costs 1, not 2. A store at an immediate offset costs 1 (the
  write buffer takes it); at a register offset, 2.
- A divide takes between 2 and 12 cycles by its operands; the middle of the range is used, as for
  every other range. WFI and WFE cost their own issue; the machine does the waiting. A barrier
  costs 1 + B, where B, the time that outstanding writes take, is taken as 2.
- An instruction in an IT block is charged in full whether or not its condition holds, and IT
  itself costs 1 though some are folded.
- Cortex-M7 is charged as if it issued one instruction a cycle: dual issue, caches and branch
  prediction are not modelled.

Source: Cortex-M4 TRM 100166 §3.3.1, §3.3.2, FPU §7.2.3; Cortex-M3 TRM DDI0337 §3.3;
Cortex-M0 TRM DDI0432 §3.3; Cortex-M0+ TRM DDI0484 §3.3. Arm publishes no table for M7 and M33:
theirs is the M4's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from fwgen.thumb.forms import Match, is_wide, recognise
from fwgen.thumb.operands import listed

# Cycles to refill the pipeline after any write of pc. The M3 and M4 manuals give 1 to 3, by the
# target's alignment and width and by early speculation: 2 is the middle. M0: 3-cycle branches;
# M0+: 2-cycle.
REFILL = {
    "cortex-m0": 2,
    "cortex-m0plus": 1,
    "cortex-m3": 2,
    "cortex-m4": 2,
    "cortex-m4f": 2,
    "cortex-m7": 2,
    "cortex-m33": 2,
}

_M4 = {
    "alu": 1, "it": 1, "mul": 1, "mla": 1, "mull": 1, "mlal": 1, "divide": 7,
    "branch": 1, "table-branch": 2, "system": 2, "barrier": 3, "coprocessor": 1,
    "load": 2, "store": 1, "store-reg": 2, "load-exclusive": 2, "store-exclusive": 2,
    "load-double": 3, "store-double": 3, "load-multiple": 1, "store-multiple": 1,
    "fp-alu": 1, "fp-mla": 3, "fp-divide": 14, "fp-sqrt": 14, "fp-move-two": 2,
    "fp-load": 2, "fp-store": 2, "fp-load-double": 3, "fp-store-double": 3, "fp-multiple": 1,
}  # fmt: skip
_M0 = {
    "alu": 1, "mul": 1, "branch": 1, "system": 4, "barrier": 4, "load": 2, "store": 2,
    "store-reg": 2, "load-multiple": 1, "store-multiple": 1,
}  # fmt: skip
_M0PLUS = _M0 | {"system": 3, "barrier": 3}
_M3 = _M4 | {"mla": 2, "mull": 4, "mlal": 5}

CYCLES: dict[str, dict[str, int]] = {
    "cortex-m0": _M0,
    "cortex-m0plus": _M0PLUS,
    "cortex-m3": _M3,
    "cortex-m4": _M4,
    "cortex-m4f": _M4,
    "cortex-m7": _M4,
    "cortex-m33": _M4,
}
_PIPELINES_LOADS = {"cortex-m3", "cortex-m4", "cortex-m4f", "cortex-m7", "cortex-m33"}
_PER_WORD = {"load-multiple", "store-multiple", "fp-multiple"}


@dataclass(frozen=True, slots=True)
class BlockCost:
    """Cycles of a straight run of code: ``total``, and (offset, cycles before it) of each."""

    total: int
    prefix: tuple[tuple[int, int], ...]


@lru_cache(maxsize=65536)
def _price(code: bytes, core: str) -> tuple[int, int, int]:
    """Cycles alone; the register a single load fills (or -1); registers a load's address needs."""
    match = recognise(code)
    if match is None:
        return 1, -1, 0
    kind, fields = match.form.cost, match.fields
    # An instruction the core lacks never runs to completion: any price will do.
    price = CYCLES[core].get(kind, 1)
    if kind in _PER_WORD:
        words = fields["i"] if kind == "fp-multiple" else listed(fields).bit_count()
        return price + words, -1, 0
    if kind == "load":
        return price, fields.get("t", -1), _address_registers(match)
    return price, -1, 0


def _address_registers(match: Match) -> int:
    """The registers that form a load's address, as a mask."""
    fields = match.fields
    registers = 0
    if "n" in fields:
        registers |= 1 << fields["n"]
    if "m" in fields:
        registers |= 1 << fields["m"]
    return registers


def cost(block: bytes, core: str) -> BlockCost:
    """The cost of a straight run of instructions on a core.

    Raises: KeyError for a core that REFILL does not name.
    """
    total, at, filled = 0, 0, -1
    pipelines = core in _PIPELINES_LOADS
    prefix = []
    size = len(block)
    while at + 1 < size:  # a torn last byte is no instruction and costs nothing
        prefix.append((at, total))
        length = 4 if is_wide(block[at] | block[at + 1] << 8) and at + 4 <= size else 2
        price, fills, needs = _price(block[at : at + length], core)
        if pipelines and fills >= 0 and filled >= 0 and not needs >> filled & 1:
            price -= 1
        total += price
        filled = fills
        at += length
    return BlockCost(total, tuple(prefix))
