"""What a name in a contract means on a board: a part, a pin or a port."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fwgen.board.modules import load_module_kind
from fwgen.errors import ContractError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fwgen.board.types import Board, Device, Module, Part
    from fwgen.contract.types import Contract

_CONSOLE = frozenset(("console", "serial", "uart", "serial port", "terminal"))
_BUS = re.compile(r"(?:I2C|SPI)\d+")
_ON_OFF = {"button": ("pressed", "released")}


@dataclass(frozen=True, slots=True)
class Subject:
    """A name resolved: ``pin`` for a part or a pin, ``port`` (the UART's name) for a serial port.

    ``active`` is the pin's level that counts as 1; ``words`` are what 1 and 0 are called.
    """

    name: str
    pin: str = ""
    port: str = ""
    active: int = 1
    words: tuple[str, str] = ("high", "low")
    part: Part | None = None
    module: Module | None = None
    item: str = ""  # of the module: a key of it, or what it senses
    bus: str = ""  # the name of an I2C or SPI port

    @property
    def key(self) -> str:
        """What two names for the same thing share."""
        if self.module is not None:
            return f"{self.module.name}.{self.item}".rstrip(".")
        return self.pin or self.port or self.bus

    @property
    def pins(self) -> tuple[str, ...]:
        """The pins it is on: a module's are many."""
        if self.module is not None:
            own = (f"{self.module.name}.{out}" for out in self.module.outputs)
            return (*self.module.pins.values(), *own)
        return (self.pin,) if self.pin else ()

    def word(self, level: int | None) -> str:
        """What a level of this subject is called."""
        return "floating" if level is None else self.words[0 if level else 1]

    def turns(self, edge: str | None) -> str:
        """What an edge of this subject is called."""
        if edge == "both":
            return "changes"
        word = self.word(1 if edge == "rising" else 0)
        if self.part is None:
            return f"goes {word}"
        return f"turns {word}" if word in ("on", "off") else f"is {word}"


def wired(
    board: Board, parts: Iterable[Part], devices: Iterable[Device], modules: Iterable[Module]
) -> Board:
    """The board with more parts, devices and modules wired to it."""
    more_parts = {part.name: part for part in parts}
    more_devices = {device.name: device for device in devices}
    more_modules = {module.name: module for module in modules}
    if not more_parts and not more_devices and not more_modules:
        return board
    return replace(
        board,
        parts={**board.parts, **more_parts},
        devices={**board.devices, **more_devices},
        modules={**board.modules, **more_modules},
    )


def fitted(board: Board, contract: Contract) -> Board:
    """The board with all that a contract wires to it."""
    return wired(board, contract.parts, contract.devices, contract.modules)


def on_bench(board: Board, contract: Contract) -> Board:
    """The board as a machine has it: parts that give a voltage do so when they are set."""
    parts = (part for part in contract.parts if part.sensor is None)
    return wired(board, parts, contract.devices, contract.modules)


def resolve(name: str, board: Board) -> Subject:
    """What ``name`` means on the board. Raises ContractError that suggests the nearest names."""
    found = find(name, board)
    if found is None:
        raise ContractError(
            f"{board.name} has no {name!r}",
            hint=did_you_mean(name, known_names(board)) or "a part, a pin, a header name or a port",
        )
    return found


def find(name: str, board: Board) -> Subject | None:
    """What ``name`` means on the board, or None."""
    if not isinstance(name, str) or not name.strip():
        return None
    part = board.find_part(name)
    if part is not None:
        words = _ON_OFF.get(part.kind, ("on", "off"))
        return Subject(name, pin=part.pin, active=part.active, words=words, part=part)
    pin = board.find_pin(name)
    if pin is not None:
        return Subject(name, pin=pin.name)
    port = _port(name, board)
    if port is not None:
        return Subject(name, port=port)
    if board.modules and (found := _module(name, board)) is not None:
        return found
    bus = name.strip().upper()
    if _BUS.fullmatch(bus) and bus in board.chip.peripherals:
        return Subject(name, bus=bus)
    meant = board.words.get(" ".join(name.casefold().split()))
    if meant is None or meant.casefold() == name.casefold():
        return None
    other = find(meant, board)
    if other is None:
        return None
    return Subject(
        name, other.pin, other.port, other.active, other.words, other.part, bus=other.bus
    )


def _module(name: str, board: Board) -> Subject | None:
    """A module, or with a dot a key of it or what it senses; its only one may go unsaid."""
    stem, dot, item = name.partition(".")
    module = board.find_module(stem)
    if module is None:
        return None
    kind = load_module_kind(module.kind)
    if not dot:
        return Subject(name, module=module, item=next(iter(kind.senses), "") if (
            len(kind.senses) == 1
        ) else "")  # fmt: skip
    if item in kind.senses or item in kind.keys:
        return Subject(name, module=module, item=item)
    return None


def _port(name: str, board: Board) -> str | None:
    folded = " ".join(name.casefold().split())
    if folded in _CONSOLE and board.console is not None:
        return board.console.uart
    for peripheral in board.chip.peripherals.values():
        if peripheral.name.casefold() == folded and "uart" in folded.replace("usart", "uart"):
            return peripheral.name
    return None


def port_pins(port: str, board: Board) -> tuple[str, ...]:
    """The pins that a port may use: its own on the console, else all that reach its TX and RX."""
    if board.console is not None and board.console.uart == port:
        return board.console.tx, board.console.rx
    signals = {f"{port}_TX", f"{port}_RX"}
    return tuple(
        pin.name
        for pin in board.chip.pins.values()
        if any(signals & set(names) for names in pin.alternate.values())
    )


def bus_pins(bus: str, board: Board) -> tuple[str, ...]:
    """The pins that a signal of an I2C or SPI port reaches."""
    return tuple(
        pin.name
        for pin in board.chip.pins.values()
        if any(n.startswith(f"{bus}_") for names in pin.alternate.values() for n in names)
    )


def known_names(board: Board) -> list[str]:
    """Every name that a contract for this board may use, for suggestions."""
    ports = ["console"] if board.console is not None else []
    ports += [name for name in board.chip.peripherals if "UART" in name or "USART" in name]
    ports += [name for name in board.chip.peripherals if _BUS.fullmatch(name)]
    headers = [label for header in board.headers.values() for label in header]
    modules = list(board.modules)
    for module in board.modules.values():
        kind = load_module_kind(module.kind)
        modules += [f"{module.name}.{item}" for item in (*kind.senses, *kind.keys)]
    return [*board.parts, *modules, *ports, *board.chip.pins, *headers, *board.words]
