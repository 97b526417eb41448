"""Reads boards/*.toml and boards/chips/*.toml into Board and Chip; finds what is wrong with them.

One pass over a file collects every finding; ``load_board`` raises the first as a BoardError,
``check_board_file`` gives them all to someone who writes a board of their own.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from fwgen.board.registers import boards_folder, known_register_maps, load_register_map
from fwgen.board.types import (
    Board,
    Chip,
    ClockGate,
    Clocks,
    Console,
    Memory,
    Part,
    PeripheralSpec,
    Pin,
    WaitStates,
    fold_words,
)
from fwgen.errors import BoardError, UnitError, did_you_mean
from fwgen.units import parse_duration, parse_frequency, parse_voltage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

T = TypeVar("T")

MEMORY_KINDS = ("flash", "ram", "rom", "otp", "options", "alias")
CORES = ("cortex-m0", "cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m4f", "cortex-m33")
OSCILLATORS = ("hsi", "hse", "pll", "lsi", "lse")
PLL_RANGES = ("vco_in", "vco_out", "m", "n", "p", "q")

#: Kinds of part -> (the key that says at which level it is active, further keys).
PART_KINDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "led": ("lit", ("colour", "title")),
    "button": ("pressed", ("pull", "colour", "title")),
}

#: What a header may carry that is no pin of the chip.
NETS = frozenset(
    {"NC", "GND", "AGND", "VDD", "3V3", "5V", "E5V", "U5V", "VIN", "VBAT", "AVDD", "AREF"}
    | {"IOREF", "RESET", "BOOT0", "VREF+", "VREF-", "VCAP"}
)

CONSOLE_WORD = "console"

_SMALL = re.compile(r"[0-9]{1,4}")
_PIN = re.compile(r"P([A-K])(\d|1[0-5])")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with a board or chip file, and where: "boards/x.toml: parts.LD2.pin"."""

    where: str
    message: str
    hint: str | None = None

    def error(self) -> BoardError:
        """The finding as an error."""
        return BoardError(self.message, where=self.where, hint=self.hint)


@dataclass(frozen=True, slots=True)
class BoardSummary:
    """A board that this installation knows, without its chip."""

    name: str
    title: str
    chip: str
    aliases: tuple[str, ...]
    path: Path


class _Missing:
    """Marks a key that must be there."""


_MISSING = _Missing()


