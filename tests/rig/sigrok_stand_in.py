"""What speaks as sigrok-cli does, with a virtual board's pins at its channels.

``Bench`` is the board's side: it knows what each pin does, and tells whoever connects. ``PROGRAM``
is the executable that a rig starts instead of sigrok-cli: VCD as libsigrok 0.5.2 writes it.
"""

from __future__ import annotations

import json
import os
import shutil
import socketserver
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fwgen.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fwgen.trace import Event
    from fwgen.virtual.board import VirtualBoard

PROGRAM = r"""#!{python}
import json, os, select, socket, sys

at = sys.argv.index
if "--version" in sys.argv:
    print("sigrok-cli 0.7.2")
    sys.exit(0)
how = json.loads(os.environ["STAND_IN"])
driver = sys.argv[at("-d") + 1]
if driver != "stand-in":
    print(f"No devices found.", file=sys.stderr)
    sys.exit(1)
if "--scan" in sys.argv:
    print("The following devices were found:")
    print("stand-in - Virtual pins with " + str(len(how["wired"])) + " channels: "
          + " ".join(how["wired"]))
    sys.exit(0)
channels = sys.argv[at("-C") + 1].split(",")
rate = int(sys.argv[at("-c") + 1].removeprefix("samplerate="))
assert sys.argv[at("-O") + 1] == "vcd" and "--continuous" in sys.argv
board = socket.socket(socket.AF_UNIX)
board.connect(how["at"])
lines = board.makefile("rw")


def ask():
    lines.write("?\n")
    lines.flush()
    return json.loads(lines.readline())


out = sys.stdout
print("$date today $end\n$version libsigrok 0.5.2 $end\n$comment\n  Acquisition with "
      f"{{len(channels)}}/{{len(how['wired'])}} channels at {{rate}} Hz\n$end\n"
      "$timescale 1 ns $end\n$scope module libsigrok $end")
for n, channel in enumerate(channels):
    print(f"$var wire 1 {{chr(33 + n)}} {{channel}} $end")
print("$upscope $end\n$enddefinitions $end")
first = ask()
zero, skew = first["now"], how.get("skew_ppm", 0)
level = {{c: first["levels"].get(how["wired"][c], 0) for c in channels}}
print("#0 " + " ".join(f"{{level[c]}}{{chr(33 + n)}}" for n, c in enumerate(channels)), flush=True)
polls = 0
while True:
    ended = bool(select.select([sys.stdin], [], [], 0.005)[0])
    seen = ask()
    samples = {{}}
    for t, pin, now in seen["moves"]:
        for n, c in enumerate(channels):
            if how["wired"][c] == pin:
                off = (t - zero) * (1_000_000 + skew) // 1_000_000
                # The next sample sees it; of several between two samples only the last shows.
                samples.setdefault(-(-off * rate // 10**12), {{}})[n] = now
    for k in sorted(samples):
        told = [f"{{v}}{{chr(33 + n)}}" for n, v in samples[k].items() if v != level[channels[n]]]
        for n, v in samples[k].items():
            level[channels[n]] = v
        if told:
            print(f"#{{k * 10**9 // rate}} " + " ".join(told))
    out.flush()
    polls += 1
    if how.get("dies_after") and polls > how["dies_after"]:
        print("fx2lafw: device disconnected.", file=sys.stderr)
        sys.exit(1)
    if ended:
        end = (seen["now"] - zero) * (1_000_000 + skew) // 1_000_000
        print(f"#{{end * rate // 10**12 * 10**9 // rate}}")
        sys.exit(0)
"""


class Bench:
    """What a virtual board's pins do, for the program at the other end."""

    def __init__(self, board: VirtualBoard) -> None:
        self._board = board
        self._events: list[Event] = []
        self._levels: dict[str, int | None] = {}
        board.listen(self._hear)

    def _hear(self, event: Event) -> None:
        if event.KIND in ("edge", "wave"):
            self._events.append(event)

    def told(self, since: int) -> tuple[int, dict[str, Any]]:
        """What moved since a time, and the levels now."""
        with self._board.lock:
            now = self._board.now_ps
            trace = Trace("", "", now + 1, tuple(self._events), {})
        moves = []
        for pin in trace.moving_pins():
            for t, level in trace.edges(pin):
                self._levels[pin] = level
                if t > since:
                    moves.append((t, pin, int(bool(level))))
        levels = {pin: int(bool(level)) for pin, level in self._levels.items()}
        return now, {"now": now, "moves": sorted(moves), "levels": levels}


@contextmanager
def stand_in(
    board: VirtualBoard, wired: Mapping[str, str], folder: Path, **how: Any
) -> Iterator[None]:
    """While entered, the rig's sigrok-cli is the stand-in, its channels on pins of the board."""
    bench = Bench(board)
    short = tempfile.mkdtemp()  # the path of a socket must not be long
    place = str(Path(short, "pins"))

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            since = -1
            while self.rfile.readline():
                since, told = bench.told(since)
                self.wfile.write(json.dumps(told).encode() + b"\n")

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True

    program = folder / "sigrok-cli"
    program.write_text(PROGRAM.format(python=sys.executable))
    program.chmod(0o755)
    said = {"at": place, "wired": dict(wired), **how}
    before = {name: os.environ.get(name) for name in ("STAND_IN", "FWGEN_SIGROK")}
    os.environ |= {"STAND_IN": json.dumps(said), "FWGEN_SIGROK": str(program)}
    try:
        with Server(place, Handler) as server:
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            yield
            server.shutdown()
    finally:
        shutil.rmtree(short)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
