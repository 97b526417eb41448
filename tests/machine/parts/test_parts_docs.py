"""docs/parts.md: its table is what the files say, and its examples run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fwgen.board import load_board
from fwgen.board.modules import known_modules, load_module_kind
from fwgen.contract import describe, dump_contract, load_contract
from fwgen.contract.subjects import on_bench
from fwgen.machine.machine import Machine
from fwgen.trace import Fault, Gap, Stimulated
from fwgen.verdict import judge

if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE = Path(__file__).parents[3] / "docs" / "parts.md"
BOARD = load_board("nucleo-f401")
S = 10**12


def _named(names: Iterable[str]) -> str:
    return " ".join(f"`{name}`" for name in names)


def table() -> str:
    """The table of kinds, from boards/parts; those that differ in figures alone share a row."""
    rows = ["| kind | part | pins | settings | senses | shows | |", "|---|---|---|---|---|---|---|"]
    families: dict[tuple[str, ...], list[str]] = {}
    for name in known_modules():
        kind = load_module_kind(name)
        pins = [" or ".join(_named(kind.bus_pins(bus)) for bus in kind.buses)] if kind.buses else []
        pins += [f"`{pin}`" for pin in kind.pins] + [f"(`{pin}`)" for pin in kind.optional]
        ways = ["address", "pull"] if "i2c" in kind.buses else []
        rest = (
            " ".join(pins), _named([*ways, *kind.settings]), _named(kind.senses),
            _named(kind.shows), kind.about,
        )  # fmt: skip
        families.setdefault((kind.model, kind.source, *rest), []).append(name)
    for (_, source, *cells), names in families.items():
        title = load_module_kind(names[0]).title
        if len(names) > 1:
            title = title.partition(",")[0].rstrip("0123456789")
        rows.append(f"| {' | '.join((_named(names), f'{title}: {source}', *cells))} |")
    return "\n".join(rows)


def examples() -> list[str]:
    return re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_table_is_what_the_files_say() -> None:
    assert table() in PAGE.read_text(encoding="utf-8")


def test_every_kind_has_an_example() -> None:
    kinds = {m.kind for text in examples() for m in load_contract(text, BOARD).modules}
    rest = {name for name in known_modules() if name not in kinds}
    # Of kinds that differ in figures alone one is enough.
    assert {load_module_kind(name).model for name in rest} <= {"eeprom_24c", "flash_w25q"}
    assert {load_module_kind(name).model for name in kinds} >= {"eeprom_24c", "flash_w25q"}


@pytest.mark.parametrize("text", examples(), ids=lambda text: text.split('"')[1])
def test_an_example_runs_and_firmware_that_does_nothing_fails_it(text: str) -> None:
    contract = load_contract(text, BOARD)
    assert load_contract(dump_contract(contract, BOARD), BOARD) == contract
    wired = (*contract.parts, *contract.devices, *contract.modules)
    said = (*wired, *contract.stimuli, *contract.expectations)
    assert len(describe(contract, BOARD)) == len(said)
    idle = (0x2000_1000).to_bytes(4, "little") + (0x0800_0009).to_bytes(4, "little")
    with Machine(on_bench(BOARD, contract)) as machine:
        machine.load(flash=idle + b"\xfe\xe7")  # b .
        for stimulus in contract.stimuli:
            machine.stimulate(stimulus)
        machine.advance(contract.span_ps)
        trace = machine.trace()
    verdict = judge(contract, trace, BOARD)
    assert len(list(trace.of(Stimulated))) == len(contract.stimuli)
    assert not list(trace.of(Fault))
    assert not list(trace.of(Gap))
    assert verdict.exit_code == 1, [f.text for f in verdict.findings]