class _Table:
    """One TOML table being read: each key is taken once; what is left over is unknown."""

    __slots__ = ("_is_table", "_known", "_left", "findings", "where")

    def __init__(self, data: object, where: str, findings: list[Finding]) -> None:
        self.where = where
        self.findings = findings
        self._known: list[str] = []
        self._left: dict[str, object] = dict(data) if isinstance(data, dict) else {}
        self._is_table = isinstance(data, dict)
        if not self._is_table:
            self.complain("", "should be a table")

    def at(self, key: str) -> str:
        """The place of a key, as the user knows it."""
        if not key:
            return self.where
        return f"{self.where}.{key}" if not self.where.endswith(".toml") else f"{self.where}: {key}"

    def complain(self, key: str, message: str, hint: str | None = None) -> None:
        self.findings.append(Finding(self.at(key), message, hint))

    def raw(self, key: str, default: object = _MISSING) -> object:
        """The value of a key as TOML gave it."""
        self._known.append(key)
        if key in self._left:
            return self._left.pop(key)
        if default is _MISSING and self._is_table:
            self.complain(key, "is missing")
        return default

    def peek(self, key: str) -> object:
        """The value of a key, not taken; None when absent."""
        return self._left.get(key)

    def take(self, key: str, kind: type[T], default: T | _Missing = _MISSING) -> T | None:
        """The value of a key if it is of that type; None after a complaint."""
        value = self.raw(key, default)
        if value is _MISSING or value is None:
            return None
        # bool is an int in Python; a board file that says `baud = true` is wrong all the same.
        if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
            return value
        self.complain(key, f"{value!r} should be {_TYPE_NAMES[kind]}")
        return None

    def text(self, key: str, default: str | _Missing = _MISSING) -> str:
        return self.take(key, str, default) or ""

    def number(
        self, key: str, default: int | _Missing = _MISSING, *, low: int = 0, high: int = 2**32
    ) -> int:
        value = self.take(key, int, default)
        if value is None:
            return low
        if not low <= value <= high:
            self.complain(key, f"{value} is not from {low} to {high}")
            return low
        return value

    def one_of(self, key: str, choices: Iterable[str]) -> str:
        value, known = self.take(key, str), list(choices)
        if value is not None and value not in known:
            self.complain(key, f"{value!r} is unknown", _suggest(value, known))
        return value if value in known else ""

    def texts(self, key: str, default: list[object] | _Missing = _MISSING) -> tuple[str, ...]:
        value = self.take(key, list, default) or []
        if not all(isinstance(item, str) for item in value):
            self.complain(key, "should be a list of texts")
            return ()
        return tuple(value)

    def pair(self, key: str, read: Callable[[_Table, str, object], int]) -> tuple[int, int]:
        """A range, lowest first; each end read by ``read``."""
        value = self.take(key, list)
        if value is None:
            return (0, 0)
        if len(value) != 2:
            self.complain(key, "should be a range: [lowest, highest]")
            return (0, 0)
        low, high = (read(self, key, end) for end in value)
        if low > high:
            self.complain(key, f"{value[0]!r} is above {value[1]!r}", "the lowest comes first")
        return (low, high)

    def table(self, key: str, default: object = _MISSING) -> _Table:
        value = self.raw(key, default)
        return _Table({} if value is _MISSING else value, self.at(key), self.findings)

    def tables(self) -> Iterable[tuple[str, _Table]]:
        """Every remaining key as a table."""
        for key, value in self._left.items():
            yield key, _Table(value, self.at(key), self.findings)
        self._left = {}

    def items(self) -> Iterable[tuple[str, object]]:
        """Every remaining key with its raw value."""
        left, self._left = self._left, {}
        return left.items()

    def close(self) -> None:
        """Complain about every key that nobody asked for."""
        for key in self._left:
            self.complain(key, f"unknown key {key!r}", _suggest(key, self._known))


_TYPE_NAMES = {str: "a text", int: "a whole number", bool: "true or false", list: "a list"}


def _suggest(word: str, known: Iterable[str]) -> str | None:
    pool = list(known)
    if close := did_you_mean(word, pool):
        return close
    return f"known: {', '.join(pool)}" if 0 < len(pool) <= 12 else None


def _index(text: str, limit: int) -> int | None:
    """The number that a key spells, if it is below ``limit``."""
    number = int(text) if _SMALL.fullmatch(text) else limit
    return number if number < limit else None


def _quantity(parse: Callable[[str], int], table: _Table, key: str, value: object) -> int:
    if isinstance(value, str):
        try:
            return parse(value)
        except UnitError as error:
            table.complain(key, error.message, error.hint)
            return 0
    table.complain(key, f"{value!r} needs a unit", 'for example "8 MHz", "3.3 V", "2 ms"')
    return 0


