"""Rig files: one TOML for each bench of boards: which board, which probe, which port, what wires.

    board = "nucleo-f401"
    probe = "066AFF3833"                 # its serial number, or a part of it
    port = "/dev/ttyACM0"                # left out: the probe's own; "none": there is none
    analyser = "127.0.0.1:6001"          # of a virtual board that is served; left out: none

    [wires]                              # what can drive the board's pins from outside
    B1 = { probe = "0668FF5055", board = "nucleo-f401", pin = "PA8" }

    [analyser]                           # a logic analyser, read through sigrok-cli
    driver = "fx2lafw"                   # as sigrok-cli calls it
    rate = "1 MHz"                       # how often it samples
    channels = { D0 = "LD2", D1 = "D7" } # which channel is wired to which pin

    [labgrid]                            # instead of a probe and a port: a board of a farm's
    place = "p1"                         # or tags = { board = "nucleo-f401" }
    coordinator = "lab:20408"            # left out: LG_COORDINATOR, else this computer
    [wires]                              # a digital output of the place can be one
    B1 = { output = "button", on = "low", off = "floating" }
    wait = "10 min"                      # in the queue; left out: not at all

A wire leads from a pin of a second board, which its own probe drives: it needs no firmware.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fwgen.board import load_board
from fwgen.contract.subjects import find, known_names
from fwgen.errors import BoardError, InputError, UnitError, did_you_mean
from fwgen.rig.labgrid.lease import Wanted
from fwgen.rig.places import data_folder
from fwgen.rig.sigrok import AnalyserSpec
from fwgen.units import MHZ_PER_HZ, PS_PER_S, parse_duration, parse_frequency

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fwgen.board.types import Board
    from fwgen.rig.labgrid.lease import Borrowed

NO_PORT = "none"
PLACES = (Path("hil", "rigs"), Path("rigs"))
"""Where rig files are looked for by name, below the current folder; then in our data folder."""

SLOWEST_HZ = 1000
"""An analyser that samples less often sees no more than the probe does."""

_KEYS = ("board", "probe", "port", "analyser", "virtual", "wires", "labgrid")
_ANALYSER_KEYS = ("driver", "rate", "channels")
_LABGRID_KEYS = ("place", "tags", "coordinator", "wait")
_WIRE_KEYS = ("probe", "board", "pin")
_OUTPUT_KEYS = ("output", "on", "off")
LEVELS = {"low": 0, "high": 1, "floating": None}


@dataclass(frozen=True, slots=True)
class WireSpec:
    """A wire to a pin of the board, from ``pin`` of the ``board`` that ``probe`` drives."""

    probe: str
    board: str
    pin: str


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """A wire from a digital output of a place of labgrid's: what it does to the pin when on, off.

    The levels are 0, 1, or None for a pin that is let go.
    """

    output: str
    on: int | None = 0
    off: int | None = None


@dataclass(frozen=True, slots=True)
class RigSpec:
    """One bench of boards, as its file describes it. ``wires`` by the pin that they lead to.

    A ``virtual`` one is the board in software: it has its own probe and port, and every wire.
    One of ``labgrid``'s has its probe and its port once it is borrowed: see ``lent``; its ``board``
    may be "" until then.
    """

    name: str
    board: str
    probe: str = ""
    port: str = ""
    wires: Mapping[str, WireSpec | OutputSpec] = field(default_factory=dict)
    where: str = ""
    virtual: bool = False
    labgrid: Wanted | None = None
    analyser: AnalyserSpec | str | None = None
    switch: Callable[[str, bool], None] | None = field(default=None, compare=False, repr=False)


def find_rig(name: str) -> Path:
    """The file of a rig, from its name or path. Raises InputError with the names there are."""
    path = Path(name)
    if path.suffix == ".toml" or len(path.parts) > 1:
        if not path.is_file():
            raise InputError("there is no such rig file", where=name)
        return path
    known = {file.stem: file for file in rig_files()}
    if name in known:
        return known[name]
    listed = ", ".join(sorted(known))
    raise InputError(
        f"there is no rig {name!r}",
        hint=did_you_mean(name, known)
        or (f"there is {listed}" if listed else f'write {PLACES[0] / name}.toml; or "virtual"'),
    )


def rig_files() -> Iterator[Path]:
    """The rig files that names stand for, the nearest first."""
    seen: set[str] = set()
    for folder in (*PLACES, data_folder() / "rigs"):
        for file in sorted(folder.glob("*.toml")):
            if file.stem not in seen:
                seen.add(file.stem)
                yield file


def load_rig(path: Path) -> RigSpec:
    """Read a rig file. Raises InputError that names the place."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(error.strerror or str(error), where=str(path)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"not TOML: {error}", where=str(path)) from None
    where = str(path)
    _only(data, _KEYS, where)
    name = _text(data, "board", where)
    if not name:
        raise InputError("the board is not named", where=where, hint='board = "nucleo-f401"')
    try:
        board = load_board(name)
    except BoardError as error:
        raise InputError(error.message, where=f"{where}: board", hint=error.hint) from None
    wires = data.get("wires", {})
    if not isinstance(wires, dict):
        raise InputError("wires is no table", where=where, hint="[wires]")
    made: dict[str, WireSpec | OutputSpec] = {}
    for end, spec in wires.items():
        at = f"{where}: wires.{end}"
        subject = find(end, board)
        if subject is None or not subject.pin:
            hint = did_you_mean(end, known_names(board)) or "a part or a pin of the board"
            raise InputError(f"{board.name} has no pin {end!r}", where=at, hint=hint)
        if subject.pin in made:
            raise InputError(f"{subject.pin} has a wire already", where=at)
        made[subject.pin] = _output(spec, at) if _is_output(spec) else _wire(spec, at)
        if _is_output(spec) and "labgrid" not in data:
            raise InputError(
                "an output is one of a place of labgrid's", where=at,
                hint='name the place: [labgrid] with place = "p1"',
            )  # fmt: skip
    virtual = data.get("virtual", False)
    if not isinstance(virtual, bool):
        raise InputError("virtual is neither true nor false", where=where, hint="virtual = true")
    for key in ("probe", "port", "analyser", "wires") if virtual else ():
        if key in data:
            raise InputError(f"a virtual board has its own {key}", where=f"{where}: {key}")
    wanted = _labgrid(data["labgrid"], where) if "labgrid" in data else None
    for key in ("probe", "port", "analyser", "virtual") if wanted is not None else ():
        if key in data:
            raise InputError(f"a place of labgrid's has its own {key}", where=f"{where}: {key}")
    return RigSpec(
        path.stem, board.name, _text(data, "probe", where), _text(data, "port", where), made, where,
        virtual, wanted, _analyser(data["analyser"], board, where) if "analyser" in data else None,
    )  # fmt: skip


