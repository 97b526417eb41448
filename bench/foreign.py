r"""Other people's firmware: runs images that you built, and says whether each did what it should.

    uv run python bench/foreign.py LIST.toml

It fetches and builds nothing. The list names the images, relative to its own place:

    [[firmware]]
    name = "MicroPython v1.29.0, NUCLEO_F401RE"
    image = "firmware.elf"
    board = "nucleo-f401"
    span = "6 s"
    send = { "3.2 s" = "2**100\r\n" }      # to the console, at these times
    says = [">>> ", "1267650600228229401496703205376"]
    toggles = { PA5 = 2 }                    # at least so many edges
    hazards = ["clock-limit"]                # of error or warning, exactly these
    gaps = []                                # "PWR.CSR", exactly these

It prints a table of what was expected and seen. Exit code 1 when one departs, 2 for a wrong list.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any

import tools

from fwgen.board import load_board
from fwgen.contract import Send
from fwgen.errors import FwgenError
from fwgen.image.load import load_image
from fwgen.machine.machine import Machine
from fwgen.trace import Edge, Fault, Gap, Hazard, SerialByte
from fwgen.units import PS_PER_S, parse_duration

if TYPE_CHECKING:
    from fwgen.trace import Trace

KEYS = {"name", "image", "board", "span", "send", "says", "toggles", "hazards", "gaps"}
NEEDED = ("name", "image", "board", "span")
HEAD = ("firmware", "board", "seen", "virtual s per CPU s")


def departures(trace: Trace, wanted: dict[str, Any]) -> list[str]:
    """What the run does not keep of its entry in the list, in words."""
    found = [f"fault: {fault.exception}" for fault in trace.of(Fault)]
    said = bytes(e.byte for e in trace.of(SerialByte) if e.direction == "tx").decode(
        errors="replace"
    )
    at = 0
    for text in wanted.get("says", ()):
        place = said.find(text, at)
        if place < 0:
            found.append(f"does not say {text!r}")
            break
        at = place + len(text)
    for pin, count in wanted.get("toggles", {}).items():
        edges = sum(edge.pin == pin for edge in trace.of(Edge))
        if edges < count:
            found.append(f"{pin} changes {edges} times, not {count}")
    for what, seen in (
        ("hazards", {h.code for h in trace.of(Hazard) if h.severity != "note"}),
        ("gaps", {f"{gap.peripheral}.{gap.register}" for gap in trace.of(Gap)}),
    ):
        expected = set(wanted.get(what, ()))
        found += [f"{what[:-1]} {one}" for one in sorted(seen - expected)]
        found += [f"no {what[:-1]} {one}" for one in sorted(expected - seen)]
    return found


def run(wanted: dict[str, Any], folder: Path) -> tuple[list[str], float]:
    """Run one firmware of the list: what departs, and virtual seconds for each of the CPU.

    Raises FwgenError for an unknown board, an image that cannot be read, a wrong time.
    """
    board = load_board(wanted["board"])
    image = load_image(folder / wanted["image"], board)
    span_ps = parse_duration(wanted["span"])
    sends = [
        Send("console", parse_duration(when), text.encode())
        for when, text in wanted.get("send", {}).items()
    ]
    began = process_time()
    trace = Machine(board, patience_s=600).run(image, sends, span_ps)
    return departures(trace, wanted), span_ps / PS_PER_S / (process_time() - began)


def checked(path: Path) -> list[dict[str, Any]]:
    """The entries of a list. Raises FwgenError that names what is wrong with it."""
    try:
        entries = tomllib.loads(path.read_text()).get("firmware", [])
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise FwgenError(f"the list cannot be read: {error}", where=str(path)) from error
    for n, entry in enumerate(entries, 1):
        for key in (*(set(entry) - KEYS), *(k for k in NEEDED if k not in entry)):
            wrong = "is needed" if key in NEEDED else "is unknown"
            raise FwgenError(f"firmware {n}: {key!r} {wrong}", where=str(path))
    if not entries:
        raise FwgenError("the list names no firmware", where=str(path), hint="see --help")
    return list(entries)


def main() -> int:
    """Run the list and print the table."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("list", type=Path)
    chosen = options.parse_args()
    lines, wrong = [], False
    try:
        for entry in checked(chosen.list):
            found, speed = run(entry, chosen.list.parent)
            wrong |= bool(found)
            lines.append(
                (entry["name"], entry["board"], "; ".join(found) or "as expected", f"{speed:.1f}")
            )
    except FwgenError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{tools.table(HEAD, lines)}\n\nfwgen {tools.version()}; {tools.host()}.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
