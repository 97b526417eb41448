"""What a model is told before it emits: format, encodings, rules, the board, two examples.

What is the same for every request stands first, what hangs on the request last, so that an
endpoint that caches by prefix need not read it twice. Everything about the chip comes from its
files; the examples are made on the spot by the embedded model, for this very board.
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from fwgen.board.types import fold_words
from fwgen.errors import FwgenError
from fwgen.image.emission import CodeLine, WordLine
from fwgen.image.facts import register_map
from fwgen.image.wire import dump_emission
from fwgen.model.remote.blocks import offer
from fwgen.model.remote.card import card
from fwgen.model.remote.parts import bus_ports, part_line, title_of, wired_told, with_pins
from fwgen.units import show_frequency

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fwgen.board.registers import RegisterSpec
    from fwgen.board.types import Board, PeripheralSpec
    from fwgen.contract import Contract
    from fwgen.image.emission import Emission

SENTENCES: Final = (
    "turn on LED",
    "blink LED at 2 Hz 3 times",
)
SPEAKING: Final = 'print "hi" every second'


@dataclass(frozen=True, slots=True)
class Needs:
    """What of a board matters for a request."""

    pins: tuple[str, ...]
    peripherals: tuple[str, ...]
    speaks: bool


@cache
def _needed() -> dict[str, dict[str, object]]:
    return tomllib.loads(files(__package__).joinpath("needed.toml").read_text(encoding="utf-8"))


@cache
def text_of(name: str) -> str:
    """One of the texts in ``prompts/``."""
    path = files(__package__).joinpath("prompts", f"{name}.txt")
    return path.read_text(encoding="utf-8").rstrip("\n")


def system_prompt(
    board: Board, needs: Needs, contract: Contract | None = None, *, blocks: bool = False
) -> str:
    """All that a model is told before the request. ``blocks`` offers those there are.

    What the contract wires to the board stands last, with what else the request needs.
    """
    from fwgen.contract.subjects import fitted

    wired = board if contract is None else fitted(board, contract)
    simple = () if contract is None else contract.parts
    sentences = (SENTENCES[0], SPEAKING) if needs.speaks else SENTENCES
    parts = [
        text_of("format"),
        f"ENCODINGS (low registers unless said; {board.chip.core})\n{card(board.chip.core)}",
        f"RULES\n{text_of('rules')}",
        board_facts(board),
        *(example(board, sentence) for sentence in sentences),
        offer(board) if blocks and needs.speaks else "",
        peripherals(wired, needs),
        wired_told(wired, simple),
    ]
    return "\n\n".join(part for part in parts if part)


def needs_of(prompt: str, contract: Contract, board: Board) -> Needs:
    """What a request is about: from its words, and from what its contract names and wires."""
    from fwgen.contract.subjects import fitted

    board = fitted(board, contract)
    text = f"{prompt}\n{_named(contract, board)}"
    pins: dict[str, None] = {}
    found: dict[str, None] = {}
    speaks = False
    for phrase in _phrases(text):
        part = board.find_part(phrase)
        pin = board.find_pin(phrase) if len(phrase) > 1 else None
        if part is not None or pin is not None:
            pins[part.pin if part is not None else pin.name] = None  # type: ignore[union-attr]
        if phrase.upper() in board.chip.peripherals:
            found[phrase.upper()] = None
        meant = board.words.get(fold_words(phrase), phrase)
        speaks |= meant.casefold() in ("console", "says", "replies", "send")
    console = board.console
    if speaks and console is not None:
        found[console.uart] = None
        pins |= dict.fromkeys((console.tx, console.rx))
    wanted = _wired_needs(contract, board, pins, found)
    wanted |= {
        kind
        for kind, words in _needed()["words"].items()
        if any(re.search(rf"\b{re.escape(w)}\b", text.casefold()) for w in _list(words))
    }
    for kind in sorted(wanted):
        if not any(_is_kind(board.chip.peripherals[name], kind) for name in found):
            found |= dict.fromkeys(_instances(board, kind, tuple(pins))[:1])
    if any(part.kind == "button" and part.pin in pins for part in board.parts.values()):
        found |= dict.fromkeys(n for n in ("EXTI", "SYSCFG") if n in board.chip.peripherals)
    ports = sorted(
        {f"GPIO{board.chip.pins[name].port}" for name in pins if name in board.chip.pins}
    )
    return Needs(tuple(pins), (*ports, "SYSTICK", *(n for n in found if n not in ports)), speaks)


def _named(contract: Contract, board: Board) -> str:
    """What a contract does and expects, as text.

    The tables of its parts are left out: a display's "d4" is no pin of the board's.
    """
    from fwgen.contract import dump_contract

    tables = re.split(r"^(?=\[)", dump_contract(contract, board), flags=re.M)
    lines = (line for t in tables if not t.startswith("[parts.") for line in t.splitlines())
    return "\n".join(line for line in lines if not line.startswith("#"))


def _wired_needs(
    contract: Contract, board: Board, pins: dict[str, None], found: dict[str, None]
) -> set[str]:
    """The register maps that parts and voltages call for; their pins and ports are added."""
    from fwgen.contract import Analog

    wanted: set[str] = set()
    for several in with_pins(board):
        pins |= dict.fromkeys(several.pins.values())
        ports = bus_ports(several.pins, board)
        found |= dict.fromkeys(ports[:1])
        if not ports and several.name in board.modules:
            wanted.add("stm32.tim_v1")  # their protocols are a matter of microseconds
    if any(isinstance(stimulus, Analog) for stimulus in contract.stimuli) or any(
        part.sensor is not None for part in contract.parts
    ):
        wanted |= {"stm32.adc_v2", "stm32.adccommon_v2"}
    pins |= dict.fromkeys(part.pin for part in contract.parts)
    return wanted


def _list(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def _phrases(text: str) -> set[str]:
    words = re.findall(r"[A-Za-z0-9_]+", text)
    return {
        " ".join(words[at : at + size]) for size in (1, 2, 3) for at in range(len(words) - size + 1)
    }


def _is_kind(spec: PeripheralSpec, kind: str) -> bool:
    """Whether a peripheral is of a kind of ``needed.toml``: chips have versions of their own."""
    return spec.registers is not None and _stem(spec.registers) == _stem(kind)


def _stem(kind: str) -> str:
    """What versions share: of "stm32.i2c_v1" and "stm32.i2c_f407" it is "stm32.i2c"."""
    return kind.rpartition("_")[0] or kind


def _told(table: str, kind: str) -> object:
    """What a table of ``needed.toml`` says of a register map, or of another version of it."""
    entries = _needed()[table]
    alike = (entries[known] for known in entries if _stem(known) == _stem(kind))
    return entries.get(kind) or next(alike, None)


def _instances(board: Board, kind: str, pins: tuple[str, ...]) -> list[str]:
    """The peripherals of a kind, those first that a pin of the request is wired to."""
    named = [p.name for p in board.chip.peripherals.values() if _is_kind(p, kind)]
    signals = [
        signal.split("_")[0]
        for pin in pins
        if pin in board.chip.pins
        for group in board.chip.pins[pin].alternate.values()
        for signal in group
    ]
    return sorted(named, key=lambda name: (name not in signals, named.index(name)))


def board_facts(board: Board) -> str:
    """Core, memories, clock and parts, in a few lines."""
    chip = board.chip
    flash, ram = (f"{memory.base:#x} +{memory.size // 1024}K" for memory in (chip.flash, chip.ram))
    clock = show_frequency(chip.clocks.hsi_hz * 1000)
    lines = [
        f"BOARD {board.title}: {chip.title}, {chip.core}, flash {flash}, RAM {ram}, "
        "stack at its top.",
        f"After reset the clock is the internal oscillator: CLK = {clock} on every bus. Keep it "
        "unless the task needs more.",
    ]
    lines += [part_line(part) for part in board.parts.values()]
    lines += [f"{m.name}: {title_of(m.kind)} ({m.kind})." for m in board.modules.values()]
    if board.console is not None:
        c = board.console
        tx = chip.pins[c.tx].af(f"{c.uart}_TX")
        lines.append(
            f"console: {c.uart}, TX {c.tx} and RX {c.rx} (AF{tx}), {c.baud} baud, "
            "lines end in CR LF."
        )
    return "\n".join(lines)


def example(board: Board, sentence: str) -> str:
    """A request and a right answer to it, or "" where the board cannot do it."""
    from fwgen.model.embedded.model import EmbeddedModel

    model = EmbeddedModel()
    try:
        emission = model.emit(model.read(sentence, board))
    except FwgenError:
        return ""  # a board without such parts
    return f"EXAMPLE {sentence}\n{compact(bare(emission))}"


def bare(emission: Emission) -> Emission:
    """An emission without its comments."""
    units = tuple(
        replace(
            unit,
            lines=tuple(
                replace(line, comment="") if isinstance(line, CodeLine | WordLine) else line
                for line in unit.lines
            ),
        )
        for unit in emission.units
    )
    return replace(emission, units=units)


def compact(emission: Emission) -> str:
    """An emission on the wire, without blanks."""
    data = json.loads(dump_emission(emission))
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)


def peripherals(board: Board, needs: Needs) -> str:
    """The peripherals that matter: where they are, what turns them on, the registers needed."""
    chip = board.chip
    lines = ["PERIPHERALS (offset, register, fields by bit)"]
    said: set[str] = set()
    for name in needs.peripherals:
        spec = chip.peripherals.get(name)
        if spec is None:
            continue
        lines.append(_head(spec))
        mapped = register_map(spec)
        kind = spec.registers or ""
        if mapped is None:
            continue
        if kind in said:
            lines[-1] += " (registers as above)"
            continue
        said.add(kind)
        wanted = _list(_told("registers", kind)) or list(mapped.registers)
        shown = []
        for entry in wanted:
            register, *fields = entry.split()
            if register in mapped.registers:
                shown.append(_register(mapped.registers[register], fields))
        lines.append(" " + "; ".join(shown))
        note = _told("notes", kind)
        if note:
            lines.append(f" {note}")
    lines += _pins(board, needs)
    return "\n".join(lines)


def _head(spec: PeripheralSpec) -> str:
    text = f"{spec.name} {spec.base:#x}"
    if spec.gate is not None:
        text += f", on: RCC_{spec.gate.register} bit {spec.gate.bit}"
    if spec.irqs:
        lines = spec.irqs if len(spec.irqs) < 3 else {}
        text += "".join(f", IRQ {number}" for number in lines.values())
    return text


def _register(spec: RegisterSpec, fields: Iterable[str]) -> str:
    shown = []
    for name in fields:
        field = spec.fields.get(name)
        if field is not None:
            top = f"{field.lsb + field.width - 1}:" if field.width > 1 else ""
            shown.append(f"{name}={top}{field.lsb}")
    return f"{spec.offset:02x} {spec.name}" + (f" {' '.join(shown)}" if shown else "")


def _pins(board: Board, needs: Needs) -> list[str]:
    """What the pins of the request can be, and the interrupt lines of its buttons."""
    chip = board.chip
    lines = []
    for name in needs.pins:
        pin = chip.pins.get(name)
        if pin is None:
            continue
        signals = [
            f"AF{number} {signal}"
            for number, group in sorted(pin.alternate.items())
            for signal in group
            if signal.split("_")[0] in needs.peripherals
        ]
        signals += [
            s for s in pin.additional if s.startswith("ADC") and "ADC1" in needs.peripherals
        ]
        if any(p.kind == "button" and p.pin == name for p in board.parts.values()):
            line = _exti(chip.interrupts, pin.index)
            signals += [f"EXTI line {pin.index}" + (f", vector {line}" if line else "")]
        if signals:
            lines.append(f"{name}: {', '.join(signals)}")
    return lines


def _exti(interrupts: Mapping[int, str], line: int) -> str:
    """The vector of an EXTI line: "EXTI0", "EXTI15_10 (IRQ 40)"."""
    for number, name in interrupts.items():
        match = re.fullmatch(r"EXTI(\d+)(?:_(\d+))?", name)
        if match and int(match[2] or match[1]) <= line <= int(match[1]):
            return f"{name} (IRQ {number})"
    return ""