def _hertz(table: _Table, key: str, value: object) -> int:
    millihertz = _quantity(parse_frequency, table, key, value)
    if millihertz < 0 or millihertz % 1000:
        table.complain(key, f"{value!r} is not a whole number of hertz")
    return max(millihertz // 1000, 0)


def _microvolts(table: _Table, key: str, value: object) -> int:
    return _quantity(parse_voltage, table, key, value)


def _plain(table: _Table, key: str, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    table.complain(key, f"{value!r} should be a whole number")
    return 0


# ---------------------------------------------------------------------------------- chips


def _read_chip(data: Mapping[str, object], name: str, where: str, out: list[Finding]) -> Chip:
    top = _Table(data, where, out)
    title = top.text("title")
    family = top.text("family")
    core = top.one_of("core", CORES)
    package = top.text("package")
    idcode = top.take("idcode", int, 0)
    lines = top.number("nvic_lines", low=1, high=240)
    priority_bits = top.number("priority_bits", low=2, high=8)
    manuals = {k: str(v) for k, v in top.table("manuals", {}).items()}
    memories = _memories(top.table("memories"))
    clocks = _clocks(top.table("clocks"))
    interrupts = _interrupts(top.table("interrupts"), lines)
    peripherals = _peripherals(top.table("peripherals"), interrupts, clocks.apb_max_hz)
    _check_shared(top.table("shared_interrupts", {}), peripherals)
    _check_triggers(top, peripherals)
    signals = top.table("signals", {})
    system = set(signals.texts("system", []))
    aliases = {k: str(v) for k, v in signals.table("aliases", {}).items()}
    signals.close()
    for alias, meant in aliases.items():
        if meant not in peripherals:
            top.complain(f"signals.aliases.{alias}", f"there is no peripheral {meant!r}")
    prefixes = sorted([*peripherals, *aliases], key=len, reverse=True)
    pins = _pins(top.table("pins"), package, peripherals, system, prefixes)
    top.close()
    _check_overlaps(memories, peripherals, where, out)
    return Chip(
        name=name,
        title=title,
        family=family,
        core=core,
        manuals=manuals,
        idcode=idcode or None,
        package=package,
        nvic_lines=lines,
        priority_bits=priority_bits,
        memories=memories,
        peripherals=peripherals,
        interrupts=interrupts,
        pins=pins,
        clocks=clocks,
    )


def _memories(table: _Table) -> dict[str, Memory]:
    memories: dict[str, Memory] = {}
    for name, t in table.tables():
        base = t.number("base", high=2**32 - 1)
        size = t.number("size", low=1)
        kind = t.one_of("kind", MEMORY_KINDS)
        alias_of = t.take("alias_of", str, "") or None
        sectors = tuple(_plain(t, "sectors", s) for s in t.take("sectors", list, []) or [])
        t.close()
        if base + size > 2**32:
            t.complain("size", "reaches past the end of the address space")
        if sectors and sum(sectors) != size:
            t.complain("sectors", f"add up to {sum(sectors):#x}, the memory has {size:#x} bytes")
        if (kind == "alias") != (alias_of is not None):
            t.complain("alias_of", "goes with kind = 'alias', and must be there for it")
        memories[name] = Memory(name, base, size, kind, alias_of, sectors)
    for memory in memories.values():
        if memory.alias_of and memory.alias_of not in memories:
            table.complain(
                f"{memory.name}.alias_of",
                f"there is no memory {memory.alias_of!r}",
                _suggest(memory.alias_of, memories),
            )
    for kind in ("flash", "ram"):
        if not any(m.kind == kind for m in memories.values()):
            table.complain("", f"there is no memory of kind {kind!r}")
    return memories


def _clocks(t: _Table) -> Clocks:
    def hz(key: str) -> int:
        value = t.raw(key)
        return 0 if value is _MISSING else _hertz(t, key, value)

    hsi, lsi, sysclk, hclk = hz("hsi"), hz("lsi"), hz("sysclk_max"), hz("hclk_max")
    hse, bypass = t.pair("hse", _hertz), t.pair("hse_bypass", _hertz)
    apb = t.table("apb_max")
    apb_max = {bus: _hertz(apb, bus, value) for bus, value in apb.items()}
    for bus, limit in apb_max.items():
        if limit > hclk:
            apb.complain(bus, "is above hclk_max")
    if hclk > sysclk:
        t.complain("hclk_max", "is above sysclk_max")
    vos_table = t.table("vos_hclk_max", {})
    vos = {}
    for key, value in vos_table.items():
        if (field := _index(key, 16)) is not None:
            vos[field] = _hertz(vos_table, key, value)
        else:
            vos_table.complain(key, "should be a value of the VOS field")
    pll_table = t.table("pll")
    pll = {
        key: pll_table.pair(key, _hertz if key.startswith("vco") else _plain) for key in PLL_RANGES
    }
    pll_table.close()
    startup_table = t.table("startup")
    startup = {}
    for key in OSCILLATORS:
        value = startup_table.raw(key)
        if value is not _MISSING:
            startup[key] = _quantity(parse_duration, startup_table, key, value)
    startup_table.close()
    states = _wait_states(t, hclk)
    t.close()
    return Clocks(hsi, lsi, hse, sysclk, hclk, apb_max, pll, states, startup, bypass, vos)


def _wait_states(clocks: _Table, hclk_max: int) -> tuple[WaitStates, ...]:
    rows: list[WaitStates] = []
    for number, row in enumerate(clocks.take("wait_states", list) or []):
        t = _Table(row, clocks.at(f"wait_states[{number}]"), clocks.findings)
        low, high = t.pair("supply", _microvolts)
        steps = tuple(_plain(t, "hclk_mhz", mhz) * 10**6 for mhz in t.take("hclk_mhz", list) or [])
        t.close()
        if any(b <= a for a, b in pairwise(steps)):
            t.complain("hclk_mhz", "must rise with every wait state")
        if steps and steps[-1] > hclk_max:
            t.complain("hclk_mhz", "goes above hclk_max")
        if any(low < r.max_uv and r.min_uv < high for r in rows):
            t.complain("supply", "overlaps another supply range")
        rows.append(WaitStates(low, high, steps))
    if not rows:
        clocks.complain("wait_states", "is empty")
    return tuple(rows)


def _interrupts(t: _Table, lines: int) -> dict[int, str]:
    interrupts: dict[int, str] = {}
    seen: dict[str, str] = {}
    for key, name in t.items():
        line = _index(key, lines)
        if line is None:
            t.complain(key, f"is no interrupt number below nvic_lines = {lines}")
        elif not isinstance(name, str) or not name:
            t.complain(key, "should be the vector's name")
        elif name in seen:
            t.complain(key, f"{name!r} is already the name of line {seen[name]}")
        else:
            interrupts[line] = name
            seen[name] = key
    return interrupts


def _peripherals(
    table: _Table, interrupts: Mapping[int, str], apb: Iterable[str]
) -> dict[str, PeripheralSpec]:
    buses = [*apb, "AHB", "AHB1", "AHB2", "AHB3", "PPB"]
    peripherals: dict[str, PeripheralSpec] = {}
    maps = known_register_maps()
    for name, t in table.tables():
        base = t.number("base", high=2**32 - 1)
        size = t.number("size", low=1)
        bus = t.one_of("bus", buses)
        kind = t.take("kind", str, "") or None
        registers = t.take("registers", str, "") or kind
        if registers is not None and registers not in maps:
            key = "kind" if registers == kind else "registers"
            t.complain(
                key, f"there is no register map {registers!r}", did_you_mean(registers, maps)
            )
        gate = _gate(t)
        irqs_table = t.table("irqs", {})
        irqs: dict[str, int] = {}
        for key, line in irqs_table.items():
            if isinstance(line, int) and not isinstance(line, bool) and line in interrupts:
                irqs[key] = line
            else:
                irqs_table.complain(key, f"{line!r} is no line of [interrupts]")
        options_value = t.raw("options", {})
        options = options_value if isinstance(options_value, dict) else {}
        if options_value is not options:
            t.complain("options", "should be a table")
        section = t.text("section", "")
        t.close()
        if base % 2 or base + size > 2**32:
            t.complain("base", "is odd, or the peripheral reaches past the address space")
        peripherals[name] = PeripheralSpec(
            name, base, size, kind, registers, bus, gate, irqs, options, section
        )
    return peripherals


def _gate(t: _Table) -> ClockGate | None:
    gate = t.text("gate", "")
    reset = t.text("reset", "") or None
    if not gate:
        if reset:
            t.complain("reset", "needs a gate beside it")
        return None
    register, dot, bit = gate.partition(".")
    number = _index(bit, 32)
    if not register or not dot or number is None:
        t.complain("gate", f"{gate!r} is not register.bit", 'for example gate = "APB1ENR.17"')
        return None
    return ClockGate(register, number, reset)


def _check_shared(declared: _Table, peripherals: Mapping[str, PeripheralSpec]) -> None:
    users: dict[str, list[str]] = {}
    for p in peripherals.values():
        for request, line in p.irqs.items():
            users.setdefault(str(line), []).append(f"{p.name}.{request}")
    shared: dict[str, list[str]] = {}
    for key, value in declared.items():
        shared[key] = [str(name) for name in value] if isinstance(value, list) else []
        strangers = sorted(set(shared[key]) - set(users.get(key, [])))
        if strangers or not shared[key]:
            who = f"{strangers[0]} does not raise" if strangers else "nobody is named for"
            declared.complain(key, f"{who} line {key}")
    for key, names in users.items():
        if len(names) > 1 and sorted(names) != sorted(shared.get(key, [])):
            declared.complain(
                key,
                f"{' and '.join(names)} raise the same interrupt",
                f"if the chip shares the line, say so: {key} = {names}".replace("'", '"'),
            )


def _check_triggers(top: _Table, peripherals: Mapping[str, PeripheralSpec]) -> None:
    """The timers behind ITR0 to ITR3 are timers of this chip."""
    for p in peripherals.values():
        masters = p.options.get("itr", [])
        for name in masters if isinstance(masters, list) else ():
            if name not in ("", *peripherals):
                hint = did_you_mean(str(name), peripherals)
                place = f"peripherals.{p.name}.options.itr"
                top.complain(place, f"there is no peripheral {name!r}", hint)


def _pins(
    table: _Table,
    package: str,
    peripherals: Mapping[str, PeripheralSpec],
    system: set[str],
    prefixes: list[str],
) -> dict[str, Pin]:
    checked: dict[str, bool] = dict.fromkeys(system, True)

    def known(signal: str) -> bool:
        if signal not in checked:
            checked[signal] = any(signal.startswith(f"{prefix}_") for prefix in prefixes)
        return checked[signal]

    pins: dict[str, Pin] = {}
    positions: dict[str, str] = {}
    for name, t in table.tables():
        match = _PIN.fullmatch(name)
        if match is None:
            t.complain("", f"{name!r} is no pin", "a pin is named P, port, number: PA5")
            continue
        port, index = match[1], int(match[2])
        if f"GPIO{port}" not in peripherals:
            t.complain("", f"there is no port GPIO{port} among the peripherals")
        position = str(t.number("at")) if isinstance(t.peek("at"), int) else t.text("at")
        if position and position in positions:
            t.complain("at", f"{positions[position]} is already at position {position}")
        positions[position] = name
        alternate: dict[int, tuple[str, ...]] = {}
        af = t.table("af", {})
        for key, value in af.items():
            function = _index(key, 16)
            if function is None or not isinstance(value, str):
                af.complain(key, "should be an alternate function from 0 to 15 and its signals")
                continue
            alternate[function] = tuple(value.split())
        also = tuple(t.text("also", "").split())
        reset_af = None if t.peek("reset_af") is None else t.number("reset_af", high=15)
        tolerant = t.take("five_volt", bool, True)
        t.close()
        for number, signals in alternate.items():
            for signal in signals:
                if not known(signal):
                    af.complain(str(number), f"there is no signal {signal!r}")
        for signal in also:
            if not known(signal):
                t.complain("also", f"there is no signal {signal!r}")
        if reset_af is not None and reset_af not in alternate:
            t.complain("reset_af", f"the pin has no alternate function {reset_af}")
        pins[name] = Pin(
            name, port, index, alternate, also, {package: position}, tolerant is not False, reset_af
        )
    return pins


def _check_overlaps(
    memories: Mapping[str, Memory],
    peripherals: Mapping[str, PeripheralSpec],
    where: str,
    out: list[Finding],
) -> None:
    ranges = [(m.base, m.base + m.size, f"memories.{m.name}") for m in memories.values()]
    ranges += [(p.base, p.end, f"peripherals.{p.name}") for p in peripherals.values()]
    ranges.sort()
    reach, owner = -1, ""
    for start, end, name in ranges:
        if start < reach:
            out.append(Finding(f"{where}: {name}", f"overlaps {owner} at {start:#010x}"))
        if end > reach:
            reach, owner = end, name


# --------------------------------------------------------------------------------- boards


def _read_board(
    data: Mapping[str, object], name: str, path: Path, where: str, out: list[Finding]
) -> Board | None:
    top = _Table(data, where, out)
    title = top.text("title")
    chip_name = top.text("chip")
    aliases = top.texts("aliases", [])
    supply = _microvolts(top, "supply", top.raw("supply", "3.3 V"))
    chip = _chip_of(chip_name, path, top)
    if chip is None:
        return None
    clocks = top.table("clocks", {})
    hse, lse = (
        None if (value := clocks.raw(key, None)) is None else _hertz(clocks, key, value)
        for key in ("hse", "lse")
    )
    bypass = clocks.take("hse_bypass", bool, False) is True
    clocks.close()
    _check_supply_and_hse(top, chip, supply, hse, bypass)
    probe_table = top.table("probe", {})
    probe = {key: probe_table.text(key, "") for key in ("board_id", "target", "usb_id")}
    probe_table.close()
    parts = _parts(top.table("parts", {}), chip)
    console_data = top.raw("console", None)
    console = None
    if console_data is not None:
        console = _console(_Table(console_data, top.at("console"), out), chip)
    headers = _headers(top.table("headers", {}), chip)
    words = _words(top.table("words", {}), chip, parts, headers, console)
    top.close()
    _check_pin_clashes(top, chip, parts, console)
    return Board(
        name=name,
        title=title,
        chip=chip,
        supply_uv=supply,
        hse_hz=hse,
        hse_bypass=bypass,
        lse_hz=lse,
        parts=parts,
        console=console,
        headers=headers,
        words=words,
        aliases=aliases,
        probe={key: value for key, value in probe.items() if value},
        path=where,
    )


def _chip_of(name: str, board_path: Path, top: _Table) -> Chip | None:
    """The board's chip: one that we know, or a file beside the board ("./mychip.toml")."""
    if not name:
        return None
    try:
        if name.endswith(".toml"):
            return _load_chip_file(board_path.parent / name)
        return load_chip(name)
    except BoardError as error:
        top.findings.append(Finding(error.where or top.at("chip"), error.message, error.hint))
        return None


def _check_supply_and_hse(
    top: _Table, chip: Chip, supply: int, hse: int | None, bypass: bool
) -> None:
    states = chip.clocks.wait_states
    if not any(row.min_uv <= supply <= row.max_uv for row in states):
        top.complain("supply", f"no wait states of {chip.name} are known at this voltage")
    low, high = chip.clocks.hse_bypass_hz if bypass else chip.clocks.hse_hz
    if hse is not None and not low <= hse <= high:
        top.complain("clocks.hse", f"{chip.name} takes {low} to {high} Hz here")


def _level(t: _Table, key: str) -> int:
    return 1 if t.one_of(key, ("high", "low")) == "high" else 0


def _pin_name(t: _Table, key: str, chip: Chip) -> str:
    name = t.text(key)
    if name and name not in chip.pins:
        t.complain(key, f"{chip.name} has no pin {name!r}", did_you_mean(name, chip.pins))
    return name


def _parts(table: _Table, chip: Chip) -> dict[str, Part]:
    parts: dict[str, Part] = {}
    for name, t in table.tables():
        kind = t.one_of("kind", PART_KINDS)
        pin = _pin_name(t, "pin", chip)
        if not kind:
            continue
        active_key, further = PART_KINDS[kind]
        active = _level(t, active_key)
        pull = None
        if "pull" in further and (text := t.text("pull", "")):
            if text not in ("up", "down"):
                t.complain("pull", f"{text!r} is not 'up' or 'down'")
            pull = 1 if text == "up" else 0
        colour = t.take("colour", str, "") or None
        title = t.text("title", "")
        t.close()
        if kind == "button" and pull == active:
            t.complain("pull", "pulls the pin to the level that means pressed")
        parts[name] = Part(name, kind, pin, active, colour, pull, title)
    return parts


def _console(t: _Table, chip: Chip) -> Console | None:
    uart = t.one_of("uart", [n for n in chip.peripherals if "UART" in n or "USART" in n])
    tx, rx = _pin_name(t, "tx", chip), _pin_name(t, "rx", chip)
    baud = t.number("baud", 115200, low=1, high=20_000_000)
    t.close()
    for key, pin, signal in (("tx", tx, f"{uart}_TX"), ("rx", rx, f"{uart}_RX")):
        if uart and pin in chip.pins and chip.pins[pin].af(signal) is None:
            able = [p.name for p in chip.pins.values() if p.af(signal) is not None]
            t.complain(key, f"{pin} cannot be {signal}", f"these can: {', '.join(able)}")
    return Console(uart, tx, rx, baud) if uart else None


def _headers(table: _Table, chip: Chip) -> dict[str, dict[str, str]]:
    headers: dict[str, dict[str, str]] = {}
    seen: dict[str, str] = {}
    for name, value in table.items():
        if isinstance(value, list):
            stem = name.split()[-1] if name.split() else name
            labelled = {f"{stem}-{n}": v for n, v in enumerate(value, start=1)}
        elif isinstance(value, dict):
            labelled = dict(value)
        else:
            table.complain(name, "should be a table of label = pin, or a list of pins from 1")
            continue
        t = _Table(labelled, table.at(name), table.findings)
        headers[name] = {}
        for label, pin in t.items():
            if not isinstance(pin, str) or (pin not in chip.pins and pin not in NETS):
                t.complain(
                    label, f"{chip.name} has no pin {pin!r}", did_you_mean(str(pin), chip.pins)
                )
                continue
            folded = label.casefold()
            if folded in seen:
                t.complain(label, f"is already a label of {seen[folded]}")
            if label.upper() in chip.pins and label.upper() != pin:
                t.complain(label, f"is the name of another pin than {pin}")
            seen[folded] = name
            headers[name][label] = pin
    return headers


def _words(
    t: _Table,
    chip: Chip,
    parts: Mapping[str, Part],
    headers: Mapping[str, Mapping[str, str]],
    console: Console | None,
) -> dict[str, str]:
    labels = [label for header in headers.values() for label in header]
    known = {*parts, *chip.pins, *labels, *([CONSOLE_WORD] if console else [])}
    words: dict[str, str] = {}
    for word, meant in t.items():
        folded = fold_words(word)
        if not isinstance(meant, str) or meant not in known:
            t.complain(
                word, f"there is no part or pin {meant!r}", _suggest(str(meant), sorted(known))
            )
        elif folded in words and words[folded] != meant:
            t.complain(word, f"already means {words[folded]}")
        else:
            words[folded] = meant
    return words


def _check_pin_clashes(
    top: _Table, chip: Chip, parts: Mapping[str, Part], console: Console | None
) -> None:
    taken: dict[str, str] = {}
    if console:
        taken = {console.tx: "the console's tx", console.rx: "the console's rx"}
        if console.tx == console.rx:
            top.complain("console.rx", "is the same pin as tx")
    for pin in chip.pins.values():
        if pin.af("SWDIO") is not None or pin.af("SWCLK") is not None:
            taken[pin.name] = "the debug probe"
    for part in parts.values():
        if part.pin in taken:
            top.complain(f"parts.{part.name}.pin", f"{part.pin} belongs to {taken[part.pin]}")
        taken[part.pin] = part.name


# ---------------------------------------------------------------------------------- files


def _read_toml(path: Path, where: str) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BoardError("there is no such file", where=where) from None
    except OSError as error:
        raise BoardError(f"cannot be read: {error.strerror or error}", where=where) from None
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, or nested without end
        raise BoardError(f"not valid TOML: {error}", where=where) from None


def _raise_first(findings: list[Finding]) -> None:
    if findings:
        raise findings[0].error()


def _shown(path: Path) -> str:
    """How we name a file to the user: ours as boards/..., theirs as they wrote it."""
    try:
        return f"boards/{path.relative_to(boards_folder()).as_posix()}"
    except ValueError:
        return str(path)


def _load_chip_file(path: Path) -> Chip:
    findings: list[Finding] = []
    chip = _read_chip(_read_toml(path, _shown(path)), path.stem, _shown(path), findings)
    _raise_first(findings)
    return chip


@lru_cache(maxsize=16)
def load_chip(name: str) -> Chip:
    """The chip ``boards/chips/<name>.toml``. Raises BoardError."""
    folder = boards_folder() / "chips"
    path = folder / f"{name.casefold()}.toml"
    known = sorted(p.stem for p in folder.glob("*.toml"))
    if path.stem not in known:
        raise BoardError(
            f"there is no chip {name!r}", where="boards/chips", hint=_suggest(name, known)
        )
    return _load_chip_file(path)


def list_boards() -> list[BoardSummary]:
    """Every board in the boards folder, by name; chips are not read. Raises BoardError."""
    found = []
    for path in sorted(boards_folder().glob("*.toml")):
        data = _read_toml(path, _shown(path))
        aliases = data.get("aliases", [])
        found.append(
            BoardSummary(
                name=path.stem,
                title=str(data.get("title", path.stem)),
                chip=str(data.get("chip", "")),
                aliases=tuple(map(str, aliases)) if isinstance(aliases, list) else (),
                path=path,
            )
        )
    return found


def _folded(name: str) -> str:
    return "-".join(re.split(r"[-_\s]+", name.strip().casefold()))


def _find_board(name: str) -> Path:
    folder = boards_folder()
    wanted = _folded(name)
    direct = folder / f"{wanted}.toml"
    if wanted and "/" not in wanted and "\\" not in wanted and direct.is_file():
        return direct
    boards = list_boards()
    names: dict[str, str] = {}
    for board in boards:
        for known in (board.name, *board.aliases):
            if _folded(known) == wanted:
                return board.path
            names[_folded(known)] = board.name
    close = did_you_mean(wanted, names)
    hint = close or f"known: {', '.join(board.name for board in boards)}"
    raise BoardError(f"there is no board {name!r}", hint=hint)


def load_board(name_or_path: str | Path) -> Board:
    """A board by name, by one of its aliases, or from a TOML file of the user's own.

    Raises BoardError for an unknown name (with what was probably meant) and for the first thing
    that is wrong with the file.
    """
    text = str(name_or_path)
    own = isinstance(name_or_path, Path) or text.endswith(".toml")
    path = Path(text) if own else _find_board(text)
    findings: list[Finding] = []
    board = _read_board(_read_toml(path, _shown(path)), path.stem, path, _shown(path), findings)
    _raise_first(findings)
    assert board is not None  # _read_board gives None only with a finding
    return board


def _check_against_registers(chip: Chip, where: str, out: list[Finding]) -> None:
    """What takes reading the register maps: gates are bits of RCC, registers fit the peripheral."""
    for p in chip.peripherals.values():
        place = f"{where}: peripherals.{p.name}"
        if p.registers is None:
            continue
        try:
            registers = load_register_map(p.registers).registers
        except BoardError as error:
            out.append(Finding(error.where or place, error.message, error.hint))
            continue
        for r in registers.values():
            if r.offset + r.width // 8 > p.size:
                out.append(Finding(f"{place}.size", f"leaves out its register {r.name}"))
        resets = p.options.get("reset", {})
        for name, value in resets.items() if isinstance(resets, dict) else ():
            if name not in registers:
                hint = did_you_mean(name, registers)
                out.append(Finding(f"{place}.options.reset", f"has no register {name!r}", hint))
            elif not isinstance(value, int) or value >> registers[name].width:
                out.append(Finding(f"{place}.options.reset.{name}", f"{value!r} does not fit"))
    rcc = chip.peripherals.get("RCC")
    if rcc is None or rcc.registers not in known_register_maps():
        return
    registers = load_register_map(rcc.registers).registers
    for p in chip.peripherals.values():
        if p.gate is None:
            continue
        for key, name in (("gate", p.gate.register), ("reset", p.gate.reset_register)):
            if name is None:
                continue
            place = f"{where}: peripherals.{p.name}.{key}"
            if name not in registers:
                hint = did_you_mean(name, registers)
                out.append(Finding(place, f"RCC has no register {name!r}", hint))
            elif not registers[name].defined >> p.gate.bit & 1:
                out.append(Finding(place, f"bit {p.gate.bit} of RCC_{name} is reserved"))


def check_board_file(path: str | Path) -> list[Finding]:
    """Everything that is wrong with a board file (or a chip file), in the order of the file.

    Looks further than loading does: chip files are also held against the register maps.
    An empty list: nothing found. Raises nothing for a bad file; an unreadable one is a finding.
    """
    path = Path(path)
    where = _shown(path)
    findings: list[Finding] = []
    try:
        data = _read_toml(path, where)
    except BoardError as error:
        return [Finding(error.where or where, error.message, error.hint)]
    if "peripherals" in data:
        chip = _read_chip(data, path.stem, where, findings)
        _check_against_registers(chip, where, findings)
    else:
        _read_board(data, path.stem, path, where, findings)
    return findings
