"""Each hazard of the register: a tiny firmware that commits it, and a neighbour that does not."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import fwgen
from fwgen import pipeline
from fwgen.contract import Contract, Level, Window
from fwgen.hazards import REGISTER, modules
from fwgen.hazards.page import page
from fwgen.machine import Machine
from fwgen.trace import Fault, Gap, Hazard
from tests.machine.core.dma import GPIOA, poke
from tests.machine.core.firmware import firmware
from tests.machine.hazard_pairs import BOARD, MODER, MS, PAIRS, SWD, Pair, on
from tests.machine.hazard_pairs_analog import PAIRS as ANALOG
from tests.machine.hazard_pairs_buses import PAIRS as BUSES
from tests.machine.hazard_pairs_f407 import PAIRS as F407
from tests.machine.hazard_pairs_ports import PAIRS as PORTS
from tests.machine.hazard_pairs_rtc import PAIRS as RTC

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(fwgen.__file__).parent
ALL = PAIRS | ANALOG | BUSES | F407 | PORTS | RTC
BY_LUCK = "by-luck"  # told of a proof, not of a run


def hazards(
    pair: Pair, text: str, facts: dict[str, object], *, faults: bool = False
) -> list[Hazard]:
    """What a machine tells of a firmware; faults and gaps are none of its business."""
    image = firmware(f"start: {text}\nhalt: b halt", pair.vectors)
    if pair.data:
        image = replace(image, ram_used=pair.data)
    board = replace(BOARD, **facts)  # type: ignore[arg-type]
    stimuli = pair.stimuli
    if text is pair.right and pair.right_stimuli is not None:
        stimuli = pair.right_stimuli
    trace = Machine(board).run(image, stimuli, pair.span_ps)
    assert bool(list(trace.of(Fault))) is faults, [f.report for f in trace.of(Fault)]
    assert not list(trace.of(Gap)), list(trace.of(Gap))
    return list(trace.of(Hazard))


@pytest.mark.parametrize("code", sorted(ALL))
def test_only_the_one_that_commits_it_is_told_of(code: str) -> None:
    pair, kind = ALL[code], REGISTER[code]
    told = hazards(pair, pair.wrong, pair.board, faults=pair.faults)
    found = [h for h in told if h.code == code]
    assert found, [f"{h.code}: {h.message}" for h in told]
    assert pair.says in found[0].message
    assert found[0].severity == kind.severity
    assert found[0].section
    assert found[0].cure
    facts = pair.board if pair.right_board is None else pair.right_board
    assert [f"{h.code}: {h.message}" for h in hazards(pair, pair.right, facts)] == []


def test_firmware_that_passes_by_luck_does_not_pass() -> None:
    read = "ldr r4, =0x20000100\n{set}ldr r5, [r4, #0]\nlsls r5, r5, #31\nb{by} halt\n"
    lit = poke((GPIOA + 0x18, 32))
    contract = Contract("", BOARD.name, 50 * MS, (), (Level("LED", 1, window=Window(MS, None)),))

    def proof(setting: str, by: str) -> pipeline.Proof:
        text = on(poke((MODER, SWD | 0x400)), read.format(set=setting, by=by), lit)
        return pipeline.prove(firmware(f"start: {text}\nhalt: b halt"), BOARD, contract)

    lucky = [
        [h.code for h in proof("", by).trace.of(Hazard)] for by in ("mi", "pl")
    ]  # one of the two fails at once
    assert sorted(lucky) == [[], [BY_LUCK]]
    made = proof("movs r5, #0\nstr r5, [r4, #0]\n", "mi")
    assert made.passed
    assert not list(made.trace.of(Hazard))


def test_every_kind_of_hazard_has_its_pair() -> None:
    alone = {kind.code for kind in modules.KINDS}  # tests/machine/parts/test_part_hazards.py
    assert {*ALL, BY_LUCK, *alone} == set(REGISTER)


def test_every_code_that_is_raised_is_in_the_register() -> None:
    raised = {code for path in ROOT.rglob("*.py") for code in _raised(path)}
    assert raised <= set(REGISTER)
    assert len(raised) > 20  # it does find them


def test_nothing_makes_a_hazard_past_the_register() -> None:
    makers = [
        f"{path}:{node.lineno}"
        for path in ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Hazard"
    ]
    assert makers == []


def test_every_kind_tells_a_maker_what_to_know() -> None:
    for code, kind in REGISTER.items():
        assert code == kind.code
        assert all((kind.title, kind.section, kind.cure)), code
        assert kind.meaning.endswith("."), code
        assert not kind.cure.endswith("."), code
        assert not kind.title.endswith("."), code


def test_the_page_is_the_register() -> None:
    written = (ROOT.parent / "docs/hazards.md").read_text(encoding="utf-8")
    assert written == page(), "run: python -m fwgen.hazards"


def _raised(path: Path) -> Sequence[str]:
    """The codes that a file of ours raises, where they stand as they are."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
            (".hazard", "Hazard.of", "_flaw")
        ):
            first = node.args[0] if node.args else None
            found += (
                [n.value for n in ast.walk(first) if isinstance(n, ast.Constant)] if first else []
            )
    return [code for code in found if isinstance(code, str)]
