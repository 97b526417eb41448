"""What each instruction costs on each core, with memory that never waits.

``cost`` gives a straight run of code its total, the cycles before each instruction, and what
refilling the pipeline takes when the branch at its end is taken; the machine adds that whenever it
finds that one was, and the flash's wait states, which are not the core's affair.

A cost is a ``Span``: the least, the typical and the most that the manual allows; a *pace* picks one
of them for all instructions. Rules, kept few so that a block's cost depends on its bytes alone:

- Cortex-M3, M4 and M33 overlap a load with what follows it, where that is a single load or store
  whose address does not need the result: it costs one less. A store at an immediate offset costs 1
  (the write buffer takes it); at a register offset, 2; nothing overlaps it from behind.
- On the M3 and M4 two loads overlap where both are of one memory. A load relative to pc is one of
  the flash, other loads are taken as of RAM: side by side they overlap in the fewest cycles alone.
  A load right behind a store at an immediate offset takes 1 more there, but in the fewest.
- An address that the data-processing instruction just before computed is waited for: 1 more.
- A load relative to pc may wait for the fetch unit: at most 1 more.
- Refilling the pipeline takes 1 to 3. Branches with an offset, and those to lr, are seen when they
  are decoded: typically 1. CBZ, and branches to another register: 2. What loads pc: 3. To a
  target that is wide and not aligned on a word one more, up to 3 in all (``unaligned``).
- A divide takes between 2 and 12 by its operands; Arm gives no rule, so that "typical" is the
  middle. A long multiply of the Cortex-M3 likewise. VDIV and VSQRT may run beside integer
  instructions. A floating-point result that the next instruction uses, other than as what it adds
  to, is waited for: 1 more. MUL of the Cortex-M0 and M0+ takes 1 or 32, as the chip's maker chose.
- WFI and WFE cost their own issue; the machine does the waiting. A barrier costs 1 + B, where B,
  the time that outstanding writes take, has no upper end in the manual: 3 is taken.
- IT costs 1, or nothing where it is folded, which the M3 and M4 do typically where a narrow
  instruction that is no branch stands before it. An instruction in an IT block is charged in full
  whether or not its condition holds; "least" has 1 for each.
- Three wide instructions in a row that are not aligned on words, right behind one of several
  cycles, outrun the fetch of the M3 and M4: 1 more, but in the fewest.
- Cortex-M33 and M7 issue some pairs at once: their least is half. For the M7, caches and branch
  prediction are not modelled: its typical is an instruction a cycle, its most a branch that was
  predicted wrongly.

Source: Cortex-M4 TRM 100166 §3.3.1, §3.3.2, FPU §7.2.3; Cortex-M3 TRM DDI0337 §3.3, branches that
are seen when they are decoded §15.3; Cortex-M0 TRM DDI0432 §3.3; Cortex-M0+ TRM DDI0484 §3.3. Arm
publishes no table for M7 and M33: theirs is the M4's. Memories of loads, loads behind stores and
rows of wide instructions: measured on STM32F103 and STM32F407, github.com/jnk0le/random, pipeline
cycle test, cortex_m3m4.md; rows on an STM32L4, compendium.i-0.nl, alignment rules. They are held
against Embench on an STM32F407 (bench/embench.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from fwgen.thumb.forms import Match, is_wide, recognise
from fwgen.thumb.operands import listed

if TYPE_CHECKING:
    from collections.abc import Mapping

Pace = Literal["least", "typical", "most"]
PACES: tuple[Pace, ...] = get_args(Pace)
MANUAL = {
    "cortex-m0": "Cortex-M0 TRM DDI0432 §3.3",
    "cortex-m0plus": "Cortex-M0+ TRM DDI0484 §3.3",
    "cortex-m3": "Cortex-M3 TRM DDI0337 §3.3",
    "cortex-m4": "Cortex-M4 TRM 100166 §3.3",
    "cortex-m4f": "Cortex-M4 TRM 100166 §3.3",
    "cortex-m7": "Cortex-M4 TRM 100166 §3.3, as Arm publishes none for the M7",
    "cortex-m33": "Cortex-M4 TRM 100166 §3.3, as Arm publishes none for the M33",
}


class Span(NamedTuple):
    """Cycles: the fewest, the usual, and the most that the manual allows."""

    least: int
    typical: int
    most: int

    @property
    def exact(self) -> bool:
        """Whether the manual leaves no choice."""
        return self.least == self.most


def _exactly(**cycles: int) -> dict[str, Span]:
    return {kind.replace("_", "-"): Span(n, n, n) for kind, n in cycles.items()}


_M4: Mapping[str, Span] = {
    **_exactly(
        alu=1, wait=1, mul=1, mla=1, mull=1, mlal=1, branch=1, call=1, coprocessor=1,
        load=2, store=1, store_reg=2, load_exclusive=2, store_exclusive=2,
        load_double=3, store_double=3, load_multiple=1, store_multiple=1,
        fp_alu=1, fp_mla=3, fp_move_two=2,
        fp_load=2, fp_store=2, fp_load_double=3, fp_store_double=3, fp_multiple=1,
    ),
    "it": Span(0, 1, 1),
    "cps": Span(1, 2, 2),
    "system": Span(1, 2, 2),
    "barrier": Span(1, 3, 4),
    "divide": Span(2, 7, 12),
    "table-branch": Span(2, 2, 3),  # §3.3.2 has one more, for the addition, than §3.3.1
    "fp-divide": Span(1, 14, 14),
    "fp-sqrt": Span(1, 14, 14),
}  # fmt: skip
_M3 = {**_M4, **_exactly(mla=2), "mull": Span(3, 4, 5), "mlal": Span(4, 5, 7)}
_M0: Mapping[str, Span] = {
    **_exactly(
        alu=1, cps=1, wait=2, branch=1, call=1, system=4, barrier=4, load=2, store=2, store_reg=2,
        load_multiple=1, store_multiple=1,
    ),
    "mul": Span(1, 1, 32),
}  # fmt: skip
# A load or store of the single-cycle I/O port takes 1.
_M0PLUS = {
    **_M0, **_exactly(system=3, barrier=3),
    "load": Span(1, 2, 2), "store": Span(1, 2, 2), "store-reg": Span(1, 2, 2),
}  # fmt: skip

CYCLES: Mapping[str, Mapping[str, Span]] = {
    "cortex-m0": _M0,
    "cortex-m0plus": _M0PLUS,
    "cortex-m3": _M3,
    "cortex-m4": _M4,
    "cortex-m4f": _M4,
    "cortex-m7": _M4,
    "cortex-m33": _M4,
}
# To refill the pipeline after a branch that is seen when it is decoded, one that is seen when it
# is executed, one that loads pc, and a call.
_REFILL_M4 = (Span(1, 1, 3), Span(1, 2, 3), Span(1, 3, 3), Span(1, 1, 3))
_REFILL_M7 = (Span(0, 1, 9), Span(0, 2, 9), Span(0, 3, 9), Span(0, 1, 9))
_REFILL = {
    "cortex-m0": (Span(2, 2, 2), Span(2, 2, 2), Span(3, 3, 3), Span(3, 3, 3)),
    "cortex-m0plus": (Span(1, 1, 1), Span(1, 1, 1), Span(2, 2, 2), Span(2, 2, 2)),
    "cortex-m3": _REFILL_M4,
    "cortex-m4": _REFILL_M4,
    "cortex-m4f": _REFILL_M4,
    "cortex-m7": _REFILL_M7,
    "cortex-m33": _REFILL_M4,
}
_DECODED, _EXECUTED, _LOADED, _CALLED = range(4)
CORES = tuple(_REFILL)

_PIPELINES_LOADS = frozenset(("cortex-m3", "cortex-m4", "cortex-m4f", "cortex-m7", "cortex-m33"))
_FETCHES_WORDS = _PIPELINES_LOADS - {"cortex-m7"}
_MEASURED = frozenset(("cortex-m3", "cortex-m4", "cortex-m4f"))
_ISSUES_PAIRS = frozenset(("cortex-m7", "cortex-m33"))
_PER_WORD = frozenset(("load-multiple", "store-multiple", "fp-multiple"))
_PIPELINED = frozenset(("load", "load-exclusive", "store-exclusive"))
_FOLLOWS_LOAD = _PIPELINED | {"store-reg"}
_WAITS_FOR_STORE = frozenset(("load", "load-multiple"))
_COMPUTES = frozenset(("alu", "mul", "mla", "mull", "mlal", "divide"))
_MEMORY = frozenset((
    "load", "store", "store-reg", "load-exclusive", "store-exclusive", "load-double",
    "store-double", "load-multiple", "store-multiple", "table-branch", "fp-load", "fp-store",
    "fp-load-double", "fp-store-double", "fp-multiple",
))  # fmt: skip
_FP_ARITHMETIC = frozenset(("fp-alu", "fp-mla", "fp-divide", "fp-sqrt"))
_SP, _LR, _PC = 13, 14, 15


MOST_REFILL = 3  # of the cores whose refill depends on the target
_ROW = 3  # wide instructions that are not aligned
LOOK_AHEAD = 4 * _ROW  # bytes behind a run of code that its cost may depend on


def unaligned(address: int, first: int, core: str, pace: Pace) -> bool:
    """Whether a branch to a halfword ``first`` takes a cycle more, if that makes no more than 3.

    It must be fetched twice. Cortex-M4 TRM 100166 §3.3.1 (P).
    """
    return pace == "typical" and core in _FETCHES_WORDS and address & 2 > 0 and is_wide(first)


@dataclass(frozen=True, slots=True)
class BlockCost:
    """Cycles of a straight run of code: ``total``, and (offset, cycles before it) of each.

    ``refill`` is what a taken branch at its end adds. ``literals`` are the offsets of the loads
    relative to pc.
    """

    total: int
    prefix: tuple[tuple[int, int], ...]
    refill: int
    literals: frozenset[int]


class _Price(NamedTuple):
    """One instruction: what it costs alone, and what it has to do with its neighbours.

    ``fills`` is the register that a single load fills (-1: none, or it is no such load), ``needs``
    those that an address needs, ``computes`` those that data processing leaves, as masks.
    ``opens`` is how many instructions an IT holds; ``gives`` and ``takes`` are the floating-point
    registers that arithmetic leaves, and that are used at once.
    ``leaves``: what runs next may be elsewhere. ``narrow``: 16 bits, and it does not leave.
    """

    span: Span
    refill: Span
    kind: str = ""
    fills: int = -1
    needs: int = 0
    computes: int = 0
    literal: bool = False
    opens: int = 0
    gives: int = 0
    takes: int = 0
    leaves: bool = False
    narrow: bool = False


@lru_cache(maxsize=65536)
def _price(code: bytes, core: str) -> _Price:
    refills = _REFILL[core]
    match = recognise(code)
    if match is None:
        return _Price(Span(1, 1, 1), refills[_DECODED])
    kind, fields, text = _kind(match), match.fields, match.form.texts[0]
    # An instruction the core lacks never runs to completion: any price will do.
    span = CYCLES[core].get(kind, Span(1, 1, 1))
    if kind in _PER_WORD:
        words = fields["i"] if kind == "fp-multiple" else listed(fields).bit_count()
        span = Span(*(cycles + words for cycles in span))
    fills = fields.get("d" if kind == "store-exclusive" else "t", -1)
    if kind not in _PIPELINED or fills == _PC:
        fills = -1
    gives, takes = _floating(kind, match)
    leaves = _leaves(kind, match)
    opens = 4 - ((fields["x"] & -fields["x"]).bit_length() - 1) if kind == "it" else 0
    return _Price(
        span, refills[_branch(kind, match)], kind, fills,
        _address_registers(match) if kind in _MEMORY else 0,
        _computed(match) if kind in _COMPUTES else 0,
        kind == "load" and "[pc" in text, opens, gives, takes,
        leaves, len(code) == 2 and not leaves,
    )  # fmt: skip


def _kind(match: Match) -> str:
    """The table's cost class, finer where a manual is."""
    kind, name = match.form.cost, match.form.texts[0].split()[0]
    if name == "bl":
        return "call"
    if name.startswith("cps"):
        return "cps"
    return "wait" if name in ("wfi", "wfe") else kind


