"""The levels of pins, read through the probe while the core runs.

One block read of a port tells each pin's mode, pull, and level at one moment: what drives a pin is
part of what is seen. A pin that neither the chip nor the board drives or pulls floats (None),
whatever its input happens to read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from fwgen.errors import RigError
from fwgen.image.facts import Facts, register_map

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fwgen.board.types import Board, PeripheralSpec

INPUT, OUTPUT, ALTERNATE, ANALOG = range(4)


class Reader(Protocol):
    """What can read memory of a chip that runs."""

    def read(self, address: int, size: int) -> bytes:
        """Bytes of memory."""


@dataclass(frozen=True, slots=True, eq=False)
class PortMap:
    """Where a port's registers lie: one read of ``size`` bytes at ``base`` has them all.

    ``offsets`` are those of MODER, OTYPER, PUPDR, IDR and ODR from ``base``. ``pins`` gives each
    pin's number. ``gate`` is the address and bit of its clock; ``reset`` what MODER and PUPDR hold
    after a reset.
    """

    name: str
    base: int
    size: int
    offsets: tuple[int, int, int, int, int]
    pins: Mapping[str, int]
    gate: tuple[int, int] | None
    reset: tuple[int, int]


REGISTERS = ("MODER", "OTYPER", "PUPDR", "IDR", "ODR")
"""Of an STM32's GPIO. Source: RM0368 §8.4; other families name theirs otherwise."""

KINDS = ("stm32.gpio_v2",)


def port_maps(board: Board) -> tuple[PortMap, ...]:
    """The board's ports that have pins, by name. Raises RigError for a chip that we cannot read."""
    facts = Facts(board.chip)
    made = []
    for spec in board.chip.peripherals.values():
        if spec.kind not in KINDS:
            continue
        letter = spec.name.removeprefix("GPIO")
        pins = {
            name: int(name.removeprefix(f"P{letter}"))
            for name in board.chip.pins
            if name.startswith(f"P{letter}") and name.removeprefix(f"P{letter}").isdigit()
        }
        where = [facts.get(f"{spec.name}_{register}") for register in REGISTERS]
        if not pins or None in where:
            continue
        addresses = [address for address in where if address is not None]
        base, end = min(addresses), max(addresses) + 4
        offsets = tuple(address - base for address in addresses)
        enable = facts.get(f"RCC_{spec.gate.register}") if spec.gate is not None else None
        gate = (enable, spec.gate.bit) if spec.gate is not None and enable is not None else None
        made.append(
            PortMap(
                spec.name, base, end - base, offsets, pins, gate,  # type: ignore[arg-type]
                (_reset_value(spec, "MODER"), _reset_value(spec, "PUPDR")),
            )
        )  # fmt: skip
    if not made:
        raise RigError(
            "no pin of this chip can be watched through the probe", where=board.chip.title,
            hint="fwgen.rig.pads knows " + ", ".join(KINDS),
        )  # fmt: skip
    return tuple(sorted(made, key=lambda port: port.name))


def _reset_value(spec: PeripheralSpec, register: str) -> int:
    """What a register holds after a reset: the chip's own value, or its kind's."""
    own = spec.options.get("reset", {})
    if isinstance(own, Mapping) and register in own:
        return int(own[register])
    mapped = register_map(spec)
    found = mapped.registers.get(register) if mapped is not None else None
    return found.reset if found is not None else 0


def probe_pins(board: Board) -> tuple[str, ...]:
    """The pins of the two wires that the probe itself moves."""
    return tuple(
        pin.name
        for pin in board.chip.pins.values()
        if any({"SWDIO", "SWCLK"} & set(names) for names in pin.alternate.values())
    )


def held_pins(board: Board) -> dict[str, int]:
    """The pins that something on the board drives or pulls whatever the chip does, and where to."""
    held = {part.pin: part.pull for part in board.parts.values() if part.pull is not None}
    if board.console is not None:
        held[board.console.rx] = 1  # a line that rests is high
    return held


class Pads:
    """Reads levels. ``wired`` are the pins that something else drives from outside.

    A port whose clock is off cannot be read (RM0368 §6.3: what is read then is 0). Its pins keep
    doing what they did; what is outside of them we know from having done it (``drive``).
    """

    def __init__(self, board: Board, reader: Reader, wired: Iterable[str] = ()) -> None:
        self.ports = port_maps(board)
        self._reader = reader
        self._rests = held_pins(board)
        self._wired = frozenset(wired)
        self._wires = frozenset(probe_pins(board))
        self._outside: dict[str, int | None] = dict(self._rests)
        self._last: dict[str, int | None] = {}

    def port_of(self, pin: str) -> PortMap | None:
        """The port that a pin is on."""
        return next((port for port in self.ports if pin in port.pins), None)

    def drive(self, pin: str, level: int | None) -> int | None:
        """Something outside of the chip drives a pin now, or lets it go; the level it then has.

        That is as far as the outside decides: the level that something on the board pulls it to.
        """
        self._outside[pin] = self._rests.get(pin) if level is None else level
        return self._outside[pin]

    def is_readable(self, pin: str) -> bool:
        """Whether the level of a pin can be read now: the clock of its port is on."""
        port = self.port_of(pin)
        return port is not None and self._has_clock(port)

    def levels(self, port: PortMap) -> dict[str, int | None]:
        """The levels of a port's pins, all at one moment. Raises RigError."""
        words = self._words(port)
        readable = any(words) or self._has_clock(port)
        if readable and not any(words):
            words = self._words(port)  # its clock may have come on only just now
        if not readable:
            found = {pin: self._unread(pin, number, port) for pin, number in port.pins.items()}
        else:
            found = {pin: self._level(pin, number, words) for pin, number in port.pins.items()}
        self._last |= found
        return found

    def _words(self, port: PortMap) -> list[int]:
        data = self._reader.read(port.base, port.size)
        return [int.from_bytes(data[at : at + 4], "little") for at in port.offsets]

    def _has_clock(self, port: PortMap) -> bool:
        if port.gate is None:
            return True
        address, bit = port.gate
        return bool(int.from_bytes(self._reader.read(address, 4), "little") >> bit & 1)

    def _unread(self, pin: str, number: int, port: PortMap) -> int | None:
        if self._is_held(pin):
            return self._outside[pin]
        if pin in self._last and pin not in self._wired:
            return self._last[pin]
        moder, pupdr = port.reset
        return self._level(pin, number, [moder, 0, pupdr, self._pulled_up(pupdr), 0])

    @staticmethod
    def _pulled_up(pupdr: int) -> int:
        """IDR as the pulls alone make it."""
        return sum(1 << n for n in range(16) if pupdr >> 2 * n & 3 == 1)

    def _level(self, pin: str, number: int, words: Sequence[int]) -> int | None:
        moder, otyper, pupdr, idr, odr = words
        mode, pull = moder >> 2 * number & 3, pupdr >> 2 * number & 3
        level = idr >> number & 1
        pulled = pull in (1, 2)
        if pin in self._wires and mode == ALTERNATE:
            return 1 if pull == 1 else 0  # it rests so; what else is seen is our own doing
        if mode == OUTPUT:
            open_drain = otyper >> number & 1 and odr >> number & 1
            return level if not open_drain or pulled or self._is_held(pin) else None
        if mode == ANALOG:
            return self._outside.get(pin)
        return level if mode == ALTERNATE or pulled or self._is_held(pin) else None

    def _is_held(self, pin: str) -> bool:
        """Whether something outside of the chip drives or pulls a pin now."""
        return self._outside.get(pin) is not None
