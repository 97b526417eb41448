"""A readable pin map of a board: which pin is where, what it can do, what is wired to it.

Pure data for whoever prints it (a terminal, HTML, JSON): no colours, no widths.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fwgen.board.types import Board, Pin


@dataclass(frozen=True, slots=True)
class PinRow:
    """One pin, or one position of a header that carries no pin (``pin`` None, ``net`` named)."""

    label: str  # "D13", "CN7-23", "PA5"
    pin: str | None  # "PA5"
    net: str  # "GND", "5V"; "" for a pin
    used_by: str  # "LD2, led", "console TX", "debug probe (SWDIO)"; "" when free
    labels: tuple[str, ...]  # the other names on headers: ("D13", "CN10-11")
    alternate: tuple[tuple[int, str], ...]  # (1, "TIM2_CH1 TIM2_ETR"); EVENTOUT left out
    analog: tuple[str, ...]  # "ADC1_IN5" and what else is there beside the alternate functions
    five_volt: bool

    @property
    def functions(self) -> str:
        """Everything the pin can do, in one line."""
        listed = [*self.analog, *(f"{names} (AF{n})" for n, names in self.alternate)]
        return ", ".join(listed)


@dataclass(frozen=True, slots=True)
class PinGroup:
    """Rows that belong together: a header, or a port. ``columns`` is 2 for two-row headers."""

    title: str
    kind: str  # "header" or "port"
    rows: tuple[PinRow, ...]
    columns: int = 1


@dataclass(frozen=True, slots=True)
class PinMap:
    """All headers of the board, then all ports of the chip."""

    board: str
    chip: str
    package: str
    parts: tuple[PinRow, ...]
    groups: tuple[PinGroup, ...]


def pin_uses(board: Board) -> Mapping[str, str]:
    """What on the board holds a pin: parts, console, debug probe, oscillators."""
    uses: dict[str, str] = {}
    for pin in board.chip.pins.values():
        for signal in ("SWDIO", "SWCLK"):
            if pin.reset_af is not None and signal in pin.alternate.get(pin.reset_af, ()):
                uses[pin.name] = f"debug probe ({signal})"
        fitted = {"OSC_IN": board.hse_hz, "OSC32_IN": board.lse_hz, "OSC32_OUT": board.lse_hz}
        fitted["OSC_OUT"] = None if board.hse_bypass else board.hse_hz
        for signal in pin.additional:
            if fitted.get(signal):
                uses[pin.name] = f"oscillator ({signal})"
    if board.console is not None:
        uses[board.console.tx] = f"console TX ({board.console.uart})"
        uses[board.console.rx] = f"console RX ({board.console.uart})"
    wired = [
        (pin, f"{module.name}, {module.kind} {own}")
        for module in board.modules.values() for own, pin in module.pins.items()
    ] + [
        (pin, f"{device.name}, {device.kind}")
        for device in board.devices.values() for pin in device.pins.values()
    ]  # fmt: skip
    for pin_name, what in wired:
        held = uses.get(pin_name)
        uses[pin_name] = what if held is None else f"{held}; {what}"
    for part in board.parts.values():
        colour = f"{part.colour} " if part.colour else ""
        uses[part.pin] = f"{part.name}, {colour}{part.kind}"
    return uses


def pin_map(board: Board) -> PinMap:
    """The pin map of a board: by header in the board's order, then by port."""
    uses = pin_uses(board)
    labels: dict[str, list[str]] = {}
    for header in board.headers.values():
        for label, name in header.items():
            labels.setdefault(name, []).append(label)

    def row(label: str, name: str) -> PinRow:
        pin = board.chip.pins.get(name)
        if pin is None:
            return PinRow(label, None, name, "", (), (), (), False)
        others = tuple(other for other in labels.get(name, ()) if other != label)
        return PinRow(
            label,
            name,
            "",
            uses.get(name, ""),
            others,
            _alternate(pin),
            pin.additional,
            pin.five_volt_tolerant,
        )

    groups = [
        PinGroup(
            title,
            "header",
            tuple(row(label, name) for label, name in header.items()),
            2 if all("-" in label for label in header) else 1,
        )
        for title, header in board.headers.items()
    ]
    ports: dict[str, list[Pin]] = {}
    for pin in board.chip.pins.values():
        ports.setdefault(pin.port, []).append(pin)
    for port in sorted(ports):
        ordered = sorted(ports[port], key=lambda pin: pin.index)
        rows = tuple(row(pin.name, pin.name) for pin in ordered)
        groups.append(PinGroup(f"Port {port}", "port", rows))
    parts = tuple(row(part.name, part.pin) for part in board.parts.values())
    return PinMap(board.name, board.chip.title, board.chip.package, parts, tuple(groups))


def _alternate(pin: Pin) -> tuple[tuple[int, str], ...]:
    """The alternate functions that someone would look for: EVENTOUT is on every pin."""
    shown = []
    for number, signals in sorted(pin.alternate.items()):
        names = " ".join(signal for signal in signals if signal != "EVENTOUT")
        if names:
            shown.append((number, names))
    return tuple(shown)
