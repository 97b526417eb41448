"""What a sentence makes, on a board: one test of each kind, to begin from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.hil.board import RigBoard
    from fwgen.pipeline import Result

    Make = Callable[..., Result]


def test_blink(board: RigBoard, fwgen: Make) -> None:
    board.flash(fwgen("blink LED at 2Hz"))
    assert board.pin("LED").blinks("2 Hz")


@pytest.mark.fwgen_needs("serial")
def test_count(board: RigBoard, fwgen: Make) -> None:
    board.flash(fwgen('print "hello" and a count over serial every 500 ms'))
    counted = {"n": {"first": 0, "step": 1}}
    assert board.console.says("hello {n}", every="500 ms", numbers=counted)


@pytest.mark.fwgen_needs("press button")
def test_press(board: RigBoard, fwgen: Make) -> None:
    board.flash(fwgen("toggle the LED on each press of the button"))
    board.press("button", at="500 ms", bounce="4 ms")
    board.press("button", at="1 s")
    assert board.pin("LED").turns("either", after="button", within="60 ms")
    assert board.pin("LED").changes(exactly=2, from_="100 ms")


def test_what_was_there_is_no_matter(board: RigBoard, fwgen: Make) -> None:
    board.flash(fwgen("blink LED at 2Hz"))
    board.flash(fwgen("turn the LED on"))
    assert board.pin("LED").stays("on", from_="50 ms", until="1 s")
