"""A digital output of a place, through labgrid's own driver, presses a button of the board."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from fwgen.errors import InputError, RigError
from fwgen.hil.place import VirtualWire, opened
from fwgen.pipeline import generate
from fwgen.rig.labgrid.lease import borrowed, parse_place
from fwgen.rig.outputs import OutputWire
from fwgen.rig.rigs import OutputSpec, load_rig
from fwgen.rig.targets import register
from fwgen.verdict import judge
from fwgen.virtual.analyser import AnalyserServer
from fwgen.virtual.board import VirtualBoard
from fwgen.virtual.server import Served

from . import farm as farms

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack
    from pathlib import Path

    from fwgen.board.types import Board

    from .farm import Farm

BUTTON = "PC13"
RIG = """
board = "nucleo-f401"
[labgrid]
place = "wired"
[wires]
B1 = { output = "OUTPUT", on = "low", off = "floating" }
"""


class Relay:
    """A relay behind HTTP, as labgrid's HttpDigitalOutput has them: closed, it grounds a pin."""

    def __init__(self, board: VirtualBoard) -> None:
        self.heard: list[str] = []
        wire, heard = VirtualWire(board, BUTTON), self.heard

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                word = self.rfile.read(int(self.headers["Content-Length"])).decode()
                heard.append(word)
                wire.drive(0 if word == "close" else None, board.now_ps)
                self.send_response(500 if word == "broken" else 200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/1"

    def __enter__(self) -> Relay:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def relay(at: Farm, board: Board, tmp_path: Path, stack: ExitStack) -> Iterator[Relay]:
    """A board that is served, and the relay on its button: the place "wired"."""
    made = stack.enter_context(VirtualBoard(board))
    made.start_free_running()
    served = stack.enter_context(Served(made, target=register(board)))
    analyser = stack.enter_context(AnalyserServer(made))
    one = stack.enter_context(Relay(made))
    http = {"cls": "HttpDigitalOutput", "url": one.url}
    offered = {
        "NetworkDebugProbe": {"host": "127.0.0.1", "port": served.remote, "board": board.name},
        "NetworkBoardAnalyser": {"host": "127.0.0.1", "port": analyser.port},
        "button": http | {"body_asserted": "close", "body_deasserted": "open"},
        "bad": http | {"body_asserted": "broken", "body_deasserted": "broken"},
    }
    here = farms.Farm(tmp_path, at.coordinator)
    here.add_places({"wired": {"match": ["wires/wired/*"]}})
    with farms.exporter(here, "wires", {"wired": offered}):
        yield one
    at.client("-p", "wired", "delete")


def rig(folder: Path, output: str) -> Path:
    path = folder / "attic.toml"
    path.write_text(RIG.replace("OUTPUT", output))
    return path


def test_a_contract_presses_the_button_through_an_output(
    relay: Relay, board: Board, tmp_path: Path
) -> None:
    made = generate("LED is on while the button is held", board)
    with opened(load_rig(rig(tmp_path, "button"))) as place:
        contract = made.proof.contract
        trace = place.bench(contract).run(made.proof.image, contract.stimuli, contract.span_ps)
    seen = judge(contract, trace, board, beside=made.proof.trace)
    found = {f.text: f.outcome.value for f in seen.findings if f.about == "expectation"}
    assert found
    assert "fail" not in found.values(), found
    assert "pass" in found.values(), found
    assert relay.heard[0] == relay.heard[-1] == "open"  # at rest before and after
    assert "close" in relay.heard


def test_what_cannot_be_switched_is_told_with_the_outputs_there_are(relay: Relay) -> None:
    with borrowed(parse_place("labgrid:wired")) as place:
        assert place.switch is not None
        place.switch("button", True)
        place.switch("button", False)
        assert relay.heard == ["close", "open"]
        with pytest.raises(RigError, match="has no digital output 'knob'") as error:
            place.switch("knob", True)
        assert error.value.hint == "there is bad, button"
        with pytest.raises(RigError, match="output 'bad' cannot be set: 500 Server Error"):
            place.switch("bad", True)
        place.switch("button", True)  # it still works
    assert relay.heard[-1] == "close"


class Still:
    now_ps = 5

    def sleep(self, ps: int) -> None:
        self.now_ps += ps


@pytest.mark.parametrize(
    ("on", "off", "level", "switched"),
    [(0, None, 0, True), (0, None, None, False), (0, 1, 1, False), (1, 0, 1, True),
     (1, 0, None, False), (None, 0, None, True)],
)  # fmt: skip
def test_a_level_is_on_or_off(
    on: int | None, off: int | None, level: int | None, switched: bool
) -> None:
    told: list[tuple[str, bool]] = []
    wire = OutputWire(lambda *what: told.append(what), Still(), "b1", on, off)
    assert wire.drive(level, 20) == (20, 20)
    assert told == [("b1", False), ("b1", switched)]


def test_a_level_that_it_has_not_is_refused() -> None:
    wire = OutputWire(lambda *_: None, Still(), "b1", 0, None)
    with pytest.raises(RigError, match="cannot drive its pin high: on it is low, off it is float"):
        wire.drive(1, 0)


def test_a_rig_file_names_an_output(tmp_path: Path) -> None:
    assert load_rig(rig(tmp_path, "button")).wires == {BUTTON: OutputSpec("button", 0, None)}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('on = "low"', 'on = "up"', "'up' is nothing that an output does"),
        ('off = "floating"', 'off = "low"', "differs between on and off"),
        ('output = "OUTPUT"', 'output = ""', "an output has a name"),
        ('on = "low"', 'level = "low"', "there is no key 'level' here"),
        ('[labgrid]\nplace = "wired"\n', "", "an output is one of a place of labgrid's"),
    ],
)
def test_what_is_wrong_with_an_output_is_told(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    path = tmp_path / "attic.toml"
    path.write_text(RIG.replace(old, new))
    with pytest.raises(InputError, match=words):
        load_rig(path)
