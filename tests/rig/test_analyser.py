"""A served analyser: a virtual board behind a server is judged by what it did, in its own time."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
import tomllib
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import fwgen
from fwgen.board import load_board
from fwgen.contract import read_contract
from fwgen.errors import InputError, RigError
from fwgen.hil.needs import lack
from fwgen.hil.place import Place, opened
from fwgen.rig.analyser import BoardAnalyser
from fwgen.rig.flash import program
from fwgen.rig.rigs import RigSpec, load_rig
from fwgen.rig.targets import register
from fwgen.units import PS_PER_MS
from fwgen.verdict import judge
from fwgen.virtual.analyser import AnalyserServer
from fwgen.virtual.board import VirtualBoard
from fwgen.virtual.serial.rfc2217 import Rfc2217Server
from fwgen.virtual.server import Served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack
    from pathlib import Path

    from fwgen.board.types import Board
    from fwgen.contract import Contract
    from fwgen.image.types import Image
    from fwgen.trace import Trace

pytestmark = [
    pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning"),  # pyserial
    pytest.mark.usefixtures("data_folder"),
]

BLINK = 'blink LED at 10 Hz and print "hello" over serial every 100 ms'
CONTRACT = """
title = "blinks and speaks"
board = "nucleo-f401"
span = "600 ms"
[[expect]]
blinks = "LD2"
rate = "{rate}"
duty = "50 %"
tolerance = "1 %"
[[expect]]
says = "hello"
every = "100 ms"
tolerance = "1 %"
[[expect]]
quiet = true
but = ["LD2", "console"]
"""


def contract(rate: str = "10 Hz") -> Contract:
    data = tomllib.loads(CONTRACT.format(rate=rate))
    return read_contract(data, load_board("nucleo-f401"))


@pytest.fixture
def made(board: Board, stack: ExitStack) -> VirtualBoard:
    one = stack.enter_context(VirtualBoard(board))
    one.start_free_running()
    return one


@pytest.fixture
def place(made: VirtualBoard, board: Board, stack: ExitStack) -> Place:
    """A rig that reaches the board by nothing but three TCP ports."""
    assert made.serial is not None
    console = stack.enter_context(Rfc2217Server(made.serial))
    analyser = stack.enter_context(AnalyserServer(made))
    served = stack.enter_context(Served(made, target=register(board)))
    spec = RigSpec(
        "far", board.name, f"remote:localhost:{served.remote}", f"{console.url}?ign_set_control",
        analyser=f"localhost:{analyser.port}",
    )  # fmt: skip
    return stack.enter_context(opened(spec))


@contextmanager
def busy() -> Iterator[None]:
    """The computer has more to do than it can."""
    spin = [sys.executable, "-c", "while True: pass"]
    spinning = [subprocess.Popen(spin) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        yield
    finally:
        for one in spinning:
            one.kill()
            one.wait()


def run_while_busy(place: Place, asked: Contract, image: Image) -> Trace:
    bench = place.bench(asked)
    program(bench.connection, image, backup=False)
    for left in reversed(range(5)):
        try:
            with busy():
                return bench.run(image, asked.stimuli, asked.span_ps)
        except RigError as error:  # a board that cannot keep up says so, rightly
            if "could not keep up" not in str(error) or not left:
                raise
    raise AssertionError


def test_a_busy_computer_makes_no_claim_unsure_and_none_wrong(place: Place) -> None:
    image = fwgen.generate(BLINK, "nucleo-f401").proof.image
    for asked, outcome in ((contract(), "pass"), (contract("9.7 Hz"), "fail")):
        trace = run_while_busy(place, asked, image)
        verdict = judge(asked, trace, place.board)
        found = {f.text: f.outcome.value for f in verdict.findings if f.about == "expectation"}
        assert list(found.values()) == [outcome, "pass", "pass"], found
        assert trace.watched is not None
        assert "analyser localhost:" in trace.watched.means


def test_time_that_the_board_lost_is_told_and_not_judged(
    made: VirtualBoard, board: Board, stack: ExitStack
) -> None:
    server = stack.enter_context(AnalyserServer(made))
    analyser = BoardAnalyser(f"localhost:{server.port}", board=board.name)
    stack.callback(analyser.close)
    analyser.start()
    with made.lock:
        assert made._follower is not None
        made._follower.lost_ps += 300 * PS_PER_MS
    with pytest.raises(RigError, match="could not keep up with the clock: it is 300 ms late"):
        analyser.stop(0, {})


def test_two_clients_capture_beside_each_other_and_who_leaves_leaves_nothing(
    made: VirtualBoard, board: Board, stack: ExitStack
) -> None:
    server = stack.enter_context(AnalyserServer(made))
    first, second = (BoardAnalyser(f"localhost:{server.port}", board=board.name) for _ in "12")
    first.start()
    second.start()
    assert len(server._captures) == 2
    assert set(first.stop(0, {}).looks) == set(board.chip.pins) == set(first.pins)
    second.close()
    first.close()
    deadline = time.monotonic() + 20
    while server._captures and time.monotonic() < deadline:
        time.sleep(0.01)
    assert server._captures == []


@pytest.mark.parametrize("line", [b"?", b"[]", b'{"do": 1}', b'{"do": []}', b'{"do": "stop"}'])
def test_what_a_client_gets_wrong_is_answered(
    made: VirtualBoard, stack: ExitStack, line: bytes
) -> None:
    server = stack.enter_context(AnalyserServer(made))
    with socket.create_connection(("localhost", server.port)) as client:
        file = client.makefile("rwb")
        assert json.loads(file.readline())["analyser"] == 1
        for order, key in ((line, "error"), (b'{"do": "now"}', "now_ps")):
            file.write(order + b"\n")
            file.flush()
            assert key in json.loads(file.readline())


class Says:
    """Something on a TCP port that says one thing and hangs up."""

    def __init__(self, words: bytes) -> None:
        self._listener = socket.create_server(("localhost", 0))
        self.place = f"localhost:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, args=(words,), daemon=True).start()

    def _serve(self, words: bytes) -> None:
        client, _ = self._listener.accept()
        client.sendall(words)
        client.close()
        self._listener.close()


HELLO = {"analyser": 1, "board": "nucleo-f401", "pins": ["PA5"], "pace": 1.0}


@pytest.mark.parametrize(
    ("hello", "words"),
    [
        (b"", "the board's analyser went away"),
        (b"SSH-2.0\n", "what answers is no analyser of ours"),
        (b"[1]\n", "what answers is no analyser of ours"),
        (json.dumps(HELLO | {"analyser": 9}).encode() + b"\n", "what answers is no analyser"),
        (
            json.dumps(HELLO | {"board": "pico"}).encode() + b"\n",
            "it is on a pico, not on a",
        ),
        (json.dumps(HELLO | {"pace": 2.0}).encode() + b"\n", "runs at 2 times the pace"),
    ],
)
def test_what_is_no_analyser_of_this_board_is_told(hello: bytes, words: str) -> None:
    with pytest.raises(RigError, match=words):
        BoardAnalyser(Says(hello).place, board="nucleo-f401")


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("6001", "names no analyser"),
        ("localhost:0", "names no analyser"),
        ("127.0.0.1:9", "analyser cannot be reached: Connection refused"),
    ],
)
def test_a_place_where_none_is_is_told(place: str, words: str) -> None:
    with pytest.raises(RigError, match=words):
        BoardAnalyser(place, board="nucleo-f401")


def test_a_rig_file_names_it(tmp_path: Path) -> None:
    file = tmp_path / "far.toml"
    file.write_text('board = "nucleo-f401"\nprobe = "remote:h:1"\nanalyser = "h:6001"\n')
    assert load_rig(file).analyser == "h:6001"
    file.write_text('board = "nucleo-f401"\nvirtual = true\nanalyser = "h:6001"\n')
    with pytest.raises(InputError, match="a virtual board has its own analyser"):
        load_rig(file)


def test_a_pin_with_more_edges_than_can_be_told_is_unsure_and_others_are_not(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fwgen.virtual.analyser.MOST_EDGES", 5)
    image = fwgen.generate(BLINK, "nucleo-f401").proof.image
    asked = contract()
    trace = place.bench(asked).run(image, asked.stimuli, asked.span_ps)
    blinks, says, _ = (
        f for f in judge(asked, trace, place.board).findings if f.about == "expectation"
    )
    assert blinks.outcome.value == "unsure"
    assert says.outcome.value == "pass"


def test_more_than_it_can_keep_ends_the_run_and_says_so(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fwgen.virtual.analyser.MOST_EVENTS", 5)
    image = fwgen.generate(BLINK, "nucleo-f401").proof.image
    asked = contract()
    with pytest.raises(RigError, match="more came than it can keep"):
        place.bench(asked).run(image, asked.stimuli, asked.span_ps)


def test_a_rig_with_an_analyser_has_what_a_test_needs_of_one(board: Board) -> None:
    bare = RigSpec("far", board.name)
    assert lack(["analyser"], bare, board) == "the rig far has no logic analyser"
    assert lack(["analyser"], replace(bare, analyser="h:6001"), board) == ""