def _computed(match: Match) -> int:
    """The registers that data processing leaves, as a mask."""
    fields = match.fields
    registers = sum(1 << fields[name] for name in "dlh" if name in fields)
    if match.form.texts[0][3:9] == " {sp,}":
        registers |= 1 << _SP
    return registers


def _floating(kind: str, match: Match) -> tuple[int, int]:
    """Floating-point registers that arithmetic leaves, and that an instruction uses, as masks."""
    if not kind.startswith("fp-"):
        return 0, 0
    fields, name = match.fields, match.form.texts[0].split()[0]
    registers = {
        low: 1 << (fields[low] << 1 | fields[high])
        for low, high in (("d", "D"), ("n", "N"), ("m", "M"))
        if low in fields and high in fields
    }
    first = registers.pop("d", 0)
    takes = registers.get("n", 0) | registers.get("m", 0)
    if kind in ("fp-store", "fp-store-double") or name.startswith("vcmp"):
        return 0, takes | first
    gives = kind in _FP_ARITHMETIC and not name.startswith(("vmov", "vabs", "vneg"))
    return first if gives else 0, takes


def _branch(kind: str, match: Match) -> int:
    """How a branch that this may be is seen. Cortex-M3 TRM DDI0337 §15.3, table 15-3."""
    if kind == "call":
        return _CALLED
    if kind in _MEMORY:
        return _LOADED
    name = match.form.texts[0].split()[0]
    fields = match.fields
    if name in ("cbz", "cbnz") or (kind == "alu" and fields.get("m") != _LR):
        return _EXECUTED
    if name in ("bx", "blx") and fields["m"] != _LR:
        return _EXECUTED
    return _DECODED


