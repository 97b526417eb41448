"""A whole chip with its clocks on and parts wired to it, without a core."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fwgen.board import load_board
from fwgen.board.board_file import read_wired
from fwgen.machine.memory import MemoryMap
from fwgen.machine.pads import join
from fwgen.machine.parts.devices import fit
from fwgen.machine.parts.module import fit as fit_modules
from fwgen.machine.soc import Soc

if TYPE_CHECKING:
    from fwgen.board.types import Board

US, MS = 10**6, 10**9


def board_with(**parts: dict[str, object]) -> Board:
    """nucleo-f401 with more parts, as [parts] would say it."""
    board = load_board("nucleo-f401")
    findings: list = []
    _, devices, modules = read_wired(
        parts, "parts", lambda name: name, lambda pin: board.chip.pins[pin].five_volt_tolerant,
        findings,
    )  # fmt: skip
    assert not findings, findings
    return replace(board, devices=devices, modules=modules)


def soc_with(**parts: dict[str, object]) -> Soc:
    """All clocks on at 16 MHz, time 1 us."""
    soc = Soc(board_with(**parts))
    soc.memory = MemoryMap(soc.chip)
    fit(soc)
    soc.modules = fit_modules(soc)
    soc.reset(0, "PORRSTF")
    soc.recorder.started = True
    for register in ("AHB1ENR", "APB1ENR", "APB2ENR"):
        soc.write("RCC", register, soc.peripherals["RCC"].states[register].spec.defined)
    soc.run_until(US)
    return soc


def alternate(
    soc: Soc, pin: str, function: int, *, open_drain: bool = False, pull: int = 0
) -> None:
    """A pin in its alternate function."""
    port, index = f"GPIO{pin[1]}", int(pin[2:])
    for register, width, value in (
        ("AFRL" if index < 8 else "AFRH", 4, function), ("OTYPER", 1, int(open_drain)),
        ("PUPDR", 2, pull), ("MODER", 2, 2),
    ):  # fmt: skip
        lane = index % 8 if width == 4 else index
        old = soc.read(port, register)
        soc.write(
            port, register, old & ~(((1 << width) - 1) << lane * width) | value << lane * width
        )


def output(soc: Soc, pin: str, level: int) -> None:
    """A pin as a push-pull output at a level."""
    port, index = f"GPIO{pin[1]}", int(pin[2:])
    soc.write(port, "BSRR", 1 << index + (0 if level else 16))
    soc.write(port, "MODER", soc.read(port, "MODER") & ~(3 << 2 * index) | 1 << 2 * index)


def join_can(soc: Soc) -> None:
    """CAN1 on PD0, PD1 and CAN2 on PB12, PB13: open drains and one pull-up, a bus of one wire."""
    for port, moder, afr, value, od in (
        ("GPIOD", 0xA, "AFRL", 0x99, 2),
        ("GPIOB", 0xA << 24, "AFRH", 0x99 << 16, 1 << 13),
    ):
        soc.write(port, "OTYPER", od)
        soc.write(port, afr, value)
        soc.write(port, "MODER", soc.read(port, "MODER") | moder)
    pads = [soc.fabric.pads[name] for name in ("PD0", "PD1", "PB12", "PB13")]
    pads[0].set_resistor(soc.now_ps, 1)
    join(soc.now_ps, pads)
