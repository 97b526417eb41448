"""What runs in the chip's RAM to erase and program its flash: one module per flash controller.

A debug probe could write each register of the controller over its slow wire; a few hundred bytes
of code in RAM do it where it is. The code is an emission like any other (machine code with
symbols, linked and cross-checked), position independent, and called the way CMSIS-Pack's flash
algorithms are: arguments in r0 to r2, the result in r0, returning to a breakpoint in word 0.

The module ``fwgen.rig.algorithms.<kind>`` serves the chips whose FLASH peripheral has that kind. It
has ``make(chip, base, supply_uv)`` and ``protection(chip, read_word)``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from fwgen.errors import BoardError
from fwgen.image.link import link

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fwgen.board.types import Chip
    from fwgen.image.emission import Emission

VECTORS = 8  # bytes that the linker puts before the code: a vector table nobody uses
STACK = 0x400
MOST_PAGE = 0x1000
CALLS = ("init", "uninit", "erase_all", "erase_sector", "program_page")


@dataclass(frozen=True, slots=True)
class Protection:
    """What the option bytes keep from us. ``level``: read-out protection, 0 (none) to 2.

    ``sectors`` are the numbers of the sectors that are write-protected.
    """

    level: int = 0
    sectors: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Algorithm:
    """Code for RAM and where everything about it is.

    ``entries`` are the addresses of CALLS (without the Thumb bit); ``buffers`` two pages of
    ``page_size`` bytes, so that one can be filled while the other is programmed; ``unit`` is
    what is programmed at once: addresses and lengths are multiples of it. ``program_ps`` is how
    long one unit takes, ``erase_ps`` a sector, by its size: typical times, in picoseconds, before
    which nobody needs to ask. ``results`` says in words what a call may return besides 0.
    """

    base: int
    code: bytes
    entries: Mapping[str, int]
    stack_top: int
    stack_end: int
    buffers: tuple[int, int]
    page_size: int
    unit: int
    listing: str
    program_ps: int = 0
    erase_ps: Mapping[int, int] = field(default_factory=dict)
    results: Mapping[int, str] = field(default_factory=dict)

    def meaning(self, result: int) -> str:
        """What a call's result says, in words."""
        if result in self.results:
            return self.results[result]
        flags = {bit: words for bit, words in self.results.items() if bit & result == bit}
        if not result or result & ~sum(flags):
            return f"it returned {result:#x}"
        return " and ".join(flags.values())


def make_algorithm(chip: Chip, supply_uv: int) -> Algorithm:
    """The algorithm for a chip's flash controller at a supply in microvolts.

    Raises BoardError for a controller that no algorithm here serves.
    """
    module = _module(chip)
    if module is None:
        raise BoardError(
            f"the flash of {chip.title} cannot be programmed yet",
            where=f"boards/chips/{chip.name}.toml: peripherals.FLASH",
            hint="an algorithm for its flash controller is one module in fwgen/rig/algorithms",
        )
    made: Algorithm = module.make(chip, chip.ram.base, supply_uv)
    return made


def protection_of(chip: Chip, read_word: Callable[[int], int]) -> Protection:
    """What the chip's option bytes protect; nothing where we do not know its controller."""
    module = _module(chip)
    if module is None:
        return Protection()
    found: Protection = module.protection(chip, read_word)
    return found


def _module(chip: Chip) -> Any:
    kind = chip.peripherals["FLASH"].kind if "FLASH" in chip.peripherals else None
    name = f"{__name__}.{kind}"
    return import_module(name) if kind is not None and find_spec(name) is not None else None


def place(
    emission: Emission,
    chip: Chip,
    base: int,
    symbols: Mapping[str, int],
    *,
    unit: int,
    program_ps: int,
    erase_ps: Mapping[int, int],
    results: Mapping[int, str],
) -> Algorithm:
    """Link an algorithm to run at ``base`` in RAM, its stack and buffers behind it.

    Raises UnsoundEmissionError when it does not hold together, BoardError when RAM is too small.
    """
    flash = next(name for name, memory in chip.memories.items() if memory.kind == "flash")
    run_from = replace(chip.memories[flash], base=base - VECTORS)
    stand_in = replace(chip, memories={**chip.memories, flash: run_from})
    image = link(emission, stand_in, symbols)
    code = image.segments[0].data[VECTORS:]
    code += bytes(-len(code) % 4)
    entries = {}
    for name in CALLS:
        symbol = image.find(name)
        assert symbol is not None, f"the algorithm has no {name}"
        entries[name] = symbol.address
    stack_end = base + len(code)
    stack_top = stack_end + STACK
    first = -(-stack_top // 0x100) * 0x100
    page, room = MOST_PAGE, chip.ram.base + chip.ram.size - first
    while 2 * page > room and page > 0x80:
        page //= 2
    if 2 * page > room:
        raise BoardError(f"the RAM of {chip.title} is too small for its flash algorithm")
    lines = [line.text for line in image.listing.lines[1:] if line.kind != "vector"]
    lines.remove("; vector table")
    lines.insert(0, f"; {len(code)} bytes of RAM")
    return Algorithm(
        base=base,
        code=code,
        entries=entries,
        stack_top=stack_top,
        stack_end=stack_end,
        buffers=(first, first + page),
        page_size=page,
        unit=unit,
        listing="".join(f"{line}\n" for line in lines),
        program_ps=program_ps,
        erase_ps=erase_ps,
        results=results,
    )
