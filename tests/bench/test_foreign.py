"""The bench for other people's firmware says what departs from its list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import foreign
import pytest

from fwgen.errors import FwgenError
from fwgen.trace import Edge, Gap, Hazard, SerialByte, Trace

if TYPE_CHECKING:
    from pathlib import Path

SAID = tuple(
    SerialByte(n + 1, "USART2", "tx", byte, 115_200_000, n) for n, byte in enumerate(b"hi 3\r\n")
)
TRACE = Trace(
    bench="machine", board="nucleo-f401", span_ps=1000,
    events=(
        *SAID, Edge(20, "PA5", 1), Gap(30, "DAC", "CR", "write", 0, 0),
        Hazard.of("clock-limit", "too fast", 40, 0),
    ),
    initial={},
)  # fmt: skip
KEPT = {
    "says": ["hi", "3\r\n"],
    "toggles": {"PA5": 1},
    "hazards": ["clock-limit"],
    "gaps": ["DAC.CR"],
}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, []),
        ({"says": ["3", "hi"]}, ["does not say 'hi'"]),
        ({"toggles": {"PA5": 2}}, ["PA5 changes 1 times, not 2"]),
        ({"hazards": []}, ["hazard clock-limit"]),
        ({"gaps": ["DAC.CR", "ADC.SR"]}, ["no gap ADC.SR"]),
    ],
    ids=str,
)
def test_each_departure_is_told(change: dict[str, object], told: list[str]) -> None:
    assert foreign.departures(TRACE, KEPT | change) == told


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "names no firmware"), ("[[firmware]]\nspam = 1", "spam"), ("[", "cannot be read")],
)
def test_a_wrong_list_is_refused_by_what_is_wrong(text: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "list.toml"
    path.write_text(text)
    with pytest.raises(FwgenError, match=why):
        foreign.checked(path)
