"""Which registers and fields an instruction touches, as far as the code itself shows.

Forward constant propagation over the core's registers, through branches and joins, until nothing
changes. A value is known, or is "what that peripheral register held, with these bits changed",
or is unknown. Only what holds on every path is said; interrupts are not followed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwgen.image.facts import register_map
from fwgen.image.flow import Step, number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from fwgen.board.registers import RegisterSpec
    from fwgen.board.types import Chip

_MASK = 0xFFFFFFFF
_REGISTERS = (*(f"r{n}" for n in range(13)), "sp", "lr", "pc")
_ALIASES = {"sb": "r9", "sl": "r10", "fp": "r11", "ip": "r12", "r13": "sp", "r14": "lr"}
_CLOBBERED = ("r0", "r1", "r2", "r3", "r12", "lr")  # by a call (AAPCS32 §6.1.1)
_WIDTHS = {
    "ldr": 4, "ldrt": 4, "ldrex": 4, "ldrh": 2, "ldrsh": 2, "ldrb": 1, "ldrsb": 1, "ldrd": 8,
    "str": 4, "strt": 4, "strex": 4, "strh": 2, "strb": 1, "strd": 8,
}  # fmt: skip
_NO_RESULT = frozenset(
    ("b", "bl", "blx", "bx", "cbz", "cbnz", "cmp", "cmn", "tst", "teq", "nop", "wfi", "wfe", "sev",
     "push", "svc", "bkpt", "udf", "dsb", "dmb", "isb", "cpsie", "cpsid", "msr", "tbb", "tbh",
     "str", "strh", "strb", "strd", "strt", "stm", "stmia", "stmdb", "yield", "pld")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Value:
    """A register's content: bits ``known`` hold ``bits``.

    With ``origin`` the rest is what the peripheral register there held, and ``changed`` are the
    bits set or cleared since it was read; without, ``known`` is every bit: a constant.
    """

    bits: int
    known: int = _MASK
    origin: int | None = None
    changed: int = 0

    @property
    def constant(self) -> int | None:
        """The whole value, or None."""
        return self.bits if self.known == _MASK else None


State = dict[str, Value]


def touches(
    steps: Sequence[Step],
    chip: Chip,
    word: Callable[[int], int | None],
    symbols: Mapping[int, str],
    entries: Iterable[int],
) -> dict[int, str]:
    """Notes by address: "RCC.AHB1ENR GPIOAEN=1" for accesses, "= 0x40020000 GPIOA" for literals.

    ``word`` reads the image's own words; ``symbols`` names RAM; ``entries`` are where control
    arrives from outside (vectors, called functions), with every register unknown.
    """
    names = Names(chip, symbols)
    states = _propagate(steps, word, set(entries), names)
    notes: dict[int, str] = {}
    for step in steps:
        state = states.get(step.address)
        note = _note(step, state, word, names) if state is not None else ""
        if note:
            notes[step.address] = note
    return notes


class Names:
    """Addresses as people know them: peripheral, register, fields; symbols in RAM."""

    def __init__(self, chip: Chip, symbols: Mapping[int, str]) -> None:
        self._chip = chip
        self._symbols = symbols

    def is_register(self, address: int) -> bool:
        """Whether a peripheral is there: what it reads is not known beforehand."""
        return self._chip.peripheral_at(_unbanded(address)[0]) is not None

    def access(self, address: int, width: int, stored: Value | None) -> str:
        """What an access of ``width`` bytes touches; ``stored`` is the value written."""
        byte, bit = _unbanded(address)
        spec = self._chip.peripheral_at(byte)
        if spec is None:
            return self._symbols.get(address, "")
        mapped = register_map(spec)
        register = mapped.at(byte - spec.base) if mapped else None
        if register is None:
            return f"{spec.name}+{byte - spec.base:#x}"
        name = f"{spec.name}.{register.name}"
        shift = 8 * (byte - spec.base - register.offset)
        if bit is not None:
            fields = [f.name for f in register.fields.values() if f.mask >> (bit + shift) & 1]
            return f"{name} {fields[0] if fields else f'bit {bit + shift}'}"
        if shift or width * 8 < register.width:
            name += f"[{min(shift + 8 * width, register.width) - 1}:{shift}]"
        if stored is None:
            return name
        return " ".join([name, *_fields(register, stored, shift, width)])

    def value(self, constant: int) -> str:
        """What a constant is likely to mean: a place on the chip or in RAM, or nothing."""
        spec = self._chip.peripheral_at(_unbanded(constant)[0])
        if spec is None:
            return self._symbols.get(constant, "")
        if constant == spec.base:
            return spec.name
        return self.access(constant, 4, None)


def _unbanded(address: int) -> tuple[int, int | None]:
    """Byte address and bit of a bit-band alias (Arm ARM DDI0403 B3.1), else the address."""
    if 0x42000000 <= address < 0x44000000:
        offset = address - 0x42000000
        return 0x40000000 + offset // 32, offset // 4 % 8
    return address, None


def _fields(register: RegisterSpec, stored: Value, shift: int, width: int) -> list[str]:
    lanes = ((1 << 8 * width) - 1) << shift
    changed = (stored.changed if stored.origin is not None else stored.bits) << shift & lanes
    known, bits = stored.known << shift, stored.bits << shift
    shown = []
    for field in register.fields.values():
        if not field.mask & changed:
            continue
        value = (bits & field.mask) >> field.lsb
        exact = known & field.mask == field.mask
        shown.append(f"{field.name}={value:#x}" if exact and value > 9 else
                     f"{field.name}={value}" if exact else field.name)  # fmt: skip
    return shown


# --- propagation ---


def _propagate(
    steps: Sequence[Step], word: Callable[[int], int | None], entries: set[int], names: Names
) -> dict[int, State]:
    by_address = {step.address: step for step in steps}
    states: dict[int, State] = {}
    # What no entry leads to is reached by a computed jump, if at all: nothing is known there.
    for start in [*sorted(entries & by_address.keys()), *sorted(by_address)]:
        work = [] if start in states else [start]
        states.setdefault(start, {})
        while work:
            address = work.pop()
            step = by_address[address]
            after = _after(step, states[address], word, names)
            for target in _successors(step):
                if target not in by_address or target in entries:
                    continue
                before = states.get(target)
                joined = after if before is None else _join(before, after)
                if joined != before:  # a join only forgets, so this comes to rest
                    states[target] = joined
                    work.append(target)
    return states


def _successors(step: Step) -> list[int]:
    found = [step.end] if step.falls_through else []
    if step.target is not None and not step.is_call:
        found.append(step.target)
    return found


def _join(one: State, two: State) -> State:
    return {name: value for name, value in one.items() if two.get(name) == value}


def _after(step: Step, before: State, word: Callable[[int], int | None], names: Names) -> State:
    state = dict(before)
    if step.is_call:
        for name in _CLOBBERED:
            state.pop(name, None)
        return state
    for name in _written(step):
        state.pop(name, None)
    if step.conditional:
        return state
    result = _result(step, before, word, names)
    if result is not None:
        name, value = result
        state[name] = value
    return state


def _written(step: Step) -> list[str]:
    """Every register whose content the step may change."""
    name, operands = step.name, step.operands
    found = []
    for operand in operands:  # write-back: [r0], #4   [r0, #4]!   r0!
        if operand.endswith("!"):
            found += re.findall(r"\w+", operand)[:1]
    if len(operands) >= 3 and name in _WIDTHS and operands[-2].endswith("]"):
        found += re.findall(r"\w+", operands[-2])[:1]
    if name in ("pop", "ldm", "ldmia", "ldmdb"):
        found += _listed(operands[-1])
    elif name not in _NO_RESULT and operands:
        count = 2 if name in ("ldrd", "umull", "smull", "umlal", "smlal", "strex") else 1
        if re.match(r"umaal|sml[as]ld|vmov", name):
            count = 2
        found += operands[:count]
    return [_plain(r) for r in found]


def _listed(text: str) -> list[str]:
    found: list[str] = []
    for part in text.strip("{} ").split(","):
        first, _, last = part.strip().partition("-")
        if last and first in _REGISTERS and last in _REGISTERS:
            found += _REGISTERS[_REGISTERS.index(first) : _REGISTERS.index(last) + 1]
        else:
            found.append(first)
    return found


def _plain(register: str) -> str:
    return _ALIASES.get(register, register)


def _result(
    step: Step, state: State, word: Callable[[int], int | None], names: Names
) -> tuple[str, Value] | None:
    name, operands = step.name, step.operands
    if name in _NO_RESULT or not operands or _plain(operands[0]) not in _REGISTERS:
        return None
    into = _plain(operands[0])
    if name in ("ldr", "ldrh", "ldrb"):
        value = _loaded(step, state, word, names)
    elif step.literal is not None:
        value = Value(step.literal)  # adr
    else:
        value = _computed(name, into, operands, state)
    return (into, value) if value is not None else None


def _loaded(
    step: Step, state: State, word: Callable[[int], int | None], names: Names
) -> Value | None:
    address = _address(step, state)
    if address is None:
        return None
    if step.name == "ldr" and (constant := word(address)) is not None:
        return Value(constant)
    if names.is_register(address):
        above = _MASK & ~((1 << 8 * _WIDTHS[step.name]) - 1)  # zero-extended
        return Value(0, known=above, origin=address)
    return None


def _operand(text: str, state: State) -> Value | None:
    if text.startswith("#"):
        value = number(text)
        return Value(value & _MASK) if value is not None else None
    return state.get(_plain(text))


def _computed(name: str, into: str, operands: Sequence[str], state: State) -> Value | None:
    plain = name[:-1] if name in _SETTING_FLAGS else name
    values = [_operand(text, state) for text in operands[1:]]
    if plain in ("mov", "movw", "mvn") and len(values) == 1 and values[0]:
        return values[0] if plain != "mvn" else _both("eor", values[0], Value(_MASK))
    if plain == "movt" and values and values[0]:
        low = state.get(into)
        if low is None or low.constant is None:
            return None
        return Value((low.constant & 0xFFFF | values[0].bits << 16) & _MASK)
    if plain in ("bfi", "bfc", "ubfx"):
        return _bit_field(plain, into, operands, state)
    if plain in _BINARY:
        if len(values) == 1:  # adds r0, #1: the first operand is the result too
            values.insert(0, state.get(into))
        if len(values) == 3:  # a shifted register
            shifted = _shifted(operands[-1], values[1])
            values = [values[0], shifted]
        if len(values) == 2:
            return _both(plain, values[0], values[1])
    return None


def _shifted(text: str, value: Value | None) -> Value | None:
    kind, _, amount = text.partition(" ")
    by = number(amount)
    if value is None or by is None or kind not in ("lsl", "lsr", "asr"):
        return None
    return _both(kind, value, Value(by))


def _both(name: str, left: Value | None, right: Value | None) -> Value | None:
    if left is None or right is None:
        return None
    if left.constant is not None and right.constant is not None:
        made = _BINARY[name](left.constant, right.constant)
        return Value(made & _MASK) if made is not None else None
    if name in ("orr", "and", "eor", "bic") and left.constant is not None and name != "bic":
        left, right = right, left
    mask = right.constant
    if mask is None:
        return None
    if name == "orr":
        return _changed(left, mask, mask)
    if name in ("bic", "and"):
        return _changed(left, mask if name == "bic" else ~mask & _MASK, 0)
    if name == "eor":
        flipped = (left.bits ^ mask) & left.known
        return Value(flipped, left.known, left.origin, left.changed | mask)
    return None


def _changed(value: Value, mask: int, bits: int) -> Value:
    return Value(
        value.bits & ~mask | bits & mask, value.known | mask, value.origin, value.changed | mask
    )


def _bit_field(name: str, into: str, operands: Sequence[str], state: State) -> Value | None:
    lsb, width = number(operands[-2]), number(operands[-1])
    if lsb is None or width is None:
        return None
    mask = ((1 << width) - 1) << lsb
    if name == "ubfx":
        source = state.get(_plain(operands[1]))
        constant = source.constant if source else None
        return Value((constant & mask) >> lsb) if constant is not None else None
    old = state.get(into)
    if old is None:
        return None
    if name == "bfc":
        return _changed(old, mask, 0)
    new = state.get(_plain(operands[1]))
    if new is not None and new.constant is not None:
        return _changed(old, mask, new.constant << lsb & mask)
    return Value(old.bits & ~mask, old.known & ~mask, old.origin, old.changed | mask) if (
        old.origin is not None
    ) else None  # fmt: skip


def _shift(left: int, right: int, how: Callable[[int, int], int]) -> int | None:
    return how(left, right) if 0 <= right < 64 else None


def _signed(value: int) -> int:
    return value - (1 << 32) if value >> 31 else value


_BINARY: dict[str, Callable[[int, int], int | None]] = {
    "add": lambda a, b: a + b,
    "addw": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "subw": lambda a, b: a - b,
    "rsb": lambda a, b: b - a,
    "mul": lambda a, b: a * b,
    "and": lambda a, b: a & b,
    "orr": lambda a, b: a | b,
    "orn": lambda a, b: a | ~b,
    "eor": lambda a, b: a ^ b,
    "bic": lambda a, b: a & ~b,
    "lsl": lambda a, b: _shift(a, b & 0xFF, lambda x, n: x << n),
    "lsr": lambda a, b: _shift(a, b & 0xFF, lambda x, n: x >> n),
    "asr": lambda a, b: _shift(a, b & 0xFF, lambda x, n: _signed(x) >> n),
}
_SETTING_FLAGS = frozenset(f"{name}s" for name in (*_BINARY, "mov", "mvn"))


# --- notes ---


def _address(step: Step, state: State) -> int | None:
    """Where a load or store goes, or None when the code does not show it."""
    if step.literal is not None:
        return step.literal
    inside = next((o for o in step.operands if o.startswith("[")), None)
    if inside is None:
        return None
    parts = [part.strip() for part in inside.rstrip("!").strip("[]").split(",")]
    base = _constant(state, parts[0])
    if base is None or len(parts) == 1:
        return base
    offset = number(parts[1])
    if offset is None:
        offset = _constant(state, parts[1])
        if offset is not None and len(parts) == 3:
            by = number(parts[2].removeprefix("lsl "))
            offset = offset << by if by is not None and 0 <= by < 4 else None
    return None if offset is None else (base + offset) & _MASK


def _constant(state: State, register: str) -> int | None:
    value = state.get(_plain(register))
    return value.constant if value else None


def _note(step: Step, state: State, word: Callable[[int], int | None], names: Names) -> str:
    if step.name == "movt" and not step.conditional:
        result = _result(step, state, word, names)
        whole = result[1].constant if result else None
        return f"= {whole:#x} {names.value(whole)}".rstrip() if whole is not None else ""
    width = _WIDTHS.get(step.name)
    if width is None or len(step.operands) < 2:
        return ""
    address = _address(step, state)
    if address is None:
        return ""
    if step.name.startswith("ldr"):
        constant = word(address) if step.name == "ldr" else None
        if constant is not None:
            plain = f"{constant}" if constant < 1 << 16 else f"{constant:#x}"
            return f"= {plain} {names.value(constant)}".rstrip()
        return names.access(address, width, None)
    stored = state.get(_plain(step.operands[0]))
    if stored is not None and stored.origin is not None and stored.origin != address:
        stored = Value(stored.bits, stored.known) if stored.constant is not None else None
    return names.access(address, width, stored)
