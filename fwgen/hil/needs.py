"""What a test needs of a rig, in words, and why a rig cannot do it.

serial           a console with a port
press [NAME]     something that presses a button
drive [NAME]     something that drives a pin from outside
voltage [NAME]   something that gives a pin a voltage: no rig has that yet
analyser         pins seen more sharply than a probe can
board NAME       this board
has NAME         a part, a pin or a port of that name
real, virtual    silicon, or a board in software
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fwgen.board.types import Board
    from fwgen.contract import Contract
    from fwgen.rig.rigs import RigSpec

KINDS = ("serial", "press", "drive", "voltage", "analyser", "board", "has", "real", "virtual")
_NAMED = ("board", "has")


def check_needs(needs: Iterable[str]) -> None:
    """Raises InputError for a need that there is not."""
    for need in needs:
        kind, _, name = need.partition(" ")
        if kind not in KINDS or (kind in _NAMED and not name):
            raise InputError(
                f"a test cannot need {need!r}",
                hint=did_you_mean(kind, KINDS) or f"it can need {', '.join(KINDS)}",
            )


def lack(needs: Iterable[str], spec: RigSpec, board: Board) -> str:
    """Why the rig cannot do the first of these that it cannot; "" when it can do them all.

    Raises InputError for a need that there is not.
    """
    needs = tuple(needs)
    check_needs(needs)
    return next((why for need in needs if (why := _lack(need, spec, board))), "")


def _lack(need: str, spec: RigSpec, board: Board) -> str:
    kind, _, name = need.partition(" ")
    rig = f"the rig {spec.name}"
    match kind:
        case "serial":
            return "" if has_port(spec, board) else f"{rig} has no serial port"
        case "press" | "drive":
            return _not_wired(name, "button" if kind == "press" else "", spec, board)
        case "voltage":
            return f"nothing on {rig} gives a voltage"
        case "analyser":
            return "" if spec.virtual or spec.analyser else f"{rig} has no logic analyser"
        case "board":
            known = {board.name, *board.aliases}
            mine = name.casefold() in {one.casefold() for one in known}
            return "" if mine else f"{rig} has a {board.name}, not a {name}"
        case "has":
            from fwgen.contract.subjects import find

            return "" if find(name, board) else f"{board.name}, on {rig}, has no {name!r}"
        case "real":
            return f"{rig} is virtual" if spec.virtual else ""
        case _:
            return "" if spec.virtual else f"{rig} is real"


def has_port(spec: RigSpec, board: Board) -> bool:
    """Whether the rig hears the board's console."""
    from fwgen.rig.rigs import NO_PORT

    return board.console is not None and spec.port != NO_PORT


def _not_wired(name: str, kind: str, spec: RigSpec, board: Board) -> str:
    from fwgen.contract.subjects import find

    rig = f"the rig {spec.name}"
    if not name:
        pins = {part.pin for part in board.parts.values() if not kind or part.kind == kind}
        if spec.virtual:
            return "" if pins or not kind else f"{board.name}, on {rig}, has no {kind}"
        if kind and not pins & set(spec.wires):
            return f"nothing on {rig} can press a {kind}"
        return "" if spec.wires else f"nothing on {rig} can drive a pin"
    subject = find(name, board)
    if subject is None or not subject.pin:
        return f"{board.name}, on {rig}, has no pin or part {name!r}"
    if spec.virtual or subject.pin in spec.wires:
        return ""
    on = f" ({subject.pin})" if subject.pin.casefold() != name.casefold() else ""
    return f"nothing on {rig} is wired to {name}{on}"


def needs_of(contract: Contract, board: Board) -> tuple[str, ...]:
    """What a contract needs of a rig for its verdict not to be unsure from the start."""
    from fwgen.contract import Analog, Press, Replies, Says, Send
    from fwgen.hil.place import PROBE_CAN_PS
    from fwgen.verdict.needs import needs

    found: dict[str, None] = {}
    for stimulus in contract.stimuli:
        if isinstance(stimulus, Send):
            found["serial"] = None
        elif isinstance(stimulus, Analog):
            found[f"voltage {stimulus.subject}"] = None
        else:
            kind = "press" if isinstance(stimulus, Press) else "drive"
            found[f"{kind} {stimulus.subject}"] = None
    if any(isinstance(e, (Says, Replies)) for e in contract.expectations):
        found["serial"] = None
    if needs(contract, board).finer_than(PROBE_CAN_PS):
        found["analyser"] = None
    return tuple(found)
