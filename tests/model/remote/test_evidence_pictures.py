"""A model whose firmware shows another picture is told what was shown, and sees it drawn."""

from __future__ import annotations

from fwgen.board import load_board
from fwgen.contract import load_contract
from fwgen.contract.subjects import fitted
from fwgen.model.remote.evidence import _around
from fwgen.picture import from_pixels
from fwgen.trace import Pictured, Trace

BOARD = load_board("nucleo-f401")
MS = 10**9
TEXT = """
[parts.OLED]
kind = "ssd1306"
scl = "D15"
sda = "D14"
[[expect]]
shows = { part = "OLED", lit = 8 }
"""


def test_the_picture_at_the_departure_is_told_and_drawn() -> None:
    board = fitted(BOARD, load_contract(TEXT, BOARD))
    dark = from_pixels([[False] * 128 for _ in range(64)])
    corner = from_pixels([[x < 4 and y < 2 for x in range(128)] for y in range(64)])
    events = (Pictured.of(0, "OLED", dark), Pictured.of(150 * MS, "OLED", corner))
    trace = Trace("machine", BOARD.name, 10**12, events)
    told = _around(trace, board, 200 * MS, "it departs")
    words = "OLED shows a picture of 128 x 64, 8 lit, within 4 x 2 at (0, 0)"
    assert f"150 ms {words}\n  ████" in told
    assert f"By then: {words} (since 150 ms); OLED shows lit nothing yet" in told
