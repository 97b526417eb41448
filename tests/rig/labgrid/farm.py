"""A farm on this computer: labgrid's own coordinator, exporter and client, and virtual boards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOT = Path(__file__).parents[3]
ENVIRONMENT = ROOT / ".farm" / "labgrid"
PATIENCE_S = 60
COMPILED = {
    # Programs are started by the dozen: what they import is compiled once, also where the
    # environment says that nothing is to be kept beside its source.
    "PYTHONDONTWRITEBYTECODE": "",
    "PYTHONPYCACHEPREFIX": str(ROOT / ".farm" / "compiled"),
}


@dataclass(frozen=True)
class Farm:
    """A coordinator at an address, and the boards behind it by place."""

    folder: Path
    coordinator: str
    boards: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def client(self, *arguments: str, user: str = "", **options: Any) -> Any:
        """Run labgrid-client."""
        return subprocess.run(
            [ENVIRONMENT / "bin" / "labgrid-client", "-x", self.coordinator, *arguments],
            env=environment(user=user),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
            **options,
        )

    def add_places(self, places: Mapping[str, Any]) -> None:
        """Create places, all at once."""
        script = Path(__file__).with_name("places.py")
        subprocess.run(
            [ENVIRONMENT / "bin" / "python", script, self.coordinator],
            input=json.dumps(places),
            text=True,
            check=True,
            timeout=PATIENCE_S,
        )


def environment(*, user: str = "") -> dict[str, str]:
    """What labgrid's programs and their users see: who they are, on which computer."""
    return {**os.environ, **COMPILED, "LG_HOSTNAME": "desk", "LG_USERNAME": user or "me"}


@contextmanager
def process(*line: str | Path, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A program while entered, on a leash: it ends with us, also when we are killed."""
    leash = Path(__file__).with_name("leash.py")
    options.setdefault("env", {**os.environ, **COMPILED})
    started = subprocess.Popen(
        [sys.executable, "-I", "-S", leash, *line],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        cwd=options.pop("cwd", ROOT), **options,
    )  # fmt: skip
    try:
        yield started
    finally:
        assert started.stdin is not None
        started.stdin.close()
        started.terminate()
        try:
            started.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()
        assert started.stdout is not None
        started.stdout.close()


def said(program: subprocess.Popen[str], what: str) -> str:
    """The first line with these words."""
    assert program.stdout is not None
    for line in program.stdout:
        if what in line:
            return line
    raise AssertionError(f"{program.args!r} ended and did not say {what!r}")


@contextmanager
def boards(count: int) -> Iterator[list[dict[str, Any]]]:
    """Virtual boards in a process of their own: where their probes and their consoles are."""
    module = f"{__package__}.boards"
    with process(sys.executable, "-m", module, str(count)) as running:
        yield json.loads(said(running, "["))


@contextmanager
def held(farm: Farm) -> Iterator[Callable[[], int]]:
    """While entered, counts; then gives how many places were acquired at once, at most."""
    script = Path(__file__).with_name("held.py")
    most = 0
    with process(ENVIRONMENT / "bin" / "python", script, farm.coordinator) as running:
        said(running, "watching")
        yield lambda: most
        assert running.stdin is not None
        running.stdin.close()
        most = int(said(running, ""))


def fwgens(farm: Farm, *lines: tuple[object, ...], folder: Path) -> list[dict[str, Any]]:
    """Runs fwgen with these arguments, all at once; what each said, and its exit code."""
    ran = subprocess.run(
        [sys.executable, "-m", f"{__package__}.clients"],
        cwd=ROOT,
        env=environment() | {
            "LG_COORDINATOR": farm.coordinator,
            "FWGEN_LABGRID": str(ENVIRONMENT),
            "FWGEN_DATA": str(folder),
        },
        input=json.dumps([[str(argument) for argument in line] for line in lines]),
        stdout=subprocess.PIPE,
        text=True,
        timeout=3 * PATIENCE_S,
        check=True,
    )  # fmt: skip
    return list(json.loads(ran.stdout))


@contextmanager
def coordinator(folder: Path) -> Iterator[Farm]:
    """A coordinator that knows nothing yet; it keeps its state in the folder."""
    program = ENVIRONMENT / "bin" / "labgrid-coordinator"
    with (
        (folder / "coordinator.log").open("w") as log,
        process(program, "--listen", "127.0.0.1:0", cwd=folder, stderr=log) as running,
    ):
        port = said(running, "listening on").strip().rpartition(":")[2]
        with draining(running, folder / "coordinator.out"):
            yield Farm(folder, f"127.0.0.1:{port}")


@contextmanager
def draining(program: subprocess.Popen[str], into: Path) -> Iterator[None]:
    """Its output goes to a file from here on: a full pipe would stop it."""
    with into.open("w") as file:
        copy = subprocess.Popen(["cat"], stdin=program.stdout, stdout=file)
        yield
    copy.terminate()
    copy.wait()


@contextmanager
def exporter(
    farm: Farm, name: str, resources: Mapping[str, Any], *options: str
) -> Iterator[None]:  # fmt: skip
    """The exporter of labgrid's, as it is, with a configuration."""
    config = farm.folder / f"{name}.yaml"
    config.write_text(json.dumps(resources))  # JSON is YAML
    program = ENVIRONMENT / "bin" / "labgrid-exporter"
    known = ("-c", farm.coordinator, "-n", name, "--hostname", "127.0.0.1")
    with (
        (farm.folder / f"{name}.log").open("w") as log,
        process(program, *known, *options, config, cwd=farm.folder, stderr=log) as running,
    ):
        said(running, "Exporter ready")
        with draining(running, farm.folder / f"{name}.out"):
            yield


def resources(board: Mapping[str, Any]) -> dict[str, Any]:
    """A board in an exporter's configuration: the page says it like this."""
    return {
        "NetworkDebugProbe": {"host": "127.0.0.1", "port": board["probe"], "board": "nucleo-f401"},
        "NetworkSerialPort": {"host": "127.0.0.1", "port": board["console"], "speed": 115200},
        **(
            {"NetworkBoardAnalyser": {"host": "127.0.0.1", "port": board["analyser"]}}
            if "analyser" in board
            else {}
        ),
    }


@contextmanager
def farm_of(folder: Path, count: int) -> Iterator[Farm]:
    """A farm of virtual boards: places p1, p2 ... with the tag board=nucleo-f401."""
    with boards(count) as found, coordinator(folder) as empty:
        by_place = {f"p{number}": board for number, board in enumerate(found, 1)}
        with exporter(empty, "farm-1", {place: resources(b) for place, b in by_place.items()}):
            farm = Farm(folder, empty.coordinator, by_place)
            farm.add_places(
                {
                    place: {"match": [f"farm-1/{place}/*"], "tags": {"board": "nucleo-f401"}}
                    for place in by_place
                }
            )
            yield farm