def lent(spec: RigSpec, place: Borrowed) -> RigSpec:
    """The rig with what a borrowed place has.

    Raises InputError when the farm says that another board is there, or nobody says which.
    """
    where = f"place {place.place}"
    if place.board and spec.board and place.board != spec.board:
        raise InputError(f"there is a {place.board}, not a {spec.board}", where=where)
    if not place.board and not spec.board:
        raise InputError(
            "nobody says which board is there",
            where=where,
            hint="name it: --board; or in the exporter's configuration, beside the probe's port",
        )
    return replace(
        spec,
        board=spec.board or place.board,
        probe=place.probe,
        port=place.port or NO_PORT,
        analyser=place.analyser,
        switch=place.switch,
        where=spec.where or where,
        labgrid=None,
    )


def _analyser(table: object, board: Board, where: str) -> AnalyserSpec | str:
    """The analyser of a board in software, by its address; or a real one, by a table."""
    at = f"{where}: analyser"
    if isinstance(table, str):
        return table
    if not isinstance(table, dict):
        raise InputError("analyser is no table", where=where, hint="[analyser]")
    _only(table, _ANALYSER_KEYS, at)
    driver, rate = _text(table, "driver", at), _text(table, "rate", at)
    for key, value, example in (("driver", driver, "fx2lafw"), ("rate", rate, "1 MHz")):
        if not value:
            raise InputError(f"{key} is missing", where=at, hint=f'{key} = "{example}"')
    try:
        hertz = parse_frequency(rate) // MHZ_PER_HZ
    except UnitError as error:
        raise InputError(error.message, where=f"{at}: rate", hint=error.hint) from None
    if hertz < SLOWEST_HZ:
        raise InputError(
            f"a rate of {rate} shows no more than the probe sees", where=f"{at}: rate",
            hint="1 kHz at least; what the contract's times need, many times over",
        )  # fmt: skip
    channels = table.get("channels", {})
    if not isinstance(channels, dict) or not channels:
        raise InputError(
            "it is not said which channel is wired to which pin", where=at,
            hint='channels = { D0 = "LD2" }',
        )  # fmt: skip
    made: dict[str, str] = {}
    for channel, end in channels.items():
        subject = find(end, board) if isinstance(end, str) else None
        if subject is None or not subject.pin:
            hint = did_you_mean(str(end), known_names(board)) or "a part or a pin of the board"
            raise InputError(
                f"{board.name} has no pin {end!r}", where=f"{at}: channels.{channel}", hint=hint
            )
        if subject.pin in made:
            raise InputError(
                f"{subject.pin} is on channel {made[subject.pin]} already",
                where=f"{at}: channels.{channel}",
            )
        made[subject.pin] = channel
    return AnalyserSpec(driver, hertz, made)


