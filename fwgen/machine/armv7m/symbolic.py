"""One iteration of a loop, over quantities that grow by a constant each time round.

A quantity is a pair ``(value, slope)``: at iteration k it is ``value + slope * k`` modulo 2**32.
``Walk`` is the state of registers, flags and memory cells in pairs; ``compile_block`` turns code
into steps over it. What does not stay linear raises ``NotLinear``; every condition on the way
bounds for how many iterations it keeps its outcome (``Walk.bound``).

Not handled (such loops run at the engine's speed): IT blocks in inner loops, floating point,
divisions, long multiplies, loads and stores at an address that moves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Pair = tuple[int, int]
    Step = Callable[["Walk"], None]
    Carry = tuple[Callable[..., int], tuple[Pair, ...]]
    Fetch = Callable[[int, int], tuple[int, int | None] | None]
    Counter = Callable[[int, int], tuple[int, int, int] | None]
    Outcome = Callable[[int, int], tuple[int, list[tuple[str, int]]] | None]

M = 0xFFFFFFFF
TOP = 1 << 32
ENDLESS = 1 << 62
PRIMASK, BASEPRI = 16, 17  # counted as registers that a step reads and writes: ``Walk.masks``
MASKS = 1 << PRIMASK | 1 << BASEPRI
PPB = 0xE000_0000  # the core's own peripherals
PERIPHERALS = 0x4000_0000  # from here on a read may be one that the chip takes note of
OPAQUE = 0  # the size of a cell of which only the core knows the value
SP, LR, PC = 13, 14, 15
EQ, NE, CS, CC, MI, PL, VS, VC, HI, LS, GE, LT, GT, LE, AL = range(15)


class NotLinear(Exception):  # noqa: N818 - not an error: this loop just runs step by step
    """An iteration cannot be summed up; ``for_good`` when no other values would change that."""

    def __init__(self, why: str, *, for_good: bool = False) -> None:
        super().__init__(why)
        self.for_good = for_good


def signed(value: int) -> int:
    """A 32-bit pattern as a signed number."""
    return value - TOP if value & 0x80000000 else value


def until_zero(value: int, slope: int) -> int:
    """The first k > 0 at which value + slope * k is 0 modulo 2**32; ENDLESS if none is."""
    if not slope:
        return ENDLESS
    low = slope & -slope
    if value & (low - 1):
        return ENDLESS
    # slope = odd * low: divide out the power of two, invert the odd part.
    modulus = TOP // low
    k = -(value // low) * pow(slope // low, -1, modulus) % modulus
    return k or modulus


def until_leaves(value: int, slope: int, low: int, high: int) -> int:
    """The first k at which value + slope * k, as plain integers, leaves [low, high]."""
    if not slope:
        return ENDLESS
    room = high - value if slope > 0 else value - low
    return room // abs(slope) + 1


def until_flips(difference: int, slope: int) -> int:
    """The first k > 0 at which ``difference + slope * k >= 0`` is other than at k = 0."""
    if difference >= 0:
        return ENDLESS if slope >= 0 else difference // -slope + 1
    return ENDLESS if slope <= 0 else -(difference // slope)


class Moves:
    """What a path does to pins: each write to a latch that moves some, and when.

    ``latch`` gives, for an address, that of the register which holds the outcome of a write and
    what the outcome is (``fwgen.machine.peripheral.Latch``). Set ``cycle`` before each step.
    """

    __slots__ = ("_before", "_held", "_latch", "_looked", "cycle", "made")

    def __init__(self, latch: Callable[[int], tuple[int, Outcome] | None]) -> None:
        self._latch = latch
        self._before: dict[int, int] = {}
        self._held: dict[int, int] = {}
        self._looked: set[int] = set()  # the kilobytes of peripherals that were read
        self.cycle = 0
        self.made: list[tuple[int, str, int]] = []  # cycle, pin, level

    def copy(self) -> Moves:
        """The same, to go on from in another way."""
        other = Moves(self._latch)
        other._before, other._held = dict(self._before), dict(self._held)
        other._looked, other.made = set(self._looked), list(self.made)
        return other

    def read(self, address: int, size: int, value: int) -> int:
        """What a read gives, where nothing written on the path would make it ``value``."""
        found = self._latch(address)
        if found is None or found[0] != address or size != 4:
            self._looked.add(address >> 10)
            return value
        return self._held.get(address, value)

    def write(self, address: int, size: int, pair: Pair, fetch: Fetch) -> int:
        """Until when (ps) what it found holds. Raises NotLinear where more than pins moves."""
        found = self._latch(address)
        value, slope = pair
        if found is None or slope or size != 4:
            raise NotLinear("a store that does more than move pins")
        home, outcome = found
        if home not in self._held:
            now = fetch(home, 4)
            assert now is not None
            self._before[home] = self._held[home] = now[0]
        after = outcome(self._held[home], value)
        if after is None:
            raise NotLinear("a store that does more than move pins")
        self._held[home], moves = after
        self.made += [(self.cycle, pin, level) for pin, level in moves]
        return ENDLESS

    @property
    def settled(self) -> bool:
        """Whether all latches hold what they held before the path."""
        return self._held == self._before

    @property
    def seen(self) -> bool:
        """Whether the path also reads what its own writes may have changed."""
        return any(home >> 10 in self._looked for home in self._held)


class Still(Moves):
    """A path whose writes to latches change nothing: a pin is set each time round, and is set."""

    __slots__ = ()

    def copy(self) -> Moves:
        """Itself: it remembers nothing."""
        return self

    def read(self, address: int, size: int, value: int) -> int:
        """What a read gives: nothing on the path changes it."""
        return value

    def write(self, address: int, size: int, pair: Pair, fetch: Fetch) -> int:
        """As for ``Moves``. Raises NotLinear where a write changes anything, too."""
        found = self._latch(address)
        if found is None:
            raise NotLinear("a store outside RAM", for_good=True)
        home, outcome = found
        now = fetch(home, 4)
        value, slope = pair
        if now is None or slope or size != 4 or outcome(now[0], value) != (now[0], []):
            raise NotLinear("a store that changes something")
        return ENDLESS if now[1] is None else now[1]


class Walk:
    """The state during one iteration. ``r`` and ``s`` are the registers' values and slopes.

    With ``moves`` the path may write to latches (``Still``: as they are); without, only to RAM.
    """

    __slots__ = (
        "bound", "c", "cells", "counter", "fetch", "first", "into", "looks", "masks", "moves", "nz",
        "outside", "owner", "r", "s", "slopes", "stable_ps", "strict", "v",
    )  # fmt: skip

    def __init__(
        self,
        registers: list[int],
        slopes: list[int],
        cell_slopes: dict[int, int],
        fetch: Fetch,
        moves: Moves | None = None,
    ) -> None:
        self.r, self.s = registers, slopes
        self.slopes = cell_slopes
        self.fetch = fetch  # (address, size) -> value, until when it holds (None: it is RAM)
        self.moves = moves
        self.counter: Counter | None = None  # address, cycles -> a register that counts clocks
        self.into = 0  # cycles into the iteration at which the step that runs accesses memory
        self.masks: tuple[int, int] | None = None  # PRIMASK, BASEPRI; None: nobody may touch them
        self.looks: dict[int, int] = {}  # address of a peripheral -> ``into`` of the last read
        self.outside = -1  # ``into`` of the last access to a peripheral, also of stores
        self.cells: dict[int, tuple[int, int, int]] = {}  # address -> size, value, slope
        self.first: dict[int, tuple[int, int]] = {}  # cells read before written: value, slope
        self.owner: dict[int, int] = {}  # byte -> address of its cell
        self.nz: Pair | None = None
        self.c: Carry | None = None
        self.v: Carry | None = None
        self.bound = ENDLESS
        self.stable_ps = ENDLESS
        self.strict = False  # within an inner loop: nothing may bound the outer one

    def copy(self) -> Walk:
        """The same state, to go on from in another way."""
        moves = None if self.moves is None else self.moves.copy()
        other = Walk(list(self.r), list(self.s), self.slopes, self.fetch, moves)
        other.cells, other.first, other.owner = dict(self.cells), dict(self.first), dict(self.owner)
        other.nz, other.c, other.v = self.nz, self.c, self.v
        other.masks = self.masks
        other.counter, other.into, other.looks = self.counter, self.into, dict(self.looks)
        other.bound, other.stable_ps, other.strict = self.bound, self.stable_ps, self.strict
        other.outside = self.outside
        return other

    # ------------------------------------------------------------------ memory

    def load(self, address: int, size: int) -> Pair:
        """A zero-extended load from a fixed address."""
        cell = self.cells.get(address)
        if cell is not None:
            if cell[0] != size:
                raise NotLinear("two sizes at one address", for_good=True)
            return cell[1], cell[2]
        if self.counter is not None and address >= PPB and size == 4:
            counted = self.counter(address, self.into)
            if counted is not None:
                if self.strict:
                    raise NotLinear("a counter read in an inner loop")
                self.stable_ps = min(self.stable_ps, counted[2])
                self.looks[address] = self.outside = self.into
                return counted[0], counted[1]
        found = self.fetch(address, size)
        if found is None:
            raise NotLinear("a read that has effects, or no memory")
        value, until = found
        if until is not None:  # a peripheral or constant memory: nothing to remember
            if until < self.stable_ps:
                self.stable_ps = until
            if address >= PERIPHERALS:
                self.looks[address] = self.outside = self.into
            return value if self.moves is None else self.moves.read(address, size, value), 0
        slope = self.slopes.get(address, 0)
        self._claim(address, size)
        self.cells[address] = size, value, slope
        self.first[address] = value, slope
        if slope and size < 4:
            self.within(value, slope, size)
        return value, slope

    def store(self, address: int, size: int, pair: Pair) -> None:
        """A store to a fixed address of RAM, or of a latch."""
        value, slope = pair
        if size < 4:
            if slope:
                self.within(value, slope, size)
            else:
                value &= (1 << (8 * size)) - 1
        cell = self.cells.get(address)
        if cell is None:
            found = self.fetch(address, size)
            if found is None or found[1] is not None:
                if self.moves is None:
                    raise NotLinear("a store outside RAM", for_good=True)
                until = self.moves.write(address, size, pair, self.fetch)
                self.stable_ps = min(self.stable_ps, until)
                self.outside = self.into
                return
            self._claim(address, size)
        elif cell[0] != size and (cell[0] != OPAQUE or size != 4):
            raise NotLinear("two sizes at one address", for_good=True)
        self.cells[address] = size, value, slope

    def hide(self, address: int) -> None:
        """A word of RAM takes a value that cannot be read until it is stored over."""
        self.store(address, 4, (0, 0))
        self.cells[address] = OPAQUE, 0, 0

    def _claim(self, address: int, size: int) -> None:
        if address & (size - 1):
            raise NotLinear("unaligned")
        for byte in range(address, address + size):
            if byte in self.owner:
                raise NotLinear("two sizes at one address", for_good=True)
            self.owner[byte] = address

    def within(self, value: int, slope: int, size: int) -> None:
        """A narrow quantity stays linear only until it wraps."""
        high = (1 << (8 * size)) - 1
        if value > high:
            raise NotLinear("a narrow counter wraps")
        self.limit(until_leaves(value, signed(slope), 0, high))

    # ------------------------------------------------------------------ masks

    def masked(self, mask: int) -> int:
        """PRIMASK or BASEPRI. Raises NotLinear where it may hold something back."""
        if self.masks is None:
            raise NotLinear("a mask that matters")
        return self.masks[mask - PRIMASK]

    def mask(self, mask: int, pair: Pair, *, only_raise: bool = False) -> None:
        """A write to PRIMASK or BASEPRI; ``only_raise`` as BASEPRI_MAX does it.

        Source: Arm ARM DDI0403 B5.2.3.
        """
        before = self.masked(mask)
        value, slope = pair
        if slope:
            raise NotLinear("a mask that grows")
        primask, basepri = self.masks or (0, 0)
        if mask == PRIMASK:
            primask = value & 1
        else:
            value &= 0xFF
            if not only_raise or (value and (value < before or not before)):
                basepri = value
        self.masks = primask, basepri

    # ------------------------------------------------------------------ conditions

    def limit(self, iterations: int) -> None:
        """What was found holds for this many iterations only."""
        if iterations < self.bound:
            if self.strict:
                raise NotLinear("an inner loop whose length changes")
            self.bound = iterations

    def expect(self, condition: int, outcome: bool) -> None:
        """Bound how long a condition keeps the outcome that it had when the path was recorded."""
        if self.nz is None:
            raise NotLinear("flags from before the loop")
        if condition in (EQ, NE):
            self.expect_zero(self.nz, outcome == (condition == EQ))
            return
        if condition in (MI, PL):
            value, slope = self.nz
            number = signed(value)
            if (number < 0) != (outcome == (condition == MI)):
                raise NotLinear("another path")
            low, high = (-(1 << 31), -1) if number < 0 else (0, (1 << 31) - 1)
            self.limit(until_leaves(number, signed(slope), low, high))
            return
        holds = self.holds(condition)
        if holds != outcome:
            raise NotLinear("another path")
        assert self.c is not None
        assert self.v is not None
        pairs = (self.nz, *self.c[1], *self.v[1])
        if not any(slope for _, slope in pairs):
            return
        if self.c[0] is not carry_of_sub or condition in (VS, VC):
            raise NotLinear("a condition on what is no comparison")
        (x, xs), (y, ys) = self.c[1]
        xs, ys = signed(xs), signed(ys)
        low, high = 0, M
        if condition in (GE, LT, GT, LE):
            x, y, low, high = signed(x), signed(y), -(1 << 31), (1 << 31) - 1
        self.limit(until_leaves(x, xs, low, high))
        self.limit(until_leaves(y, ys, low, high))
        strict = condition in (HI, LS, GT, LE)  # x > y is x - y - 1 >= 0
        self.limit(until_flips(x - y - strict, xs - ys))

    def decide(self, condition: int) -> bool:
        """Whether a condition holds; it bounds for how long it goes on to do so.

        Raises NotLinear within an inner loop: there each iteration would have to be looked at.
        """
        if self.strict:
            raise NotLinear("an IT block in an inner loop")
        if self.nz is None:
            raise NotLinear("flags from before the loop")
        if condition in (EQ, NE):
            outcome = (self.nz[0] == 0) == (condition == EQ)
        elif condition in (MI, PL):
            outcome = (signed(self.nz[0]) < 0) == (condition == MI)
        else:
            outcome = self.holds(condition)
        self.expect(condition, outcome)
        return outcome

    def expect_zero(self, pair: Pair, outcome: bool) -> None:
        """As ``expect``, for a comparison with zero."""
        value, slope = pair
        if (value == 0) != outcome:
            raise NotLinear("another path")
        if slope:
            self.limit(1 if outcome else until_zero(value, slope))

    def holds(self, condition: int, k: int = 0) -> bool:
        """Whether a condition holds at iteration k."""
        n, z, c, v = self.flags(k)
        match condition >> 1:
            case 0:
                result = z
            case 1:
                result = c
            case 2:
                result = n
            case 3:
                result = v
            case 4:
                result = c and not z
            case 5:
                result = n == v
            case _:
                result = n == v and not z
        return bool(result) != bool(condition & 1)

    def flags(self, k: int) -> tuple[int, int, int, int]:
        """N, Z, C, V at iteration k."""
        if self.nz is None or self.c is None or self.v is None:
            raise NotLinear("flags from before the loop")
        value = at(self.nz, k)
        carry = self.c[0](*(at(pair, k) for pair in self.c[1]))
        overflow = self.v[0](*(at(pair, k) for pair in self.v[1]))
        return value >> 31, value == 0, carry, overflow


def at(pair: Pair, k: int) -> int:
    """A quantity at iteration k."""
    return (pair[0] + pair[1] * k) & M


def carry_of_sub(x: int, y: int) -> int:
    """C after x - y: no borrow."""
    return int(x >= y)


def overflow_of_sub(x: int, y: int) -> int:
    """V after x - y."""
    return ((x ^ y) & (x ^ (x - y & M))) >> 31


def carry_of_add(x: int, y: int) -> int:
    """C after x + y."""
    return int(x + y > M)


def overflow_of_add(x: int, y: int) -> int:
    """V after x + y."""
    total = x + y & M
    return ((x ^ total) & (y ^ total)) >> 31


def bit(number: int) -> Callable[[int], int]:
    """The carry of a shift: one bit of the operand."""
    return lambda x: x >> number & 1
