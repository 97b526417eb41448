"""A difference between machine and rig: both traces side by side, shown and kept."""

from __future__ import annotations

import io

from rich.console import Console

from fwgen.contract import Blinks, Says
from fwgen.pipeline import Proof, confirm
from fwgen.report.rig import beside, difference_text, rig_data, rig_files, show_confirmed
from fwgen.verdict import judge
from tests.rig.bench_firmware import image_of
from tests.verdict.sampling import through_a_rig
from tests.verdict.trace_painter import BOARD, MS, Painter, S, contract

ASKED = contract(
    Blinks("LD2", 500 * MS), Says("console", "n {n}", period_ps=500 * MS), span_ps=2 * S - 200 * MS
)


class Rig:
    """A rig that saw what was painted."""

    def __init__(self, painter) -> None:
        self.trace = through_a_rig(painter.trace(), every_ps=MS, seed=1, pins=("PA5", "PC13"))

    def run(self, image, stimuli, span_ps):
        return self.trace


def painted(half=250 * MS, said="n"):
    painter = Painter().blinks("PA5", half, half)
    for i in range(4):
        painter.says((5 + 500 * i) * MS, f"{said} {i}\n")
    return painter


def confirmed(painter):
    trace = painted().trace()
    proof = Proof(BOARD, ASKED, image_of("lit"), trace, judge(ASKED, trace, BOARD))
    return confirm(proof, Rig(painter))


def shown(made):
    out = io.StringIO()
    show_confirmed(Console(file=out, width=100), made)
    return out.getvalue()


def test_no_difference_no_file() -> None:
    made = confirmed(painted())
    assert made.passed
    assert difference_text(made) == ""
    assert set(rig_files(made)) == {"rig-trace.jsonl", "rig-trace.vcd"}
    assert "differs" not in shown(made)
    assert rig_data(made)["differences"] == []


def test_a_pin_that_differs_is_shown_side_by_side() -> None:
    made = confirmed(painted(half=300 * MS))
    assert made.outcome.name == "FAIL"
    text = shown(made)
    assert "✔✘ LD2 first turned off at 29" in text
    assert "differs" in text
    assert "machine and rig saw different things" in text
    (difference,) = made.differences
    rows = beside(made, difference)
    assert rows == sorted(rows)
    assert any(one == "off" and not two for _, one, two in rows)
    assert any("±" in two and not one for _, one, two in rows)
    kept = rig_files(made)["difference.txt"].decode()
    assert kept == difference_text(made)
    assert "LD2: in the machine it turns off at 250.02 ms; on the rig it turns off at 29" in kept
    assert kept.count("\n  ") > 8
    (told,) = rig_data(made)["differences"]
    assert told["subject"] == "LD2"
    assert set(told) == {"t_ps", "subject", "machine", "rig"}  # docs/report.md


def test_text_that_differs_is_shown_side_by_side() -> None:
    made = confirmed(painted(said="m"))
    kept = difference_text(made)
    assert '"n 0"' in kept
    assert '"m 0"' in kept
    rows = beside(made, made.differences[0])
    assert [two for _, _, two in rows if two] == [f'"m {i}"' for i in range(4)]