def _labgrid(table: object, where: str) -> Wanted:
    at = f"{where}: labgrid"
    if not isinstance(table, dict):
        raise InputError("labgrid is no table", where=where, hint="[labgrid]")
    _only(table, _LABGRID_KEYS, at)
    place, coordinator, wait = (_text(table, key, at) for key in ("place", "coordinator", "wait"))
    tags = table.get("tags", {})
    if not isinstance(tags, dict) or not all(isinstance(value, str) for value in tags.values()):
        raise InputError(
            "tags is no table of texts", where=at, hint='tags = { board = "nucleo-f401" }'
        )
    if bool(place) == bool(tags):
        raise InputError("either a place or tags must be named", where=at, hint='place = "p1"')
    wait_s = parse_duration(wait) / PS_PER_S if wait else 0.0
    return Wanted(place, tags, wait_s, coordinator)


def _is_output(spec: object) -> bool:
    return isinstance(spec, dict) and "output" in spec


def _output(spec: object, where: str) -> OutputSpec:
    assert isinstance(spec, dict)
    _only(spec, _OUTPUT_KEYS, where)
    output, on, off = (_text(spec, key, where) for key in _OUTPUT_KEYS)
    for level in (on, off):
        if level and level not in LEVELS:
            hint = "there is " + ", ".join(LEVELS)
            raise InputError(f"{level!r} is nothing that an output does", where=where, hint=hint)
    made = OutputSpec(output, LEVELS[on or "low"], LEVELS[off or "floating"])
    if not output or made.on == made.off:
        hint = 'B1 = { output = "button", on = "low", off = "floating" }'
        raise InputError("an output has a name, and differs between on and off", where=where,
                         hint=hint)  # fmt: skip
    return made


def _wire(spec: object, where: str) -> WireSpec:
    if not isinstance(spec, dict):
        raise InputError("a wire is a table", where=where, hint="{ probe, board, pin }")
    _only(spec, _WIRE_KEYS, where)
    probe, name, pin = (_text(spec, key, where) for key in _WIRE_KEYS)
    missing = [key for key, value in zip(_WIRE_KEYS, (probe, name, pin), strict=True) if not value]
    if missing:
        raise InputError(f"{missing[0]} is missing", where=where)
    try:
        other = load_board(name)
    except BoardError as error:
        raise InputError(error.message, where=where, hint=error.hint) from None
    found = other.find_pin(pin)
    if found is None:
        hint = did_you_mean(pin, other.chip.pins)
        raise InputError(f"{other.name} has no pin {pin!r}", where=where, hint=hint)
    return WireSpec(probe, name, found.name)


def check_board(spec: RigSpec, board: Board) -> None:
    """Raises InputError when the rig has another board."""
    if spec.board != board.name:
        raise InputError(
            f"the rig {spec.name} has a {spec.board}, not a {board.name}", where=spec.where
        )


def _only(data: Mapping[str, object], known: tuple[str, ...], where: str) -> None:
    for key in data:
        if key not in known:
            raise InputError(
                f"there is no key {key!r} here",
                where=where,
                hint=did_you_mean(key, known) or "there is " + ", ".join(known),
            )


def _text(data: Mapping[str, object], key: str, where: str) -> str:
    value = data.get(key, "")
    if not isinstance(value, str):
        raise InputError(f"{key} is no text", where=where, hint=f'{key} = "..."')
    return value
