"""A place of labgrid's, borrowed: its probe and its serial port are ours until we leave.

    with borrowed(parse_place("labgrid:board=nucleo-f401,wait=10min")) as place:
        place.probe        # "remote:farm-1:5555", for choose_probe
        place.port         # "rfc2217://farm-1:4001", for open_port

The coordinator is asked by labgrid's own code, in labgrid's own environment (``agent``). It keeps
the queue: who reserves waits for his turn. However we end, the place is given back; only one that
its user had acquired beforehand (``labgrid-client acquire``) stays his.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fwgen.errors import InputError, RigError, did_you_mean
from fwgen.rig.lock import holder, locked
from fwgen.units import PS_PER_S, parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

SCHEME = "labgrid:"
COORDINATOR = "127.0.0.1:20408"  # labgrid's own default
HOME = "FWGEN_LABGRID"  # in the environment: where labgrid is installed
PROBE, PORT = "NetworkDebugProbe", "NetworkSerialPort"
ANALYSER = "NetworkBoardAnalyser"
GOODBYE_S = 15.0  # for giving a place back
AGAIN_S = 0.5  # between two tries to have a place that another fwgen of ours uses
INSTALL = (
    f'"uv tool install labgrid" gives it its environment (it cannot share ours); one that is '
    f"elsewhere is named by {HOME}"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which place is wanted: by name, or any one that has all the tags.

    ``wait_s`` is how long to wait in the queue. ``coordinator`` is "HOST" or "HOST:PORT"; "" is
    what labgrid's own LG_COORDINATOR says, else this computer.
    """

    place: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    wait_s: float = 0.0
    coordinator: str = ""

    def __str__(self) -> str:
        return self.place or ",".join(f"{key}={value}" for key, value in self.tags.items())


@dataclass(frozen=True, slots=True)
class Borrowed:
    """A place that is ours for now.

    ``board`` is the board's name, "" when the farm does not say. ``probe`` and ``port`` are what
    ``choose_probe`` and ``open_port`` take, ``analyser`` what ``BoardAnalyser`` does; "" for one
    that the place lacks. ``kept``: its user had
    acquired it before, and keeps it.
    """

    place: str
    board: str = ""
    probe: str = ""
    port: str = ""
    kept: bool = False
    analyser: str = ""
    switch: Callable[[str, bool], None] | None = field(default=None, compare=False, repr=False)
    """Sets a digital output of the place, by its name. Raises RigError."""


def parse_place(text: str, *, coordinator: str = "") -> Wanted:
    """Read "labgrid:PLACE" or "labgrid:TAG=VALUE,...", either with ",wait=TIME".

    Raises InputError.
    """
    place, tags, wait = "", dict[str, str](), 0.0
    for part in text.removeprefix(SCHEME).split(","):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if key == "wait" and equals:
            wait = _seconds(value, text)
        elif equals:
            tags[key] = value
        elif part.strip() and not place:
            place = part.strip()
        else:
            raise _unreadable(text)
    if bool(place) == bool(tags) or not all(key and value for key, value in tags.items()):
        raise _unreadable(text)
    return Wanted(place, tags, wait, coordinator)


def _seconds(value: str, where: str) -> float:
    wait = parse_duration(value) / PS_PER_S
    if wait < 0:
        raise InputError(f"{value!r} is no time to wait", where=where)
    return wait


def _unreadable(text: str) -> InputError:
    return InputError(
        f"{text!r} names no place of labgrid's",
        hint='write "labgrid:PLACE" or "labgrid:board=nucleo-f401", and ",wait=10min" to queue',
    )