def _leaves(kind: str, match: Match) -> bool:
    """Whether what runs next may be elsewhere."""
    fields = match.fields
    if kind in ("branch", "call", "table-branch"):
        return True
    if kind == "load-multiple":
        return bool(listed(fields) >> _PC & 1)
    return _PC in (fields.get("d"), fields.get("t"))


def _address_registers(match: Match) -> int:
    """The registers that form an address, as a mask."""
    fields = match.fields
    registers = sum(1 << fields[name] for name in "nm" if name in fields)
    if "n" not in fields and "[pc" not in match.form.texts[0]:
        registers |= 1 << _SP  # push, pop, and loads and stores relative to sp
    return registers


def cost(
    block: bytes,
    core: str,
    pace: Pace = "typical",
    in_it: int = 0,
    following: bytes = b"",
    address: int = 0,
) -> BlockCost:
    """The cost of a straight run of instructions on a core.

    The first ``in_it`` belong to an IT block that began before; ``following`` is the code behind,
    LOOK_AHEAD bytes of it; the run begins at ``address``.
    What an instruction costs more or less for its neighbours is the earliest one's, so that a run
    costs the same in one piece and in several.
    Raises: KeyError for a core that is not one of CORES.
    """
    chosen = PACES.index(pace)
    total, at = 0, 0
    before: _Price | None = None
    pipelines, measured = core in _PIPELINES_LOADS, chosen > 0 and core in _MEASURED
    share = 2 if chosen == 0 and core in _ISSUES_PAIRS else 1
    prefix, literals, last = [], [], _REFILL[core][_DECODED]
    size, code = len(block), block + following
    while at + 1 < size:  # a torn last byte is no instruction and costs nothing
        length = 4 if is_wide(block[at] | block[at + 1] << 8) and at + 4 <= size else 2
        price = _price(block[at : at + length], core)
        if before is not None and pipelines:
            total += _beside(before, price, pace, measured=measured)
        prefix.append((at, -(-total // share)))
        cycles = price.span[chosen]
        if in_it:
            in_it -= 1
            cycles = min(cycles, 1) if chosen == 0 else cycles
        if price.literal:
            literals.append(at)
            cycles += chosen == 2 and pipelines
        in_it = price.opens or in_it
        total += cycles
        at += length
        if measured and price.span[chosen] > 1 and not price.leaves and (address + at) & 2:
            total += _outrun(code, at, core)
        before, last = price, price.refill
    if before is not None and pipelines and len(following) > 1:
        length = 4 if is_wide(following[0] | following[1] << 8) else 2
        total += _beside(before, _price(following[:length], core), pace, measured=measured)
    return BlockCost(-(-total // share), tuple(prefix), last[chosen], frozenset(literals))


def _outrun(code: bytes, at: int, core: str) -> bool:
    """Whether a row of wide instructions begins there, run to its end."""
    for n in range(_ROW):
        here = at + 4 * n
        if here + 4 > len(code) or not is_wide(code[here] | code[here + 1] << 8):
            return False
        if n < _ROW - 1 and _price(code[here : here + 4], core).leaves:
            return False
    return True


def _beside(before: _Price, price: _Price, pace: Pace, *, measured: bool) -> int:
    """What two neighbours cost more, or less, than each alone. TRM §3.3.2, §7.2.3.

    ``measured``: with what the manual does not tell, see the head of this module.
    """
    more = 0
    one_memory = not measured or before.literal == price.literal
    if before.fills >= 0 and price.kind in _FOLLOWS_LOAD and not price.needs >> before.fills & 1:
        more -= one_memory
    if before.computes & price.needs:  # there is no forwarding path
        more += 1
    if before.gives & price.takes:
        more += 1
    if measured and before.kind == "store" and price.kind in _WAITS_FOR_STORE:
        more += 1
    if measured and pace == "typical" and before.narrow and price.kind == "it":
        more -= 1
    return more
