"""Where the core spends its cycles, block by block.

Each block is charged with all awake cycles until the next begins: what its instructions cost,
wait states, the refill after its branch, and what it takes to enter and leave exceptions there.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fwgen.machine.armv7m.blocks import Block


class Profile:
    """Awake cycles by block, and how often each was begun."""

    def __init__(self) -> None:
        self._cycles: Counter[tuple[int, int]] = Counter()
        self._times: Counter[tuple[int, int]] = Counter()
        self._since, self._block = 0, (0, 0)

    def enter(self, address: int, size: int, awake_cycles: int) -> None:
        """A block begins, after so many awake cycles in all."""
        self._cycles[self._block] += awake_cycles - self._since
        self._since, self._block = awake_cycles, (address, size)
        self._times[self._block] += 1

    def blocks(self, awake_cycles: int) -> Mapping[tuple[int, int], tuple[int, int]]:
        """Cycles, and how often it was begun, by (address, size) so far."""
        self._cycles[self._block] += awake_cycles - self._since
        self._since = awake_cycles
        return {
            block: (cycles, self._times[block])
            for block, cycles in self._cycles.items()
            if cycles and block[1]
        }


def by_instruction(block: Block, cycles: int, times: int) -> Mapping[int, int]:
    """Cycles of a block that was begun so often, by the address of its instructions.

    What goes beyond the block's own cost (refills, exceptions) is the last one's, which branched.
    """
    offsets = [0, *(offset for offset, _ in block.stops)]
    begins = [0, *(before for _, before in block.stops)]
    ends = [*begins[1:], block.cost]
    costs = [end - begin for begin, end in zip(begins, ends, strict=True)]
    own = sum(costs)
    times = min(times, cycles // own) if own else 0
    made = {
        block.address + offset: times * cost for offset, cost in zip(offsets, costs, strict=True)
    }
    made[block.address + offsets[-1]] += cycles - times * own
    return made
