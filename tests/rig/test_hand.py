"""Presses by hand: asked for, seen on the pin, and the contract judged by when they came."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import fwgen as api
from fwgen.contract import Contract, Drive, Level, Press, Responds, Trigger, Window, load_contract
from fwgen.errors import RigError
from fwgen.image.load import load_image
from fwgen.pipeline import Confirmed, confirm, verify
from fwgen.rig.bench import RigBench
from fwgen.rig.connection import Connection
from fwgen.rig.hand import WITHIN_PS
from fwgen.rig.probes import choose_probe
from fwgen.trace import ByHand, NotDone
from fwgen.units import PS_PER_MS, PS_PER_S
from fwgen.verdict import Outcome
from fwgen.verdict.needs import needs
from fwgen.virtual.board import VirtualBoard
from tests.rig.bench_firmware import image_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fwgen.board.types import Board
    from fwgen.contract import Stimulus
    from fwgen.image.types import Image
    from fwgen.trace import Trace

MS = PS_PER_MS
EXAMPLES = Path(__file__).parents[2] / "examples"


class Finger:
    """Somebody who presses a while after being asked, for as long as they please."""

    def __init__(
        self, board: VirtualBoard, delays: tuple[int, ...] = (400,), hold: int | None = None,
        bounce: int = 0,
    ) -> None:  # fmt: skip
        self.board, self.delays, self.hold, self.bounce = board, delays, hold, bounce
        self.asked: list[int] = []
        self.told: list[str] = []

    def _do(self, level: int | None, after_ms: int) -> None:
        at = self.board.now_ps + after_ms * MS
        self.board.machine.stimulate(Drive("PC13", at, level))

    def press(self, stimulus: Press, within_ps: int) -> None:
        assert within_ps == WITHIN_PS
        delay = self.delays[len(self.asked) % len(self.delays)]
        self.asked.append(self.board.now_ps)
        if delay < 0:
            return
        if self.hold is not None or stimulus.hold_ps is None:
            at = self.board.now_ps + delay * MS
            hold = None if self.hold is None or self.hold < 0 else self.hold * MS
            self.board.machine.stimulate(Press("B1", at, hold, self.bounce * MS))
        else:
            self._do(0, delay)

    def let_go(self, stimulus: Press) -> None:
        if self.hold is None:
            self._do(None, 180)

    def seen(self, stimulus: Press, text: str) -> None:
        self.told.append(text)


class Other:
    """A bench whose board runs another firmware than the one that it is given."""

    def __init__(self, bench: RigBench, image: Image) -> None:
        self._bench, self._image = bench, image

    def run(self, image: Image, stimuli: Sequence[Stimulus], span_ps: int) -> Trace:
        assert image is not self._image
        return self._bench.run(self._image, stimuli, span_ps)


@pytest.fixture
def by_hand(board: Board) -> Callable[..., tuple[Confirmed, Finger]]:
    def run(
        image: Image, contract: Contract, before: Callable[[VirtualBoard], None] = lambda _: None,
        seen: Image | None = None, **how: Any,
    ) -> tuple[Confirmed, Finger]:  # fmt: skip
        proof = verify(image, board, contract)
        with reached(board) as (virtual, connection):
            finger = Finger(virtual, **how)
            asked = needs(contract, board)
            bench = RigBench(
                connection, clock=virtual, pins=tuple(asked.pins), every_ps=asked.every_ps(),
                hand=finger, backup=False,
            )  # fmt: skip
            bench.flashed = lambda _done: before(virtual)
            if seen is not None:  # the board has another firmware than was proven
                return confirm(proof, Other(bench, seen)), finger
            return confirm(proof, bench), finger

    return run


@contextmanager
def reached(board: Board) -> Iterator[tuple[VirtualBoard, Connection]]:
    with VirtualBoard(board) as virtual, virtual.plugged():
        probe = choose_probe(board, virtual.uid)
        with Connection(board, probe, clock=virtual) as connection:
            yield virtual, connection


@pytest.fixture(scope="module")
def toggle(board: Board) -> tuple[Image, Contract]:
    folder = EXAMPLES / "toggle"
    return (
        load_image(folder / "firmware.hex", board), load_contract(folder / "contract.toml", board)
    )  # fmt: skip


def test_the_toggle_passes_whenever_it_is_pressed(
    by_hand: Callable[..., tuple[Confirmed, Finger]], toggle: tuple[Image, Contract]
) -> None:
    confirmed, finger = by_hand(*toggle, delays=(400, 950, 130, 700))
    assert confirmed.outcome is Outcome.PASS, [c.rig and c.rig.text for c in confirmed.claims]
    acts = list(confirmed.rig.trace.of(ByHand))
    assert len(acts) == len(finger.asked) == 4
    assert [a.asked_ps // MS for a in acts] == [700, 1580, 2550, 3610]
    assert acts[0].t_ps > 1100 * MS
    assert [p.at_ps for p in confirmed.rig.contract.stimuli] == [a.t_ps for a in acts]
    assert confirmed.machine.contract == confirmed.rig.contract
    assert not confirmed.differences
    assert len(finger.told) == 4
    assert all("seen: pressed at" in text for text in finger.told)


def test_a_contact_that_chatters_is_one_press(
    by_hand: Callable[..., tuple[Confirmed, Finger]], toggle: tuple[Image, Contract]
) -> None:
    confirmed, _ = by_hand(*toggle, delays=(300,), hold=560, bounce=24)
    assert confirmed.outcome is Outcome.PASS, [c.rig and c.rig.text for c in confirmed.claims]
    acts = list(confirmed.rig.trace.of(ByHand))
    assert len(acts) == 4
    assert max(a.bounce_ps for a in acts) > 5 * MS


def test_a_board_that_does_otherwise_fails(
    by_hand: Callable[..., tuple[Confirmed, Finger]], toggle: tuple[Image, Contract], board: Board
) -> None:
    other = api.generate("while the button is held turn on the LED", board).proof.image
    confirmed, _ = by_hand(*toggle, seen=other)
    assert confirmed.outcome is Outcome.FAIL


def test_nobody_there_is_unsure_after_the_time_that_was_given(
    by_hand: Callable[..., tuple[Confirmed, Finger]], toggle: tuple[Image, Contract]
) -> None:
    confirmed, finger = by_hand(*toggle, delays=(400, -1))
    assert confirmed.outcome is Outcome.UNSURE
    first, *rest = confirmed.rig.verdict.findings
    assert first.outcome is Outcome.PASS  # what was there before the first press was seen
    assert {f.outcome for f in rest[:4]} == {Outcome.UNSURE}
    assert len(finger.asked) == 2
    reasons = {e.why for e in confirmed.rig.trace.of(NotDone)}
    assert "nobody pressed it within 30 s" in reasons
    assert not list(confirmed.rig.trace.of(ByHand))
    assert confirmed.rig.contract == toggle[1]


def test_who_lets_go_before_the_contract_has_looked_leaves_it_unsure(
    by_hand: Callable[..., tuple[Confirmed, Finger]], board: Board
) -> None:
    held = api.generate("while the button is held turn on the LED", board).proof
    assert held.passed
    contract = Contract(
        "held", board.name, 3 * PS_PER_S, (Press("B1", 500 * MS, 1000 * MS),),
        (Level("LD2", 1, window=Window(600 * MS, 1400 * MS)),),
    )  # fmt: skip
    good, _ = by_hand(held.image, contract, delays=(300,))
    assert good.outcome is Outcome.PASS, [c.rig and c.rig.text for c in good.claims]
    early, _ = by_hand(held.image, contract, delays=(300,), hold=200)
    assert early.outcome is Outcome.UNSURE
    assert "B1 was let go too early" in early.rig.verdict.findings[0].text


def test_a_button_that_is_touched_unasked_spoils_the_run(
    by_hand: Callable[..., tuple[Confirmed, Finger]], toggle: tuple[Image, Contract]
) -> None:
    def fidget(virtual: VirtualBoard) -> None:
        virtual.machine.stimulate(Press("B1", virtual.now_ps + 300 * MS, 80 * MS))

    with pytest.raises(RigError, match="nobody was asked to press it then") as told:
        by_hand(*toggle, before=fidget)
    assert "leave the button alone" in (told.value.hint or "")


def test_a_press_to_the_end_is_held_to_the_end(
    by_hand: Callable[..., tuple[Confirmed, Finger]], board: Board
) -> None:
    held = api.generate("while the button is held turn on the LED", board).proof.image
    contract = Contract(
        "held", board.name, 2 * PS_PER_S, (Press("B1", 500 * MS),),
        (Level("LD2", 1, window=Window(600 * MS)),
         Level("LD2", 0, window=Window(10 * MS, 500 * MS))),
    )  # fmt: skip
    kept, _ = by_hand(held, contract, delays=(250,), hold=-1)
    assert kept.outcome is Outcome.PASS, [c.rig and c.rig.text for c in kept.claims]
    gone, _ = by_hand(held, contract, delays=(250,), hold=400)
    assert gone.outcome is Outcome.UNSURE
    assert "was to stay pressed" in gone.rig.verdict.findings[0].text


def test_what_counts_from_reset_must_still_hold_from_reset(
    by_hand: Callable[..., tuple[Confirmed, Finger]], board: Board
) -> None:
    """The LED goes on by itself; the press has nothing to do with it: both readings hold."""
    also = "toggle D7 on each press of the button"
    late = api.generate(f"turn on the LED after 1 s and {also}", board).proof.image
    contract = Contract(
        "late", board.name, 3 * PS_PER_S, (Press("B1", 500 * MS, 100 * MS),),
        (Level("LD2", 1, at_ps=1500 * MS),),
    )  # fmt: skip
    confirmed, _ = by_hand(late, contract, delays=(2000,))
    assert confirmed.outcome is Outcome.PASS
    asked = [e.at_ps for e in confirmed.rig.contract.expectations if isinstance(e, Level)]
    assert len(asked) == 2
    assert 1500 * MS in asked
    slower = api.generate(f"turn on the LED after 2 s and {also}", board).proof.image
    other, _ = by_hand(late, contract, seen=slower, delays=(2000,))
    assert other.outcome is Outcome.FAIL


def test_times_that_go_with_neither_reading_are_unsure(
    by_hand: Callable[..., tuple[Confirmed, Finger]], board: Board
) -> None:
    """On for two seconds from reset, whatever is pressed: at 1 s it is, later it is not."""
    also = "toggle D7 on each press of the button"
    image = api.generate(
        f"turn on the LED for 2 s, then turn the LED off and {also}", board
    ).proof.image
    contract = Contract(
        "on", board.name, PS_PER_S * 3 // 2, (Press("B1", 500 * MS, 100 * MS),),
        (Level("LD2", 1, window=Window(100 * MS, 1200 * MS)),),
    )  # fmt: skip
    confirmed, _ = by_hand(image, contract, delays=(4000,))
    claim = confirmed.rig.verdict.findings[0]
    # From reset it holds as it stands, and that reading alone is asked for.
    assert claim.outcome is Outcome.PASS
    assert confirmed.rig.contract.expectations == contract.expectations
    contract = Contract(
        "on", board.name, PS_PER_S * 3 // 2, (Press("B1", 500 * MS, 100 * MS),),
        (Level("LD2", 1, window=Window(800 * MS)),),
    )  # fmt: skip
    confirmed, _ = by_hand(image, contract, delays=(4000,))
    assert confirmed.outcome is Outcome.UNSURE
    assert "its times do not go with presses by hand" in confirmed.rig.verdict.findings[0].text


def test_a_response_is_held_against_the_press_itself(
    by_hand: Callable[..., tuple[Confirmed, Finger]], toggle: tuple[Image, Contract], board: Board
) -> None:
    e = Responds(Trigger("B1", "rising"), Trigger("LD2", "both"), 60 * MS)
    contract = Contract("t", board.name, 2 * PS_PER_S, (Press("B1", 300 * MS, 200 * MS),), (e,))
    good, _ = by_hand(toggle[0], contract, delays=(777,))
    assert good.outcome is Outcome.PASS, [c.rig and c.rig.text for c in good.claims]
    other = api.generate("toggle D7 on each press of the button", board).proof.image
    bad, _ = by_hand(toggle[0], contract, seen=other, delays=(777,))
    assert bad.outcome is Outcome.FAIL


def test_what_cannot_be_seen_is_not_asked_for(
    by_hand: Callable[..., tuple[Confirmed, Finger]], board: Board
) -> None:
    contract = Contract(
        "lit", board.name, PS_PER_S, (Press("B1", 300 * MS, 100 * MS),),
        (Level("LD2", 1, window=Window(10 * MS)),),
    )  # fmt: skip
    confirmed, finger = by_hand(image_of("lit"), contract)
    assert not finger.asked
    assert confirmed.outcome is Outcome.UNSURE
    assert "keeps the clock of its port off" in confirmed.rig.verdict.findings[0].text