@contextlib.contextmanager
def borrowed(wanted: Wanted, say: Callable[[str], None] = lambda _: None) -> Iterator[Borrowed]:
    """The place, while entered. ``say`` hears what takes time, in words.

    Raises RigError: labgrid is not installed, the coordinator cannot be reached, there is no
    such place, somebody else has it, or it lacks what a rig needs.
    """
    coordinator = wanted.coordinator or os.environ.get("LG_COORDINATOR") or COORDINATOR
    python = labgrid_python()
    deadline = time.monotonic() + wanted.wait_s
    with contextlib.ExitStack() as held:
        while True:
            left = max(0.0, deadline - time.monotonic())
            trial = held.enter_context(contextlib.ExitStack())
            agent = trial.enter_context(_asked(python, wanted, coordinator, left, say))
            place = replace(_read(agent.answer, coordinator), switch=agent.switch)
            name = f"labgrid {coordinator} {place.place}"
            try:
                trial.enter_context(locked(name))
            except RigError:
                # Nobody but us has it: another fwgen of ours.
                if not place.kept or time.monotonic() >= deadline:
                    by = f"another fwgen of yours{holder(name)}"
                    raise _taken(place.place, by, wanted) from None
                trial.close()
                time.sleep(AGAIN_S)
            else:
                break
        yield place


def _taken(place: str, by: str, wanted: Wanted) -> RigError:
    return RigError(f"the place {place} is in use by {by}{_still(wanted)}", hint=_queue(wanted))


def _still(wanted: Wanted) -> str:
    return f", still after {wanted.wait_s:g} s" if wanted.wait_s else ""


def _queue(wanted: Wanted) -> str:
    if wanted.wait_s:
        return '"labgrid-client who" tells who has what'
    return f'wait in the queue: --rig "{SCHEME}{wanted},wait=10min"'


# ---------------------------------------------------------------------------- labgrid's side


def labgrid_python() -> Path:
    """The Python that has labgrid: named by FWGEN_LABGRID, that of ``labgrid-client``, or ours.

    FWGEN_LABGRID may be an environment's folder, a Python, or a labgrid-client. Raises RigError
    when there is none.
    """
    named = os.environ.get(HOME)
    if named:
        found = _python_at(Path(named).expanduser())
        if found is None:
            raise RigError(f"there is no Python with labgrid at {named}", where=HOME, hint=INSTALL)
        return found
    client = shutil.which("labgrid-client")
    found = _python_at(Path(client)) if client else None
    if found is not None:
        return found
    if importlib.util.find_spec("labgrid") is not None:
        return Path(sys.executable)
    raise RigError("labgrid is not installed", hint=INSTALL)


def _python_at(path: Path) -> Path | None:
    """The Python of an environment, from its folder, or from something in its bin."""
    if path.is_file() and path.name.casefold().startswith("python"):
        return path
    folders = [path / "bin", path / "Scripts"] if path.is_dir() else [path.resolve().parent]
    for folder in folders:
        for name in ("python", "python3", "python.exe"):
            if (folder / name).is_file():
                return folder / name
    return None


@contextlib.contextmanager
def _asked(
    python: Path, wanted: Wanted, coordinator: str, wait_s: float, say: Callable[[str], None]
) -> Iterator[_Agent]:
    """The agent, with its answer; leaving gives the place back."""
    agent = Path(__file__).with_name("agent.py")
    try:
        process = subprocess.Popen(
            [python, agent],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # Ctrl-C is for us: the place is given back in order
        )
    except OSError as error:
        raise RigError(
            f"labgrid's Python does not start: {error.strerror}", where=str(python), hint=INSTALL
        ) from None
    order = {
        "coordinator": coordinator,
        "place": wanted.place,
        "tags": dict(wanted.tags),
        "wait_s": wait_s,
    }
    with process:
        try:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):  # it says why
                process.stdin.write(json.dumps(order) + "\n")
                process.stdin.flush()
            yield _Agent(process, _answer(process, wanted, coordinator, say), coordinator)
        finally:
            _end(process)


