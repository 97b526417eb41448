"""Chip files: the silicon, read from TOML and checked against itself."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from fwgen.board.registers import known_register_maps, load_register_map
from fwgen.board.table import (
    Finding,
    Table,
    hertz,
    index_of,
    microvolts,
    picoseconds,
    plain,
    suggest,
)
from fwgen.board.types import (
    Chip,
    ClockGate,
    Clocks,
    DmaLine,
    Memory,
    PeripheralSpec,
    Pin,
    WaitStates,
)
from fwgen.errors import BoardError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MEMORY_KINDS = ("flash", "ram", "rom", "otp", "options", "alias")
CORES = ("cortex-m0", "cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m4f", "cortex-m33")
OSCILLATORS = ("hsi", "hse", "pll", "lsi", "lse")
PLL_RANGES = ("vco_in", "vco_out", "m", "n", "p", "q")

_PIN = re.compile(r"P([A-K])(\d|1[0-5])")
_DMA_LINE = re.compile(r"(\w+)\.([0-7])\.(\d|1[0-5])")


def read_chip(data: Mapping[str, object], name: str, where: str, out: list[Finding]) -> Chip:
    """The chip of a file that ``where`` names; what is wrong goes into ``out``.

    A chip with findings is incomplete: whoever asked raises or shows them.
    """
    top = Table(data, where, out)
    title = top.text("title")
    family = top.text("family")
    core = top.one_of("core", CORES)
    package = top.text("package")
    idcode = top.take("idcode", int, 0)
    lines = top.number("nvic_lines", low=1, high=240)
    priority_bits = top.number("priority_bits", low=2, high=8)
    manuals = {k: str(v) for k, v in top.table("manuals", {}).items()}
    chapters = _chapters(top.table("chapters", {}), manuals)
    memories = _memories(top.table("memories"))
    clocks = _clocks(top.table("clocks"))
    interrupts = _interrupts(top.table("interrupts"), lines)
    peripherals = _peripherals(top.table("peripherals"), interrupts, clocks.apb_max_hz)
    _check_shared(top.table("shared_interrupts", {}), peripherals)
    _check_triggers(top, peripherals)
    _check_dma(top, peripherals)
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
        chapters=chapters,
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


def _chapters(t: Table, manuals: Mapping[str, str]) -> dict[str, str]:
    """Where models cite the manual of a sister chip: the same in a manual of this one."""
    chapters: dict[str, str] = {}
    for theirs, ours in t.items():
        manual = str(ours).partition(" ")[0]
        if manual not in manuals:
            t.complain(theirs, f"there is no manual {manual!r}", did_you_mean(manual, manuals))
        elif theirs.partition(" ")[0] in manuals:
            t.complain(theirs, "is a manual of this chip: nothing is to be looked up elsewhere")
        chapters[theirs] = str(ours)
    return chapters


def _memories(table: Table) -> dict[str, Memory]:
    memories: dict[str, Memory] = {}
    for name, t in table.tables():
        base = t.number("base", high=2**32 - 1)
        size = t.number("size", low=1)
        kind = t.one_of("kind", MEMORY_KINDS)
        alias_of = t.take("alias_of", str, "") or None
        sectors = tuple(plain(t, "sectors", s) for s in t.take("sectors", list, []) or [])
        executable = t.take("execute", bool, True) is not False
        t.close()
        if base + size > 2**32:
            t.complain("size", "reaches past the end of the address space")
        if sectors and sum(sectors) != size:
            t.complain("sectors", f"add up to {sum(sectors):#x}, the memory has {size:#x} bytes")
        if (kind == "alias") != (alias_of is not None):
            t.complain("alias_of", "goes with kind = 'alias', and must be there for it")
        memories[name] = Memory(name, base, size, kind, alias_of, sectors, executable)
    for memory in memories.values():
        if memory.alias_of and memory.alias_of not in memories:
            table.complain(
                f"{memory.name}.alias_of",
                f"there is no memory {memory.alias_of!r}",
                suggest(memory.alias_of, memories),
            )
    for kind in ("flash", "ram"):
        if not any(m.kind == kind for m in memories.values()):
            table.complain("", f"there is no memory of kind {kind!r}")
    return memories


def _clocks(t: Table) -> Clocks:
    hsi, lsi, sysclk, hclk = (
        t.read(key, hertz) for key in ("hsi", "lsi", "sysclk_max", "hclk_max")
    )
    hse, bypass = t.pair("hse", hertz), t.pair("hse_bypass", hertz)
    apb = t.table("apb_max")
    apb_max = {bus: hertz(apb, bus, value) for bus, value in apb.items()}
    for bus, limit in apb_max.items():
        if limit > hclk:
            apb.complain(bus, "is above hclk_max")
    if hclk > sysclk:
        t.complain("hclk_max", "is above sysclk_max")
    vos_table = t.table("vos_hclk_max", {})
    vos = {}
    for key, value in vos_table.items():
        if (field := index_of(key, 16)) is not None:
            vos[field] = hertz(vos_table, key, value)
        else:
            vos_table.complain(key, "should be a value of the VOS field")
    pll_off = None if t.peek("vos_pll_off") is None else t.number("vos_pll_off", high=15)
    if pll_off is not None and pll_off not in vos:
        t.complain("vos_pll_off", "is not among vos_hclk_max")
    pll_table = t.table("pll")
    pll = {
        key: pll_table.pair(key, hertz if key.startswith("vco") else plain) for key in PLL_RANGES
    }
    pll_table.close()
    startup_table = t.table("startup")
    startup = {key: startup_table.read(key, picoseconds) for key in OSCILLATORS}
    startup_table.close()
    states = _wait_states(t, hclk)
    t.close()
    return Clocks(hsi, lsi, hse, sysclk, hclk, apb_max, pll, states, startup, bypass, vos, pll_off)


def _wait_states(clocks: Table, hclk_max: int) -> tuple[WaitStates, ...]:
    rows: list[WaitStates] = []
    for number, row in enumerate(clocks.take("wait_states", list) or []):
        t = Table(row, clocks.at(f"wait_states[{number}]"), clocks.findings)
        low, high = t.pair("supply", microvolts)
        steps = tuple(plain(t, "hclk_mhz", mhz) * 10**6 for mhz in t.take("hclk_mhz", list) or [])
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


def _interrupts(t: Table, lines: int) -> dict[int, str]:
    interrupts: dict[int, str] = {}
    seen: dict[str, str] = {}
    for key, name in t.items():
        line = index_of(key, lines)
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
    table: Table, interrupts: Mapping[int, str], apb: Iterable[str]
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
        dma = _dma(t.table("dma", {}))
        options_value = t.raw("options", {})
        options = options_value if isinstance(options_value, dict) else {}
        if options_value is not options:
            t.complain("options", "should be a table")
        section = t.text("section", "")
        t.close()
        if base % 2 or base + size > 2**32:
            t.complain("base", "is odd, or the peripheral reaches past the address space")
        peripherals[name] = PeripheralSpec(
            name, base, size, kind, registers, bus, gate, irqs, options, section, dma
        )
    return peripherals


def _dma(t: Table) -> dict[str, tuple[DmaLine, ...]]:
    """The lines of each DMA request: "DMA1.5.4" is stream 5 of DMA1, channel 4."""
    requests: dict[str, tuple[DmaLine, ...]] = {}
    for request, value in t.items():
        lines = []
        for text in value if isinstance(value, list) else [value]:
            match = _DMA_LINE.fullmatch(text) if isinstance(text, str) else None
            if match is None:
                t.complain(
                    request,
                    f"{text!r} is not controller.stream.channel",
                    'for example rx = ["DMA1.5.4"]',
                )
            else:
                lines.append(DmaLine(match[1], int(match[2]), int(match[3])))
        requests[request] = tuple(lines)
    return requests


def _check_dma(top: Table, peripherals: Mapping[str, PeripheralSpec]) -> None:
    """The controllers that DMA requests go to are peripherals of this chip."""
    for p in peripherals.values():
        for request, lines in p.dma.items():
            for line in lines:
                if line.controller not in peripherals:
                    hint = did_you_mean(line.controller, peripherals)
                    place = f"peripherals.{p.name}.dma.{request}"
                    top.complain(place, f"there is no peripheral {line.controller!r}", hint)


def _gate(t: Table) -> ClockGate | None:
    gate = t.text("gate", "")
    reset = t.text("reset", "") or None
    if not gate:
        if reset:
            t.complain("reset", "needs a gate beside it")
        return None
    register, dot, bit = gate.partition(".")
    number = index_of(bit, 32)
    if not register or not dot or number is None:
        t.complain("gate", f"{gate!r} is not register.bit", 'for example gate = "APB1ENR.17"')
        return None
    if reset is None or "." not in reset:
        return ClockGate(register, number, reset)
    reset, _, bit = reset.partition(".")
    reset_bit = index_of(bit, 32)
    if not reset or reset_bit is None:
        t.complain("reset", f"{reset}.{bit} is not register.bit", 'reset = "APB2RSTR.8"')
    return ClockGate(register, number, reset, reset_bit)


def _check_shared(declared: Table, peripherals: Mapping[str, PeripheralSpec]) -> None:
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


def _check_triggers(top: Table, peripherals: Mapping[str, PeripheralSpec]) -> None:
    """The timers behind ITR0 to ITR3 are timers of this chip."""
    for p in peripherals.values():
        masters = p.options.get("itr", [])
        for name in masters if isinstance(masters, list) else ():
            if name not in ("", *peripherals):
                hint = did_you_mean(str(name), peripherals)
                place = f"peripherals.{p.name}.options.itr"
                top.complain(place, f"there is no peripheral {name!r}", hint)


def _pins(
    table: Table,
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
            function = index_of(key, 16)
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


def check_against_registers(chip: Chip, where: str, out: list[Finding]) -> None:
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
        for key, name, bit in (
            ("gate", p.gate.register, p.gate.bit),
            ("reset", p.gate.reset_register, p.gate.reset_at),
        ):
            if name is None:
                continue
            place = f"{where}: peripherals.{p.name}.{key}"
            if name not in registers:
                hint = did_you_mean(name, registers)
                out.append(Finding(place, f"RCC has no register {name!r}", hint))
            elif not registers[name].defined >> bit & 1:
                out.append(Finding(place, f"bit {bit} of RCC_{name} is reserved"))