class _Agent:
    """Holds a place for us, and sets its outputs."""

    def __init__(
        self, process: subprocess.Popen[str], answer: dict[str, Any], coordinator: str
    ) -> None:
        self.answer = answer
        self._process, self._coordinator = process, coordinator
        self._lock = threading.Lock()

    def switch(self, output: str, on: bool) -> None:
        """Set an output; back when it is set. Raises RigError."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        with self._lock:
            with contextlib.suppress(OSError):  # it is gone: it does not answer
                process.stdin.write(json.dumps({"output": output, "on": on}) + "\n")
                process.stdin.flush()
            for line in process.stdout:
                try:
                    said = json.loads(line)
                except ValueError:
                    continue
                if said.get("event") == "set":
                    return
                raise _not_set(said, self._coordinator)
        raise RigError("labgrid gave the place up", where=self._coordinator)


def _not_set(said: Mapping[str, Any], coordinator: str) -> RigError:
    if said.get("why") == "no output":
        there = ", ".join(said["outputs"])
        return RigError(
            f"the place {said['place']} has no digital output {said['output']!r}",
            where=coordinator,
            hint=f"there is {there}" if there else "an exporter names it, and a match of the place",
        )
    return RigError(
        f"the digital output {said.get('output')!r} cannot be set: {said.get('said', said)}",
        where=coordinator,
    )


def _answer(
    process: subprocess.Popen[str], wanted: Wanted, coordinator: str, say: Callable[[str], None]
) -> dict[str, Any]:
    assert process.stdout is not None
    for line in process.stdout:
        try:
            said = json.loads(line)
        except ValueError:
            continue  # somebody in there prints
        if said.get("event") == "waiting":
            say(f"waiting for {wanted}: {_holders(said['holders'])}")
        elif said.get("event") == "error":
            raise _explained(said, wanted, coordinator)
        else:
            return dict(said)
    assert process.stderr is not None
    last = (process.stderr.read().strip().splitlines() or ["it says nothing"])[-1]
    raise RigError(f"labgrid does not work: {last}", where=str(process.args[0]))  # type: ignore[index]


def _end(process: subprocess.Popen[str]) -> None:
    """Let the agent give the place back."""
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.close()
    try:
        process.wait(GOODBYE_S)
    except subprocess.TimeoutExpired:
        process.kill()


def _holders(holders: Mapping[str, str]) -> str:
    who = [f"{place} is with {by}" if by else f"{place} is reserved"
           for place, by in sorted(holders.items())]  # fmt: skip
    return ", ".join(who)


# ---------------------------------------------------------------------------- words


def _explained(said: Mapping[str, Any], wanted: Wanted, coordinator: str) -> RigError:
    """What stood in the way, for people."""
    place = said.get("place", "")
    match said["why"]:
        case "no labgrid":
            return RigError(f"the Python {said['python']} has no labgrid that we can use "
                            f"({said['said']})", hint=INSTALL)  # fmt: skip
        case "unreachable" | "no address":
            return RigError(
                "labgrid's coordinator cannot be reached", where=coordinator,
                hint="does labgrid-coordinator run there? LG_COORDINATOR=HOST:PORT names another",
            )  # fmt: skip
        case "no such place":
            known: Sequence[str] = said["places"]
            listed = f"there is {', '.join(known)}" if known else "it has none"
            return RigError(f"labgrid has no place {place!r}", where=coordinator,
                            hint=did_you_mean(place, known) or listed)  # fmt: skip
        case "no place has the tags":
            tags = "; ".join(
                f"{name}: {', '.join(f'{k}={v}' for k, v in tags.items()) or 'no tags'}"
                for name, tags in said["places"].items()
            )
            return RigError(f"labgrid has no place with {wanted}", where=coordinator,
                            hint=tags or "it has no places")  # fmt: skip
        case "taken":
            return _held(said, wanted)
        case "empty":
            return RigError(
                f"the place {place} is made of nothing", where=coordinator,
                hint=f"labgrid-client -p {place} add-match 'EXPORTER/GROUP/*'",
            )  # fmt: skip
        case "not exported":
            return RigError(
                f"nobody exports what the place {place} is made of: {said['match']}",
                where=coordinator, hint="does the labgrid-exporter of that computer run?",
            )  # fmt: skip
        case "gone":
            return RigError(
                f"{said['resource']} of the place {place} is not there now", where=coordinator,
                hint=f"does the labgrid-exporter {said['exporter']} run, and is it plugged in?",
            )  # fmt: skip
        case "not acquired":
            others = ", ".join(f"{path} is with the place {by}"
                               for path, by in said["others"].items())  # fmt: skip
            return RigError(f"the place {place} cannot be acquired: {others or said['said']}",
                            where=coordinator)  # fmt: skip
        case "no tunnel":
            return RigError(
                f"ssh does not lead to {said['host']} through {said['proxy']}: {said['said']}",
                hint=f"try: ssh {said['proxy']}",
            )  # fmt: skip
        case _:
            detail = said.get("said") or said.get("state") or said["why"]
            return RigError(f"labgrid's coordinator refuses: {detail}", where=coordinator)


def _held(said: Mapping[str, Any], wanted: Wanted) -> RigError:
    holders: dict[str, str] = said["holders"]
    if len(holders) == 1:
        ((place, by),) = holders.items()
        return _taken(place, by or "who reserved it", wanted)
    return RigError(
        f"all {len(holders)} places with {wanted} are in use{_still(wanted)}: {_holders(holders)}",
        hint=_queue(wanted),
    )


# ---------------------------------------------------------------------------- a place as a rig


def _read(answer: Mapping[str, Any], coordinator: str) -> Borrowed:
    """What of a place makes it a rig."""
    place: str = answer["place"]
    resources: Sequence[Mapping[str, Any]] = answer["resources"]
    probe = _one(place, "probe", [r for r in resources if r["cls"] == PROBE])
    console = _one(place, "console", [r for r in resources if r["cls"] == PORT])
    analyser = _one(place, "analyser", [r for r in resources if r["cls"] == ANALYSER])
    if probe is None:
        usb = [r for r in resources if r["cls"].endswith("USBDebugger")]
        there = ", ".join(sorted({str(r["cls"]) for r in resources}))
        hint = (
            f'on {usb[0]["params"].get("host")}, let "pyocd server" serve it, and export a {PROBE}'
            if usb
            else f"export a {PROBE} with the host and the port of a pyocd server; it has {there}"
        )
        raise RigError(
            f"the place {place} has no debug probe that is served", where=coordinator, hint=hint
        )
    host, port = _address(probe, place)
    board = probe["params"].get("board") or answer["tags"].get("board") or ""
    return Borrowed(
        place,
        str(board),
        f"remote:{host}:{port}",
        _url(console, place) if console is not None else "",
        bool(answer["kept"]),
        "{}:{}".format(*_address(analyser, place)) if analyser is not None else "",
    )


def _one(
    place: str, name: str, found: Sequence[Mapping[str, Any]]
) -> Mapping[str, Any] | None:  # fmt: skip
    """The only one, or the one that bears the name."""
    if len(found) <= 1:
        return found[0] if found else None
    for resource in found:
        if resource["name"] == name:
            return resource
    listed = ", ".join(str(r["name"]) for r in found)
    raise RigError(
        f"the place {place} has {len(found)} of {found[0]['cls']}, and I do not guess: {listed}",
        hint=f"name one: labgrid-client -p {place} add-named-match PATTERN {name}",
    )


def _address(resource: Mapping[str, Any], place: str) -> tuple[str, int]:
    try:
        host, port = resource["address"]
    except KeyError:
        raise RigError(
            f"the {resource['cls']} of the place {place} has no host and port",
            hint="the exporter's configuration names both",
        ) from None
    return str(host), int(port)


def _url(resource: Mapping[str, Any], place: str) -> str:
    """What pyserial opens."""
    host, port = _address(resource, place)
    raw = resource["params"].get("protocol", "rfc2217") == "raw"
    # Servers may not answer to control lines; no board of ours has them wired.
    return f"socket://{host}:{port}" if raw else f"rfc2217://{host}:{port}?ign_set_control"
