"""Programs outside: pyocd by its command line, gdb, and the list of boards that run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from fwgen.errors import BenchError
from fwgen.image.write import write_elf, write_hex
from fwgen.rig.targets import register
from fwgen.virtual import registry
from fwgen.virtual.server import Served
from tests.machine.core.firmware import firmware

from .conftest import BOARD, COUNTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fwgen.image.types import Image
    from fwgen.virtual.board import VirtualBoard

GDB = shutil.which("gdb-multiarch")
PATIENCE_S = 100
OPTIONS: dict[str, object] = {"telnet_port": 0, "semihost_console_type": "off"}


@pytest.fixture
def running(make: Callable[..., VirtualBoard]) -> Iterator[Callable[..., Served]]:
    """Boards that run and are served."""
    entered: list[Served] = []

    def serve(image: Image | None = None, **options: object) -> Served:
        board = make(image)
        board.start_free_running()
        served = Served(board, target=register(BOARD), options=OPTIONS, **options)  # type: ignore[arg-type]
        entered.append(served.__enter__())
        return served

    yield serve
    for one in entered:
        one.__exit__()


def pyocd(*arguments: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "pyocd", *arguments],
        capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    return ran.stdout + ran.stderr


def test_pyocd_lists_flashes_and_looks_into_a_board_that_runs(
    running: Callable[..., Served], counts: Image, tmp_path: Path
) -> None:
    served = running()
    uid = served.board.uid
    listed = pyocd("list")
    assert uid in listed
    assert BOARD.title in listed
    write_hex(counts, tmp_path / "counts.hex")
    assert "programmed" in pyocd("flash", "-u", uid, str(tmp_path / "counts.hex"))
    start = counts.segments[0]
    assert served.board.flash()[: len(start.data)] == start.data
    said = pyocd(
        "cmd", "-u", uid, "-c", "status", "-c", "halt", "-c", "reg r6", "-c", "read32 0x20000100"
    )
    assert "Running" in said
    assert re.search(r"20000100: +[0-9a-f]{8}", said)


def test_a_remote_probe_by_host_and_port(running: Callable[..., Served], counts: Image) -> None:
    served = running(counts)
    said = pyocd(
        "cmd", "-u", f"remote:localhost:{served.remote}", "-t", "cortex_m",
        "-c", "halt", "-c", "read32 0xe0042000",
    )  # fmt: skip
    assert "10006433" in said


def test_the_list_forgets_what_is_gone(tmp_path: Path) -> None:
    here = registry.Running("HERE", "nucleo-f401", "title", 1, os.getpid())
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with registry.announced(here):
        path = registry.folder() / "GONE.json"
        path.write_text(json.dumps({
            "uid": "GONE", "board": "b", "title": "t", "port": 1, "pid": gone.pid, "serial": "",
        }))  # fmt: skip
        (registry.folder() / "broken.json").write_text("{")
        assert registry.running() == [here]
        assert not path.exists()
    assert registry.running() == []


def test_a_port_that_is_taken_is_told(
    running: Callable[..., Served], make: Callable[..., VirtualBoard]
) -> None:
    served = running()
    with pytest.raises(BenchError, match=f"port {served.remote} cannot be served"):
        Served(make(), remote=served.remote).__enter__()


@pytest.mark.skipif(GDB is None, reason="gdb-multiarch is not installed")
def test_gdb_loads_breaks_steps_looks_and_resets(
    running: Callable[..., Served], tmp_path: Path
) -> None:
    image = firmware(COUNTS)
    places = {s.name: s.address for s in image.symbols}
    write_elf(image, tmp_path / "counts.elf")
    served = running(gdb=0)
    script = f"""
set confirm off
set pagination off
set height 0
target remote localhost:{served.gdb}
load
monitor reset halt
maintenance flush register-cache
printf "at reset: pc=%#x sp=%#x\\n", $pc, $sp
break work
continue
printf "first: pc=%#x r5=%d\\n", $pc, $r5
continue
printf "second: r5=%d\\n", $r5
delete
stepi
printf "stepped: pc=%#x r6=%d\\n", $pc, $r6
set var $r5 = 41
watch *(unsigned int*)0x20000100
continue
printf "watched: %d\\n", *(unsigned int*)0x20000100
delete
set var *(unsigned int*)0x20000104 = 0xcafe
printf "ram: %#x\\n", *(unsigned int*)0x20000104
monitor reset halt
maintenance flush register-cache
printf "again: pc=%#x\\n", $pc
detach
"""
    (tmp_path / "script.gdb").write_text(script)
    ran = subprocess.run(
        [str(GDB), "-nx", "-batch", "-x", "script.gdb", "counts.elf"],
        cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    said = ran.stdout
    work = places["work"] + 2  # gdb takes its first instruction for a prologue
    assert "Transfer rate" in said, ran.stderr
    assert f"at reset: pc={image.entry & ~1:#x} sp=0x20018000" in said
    assert re.search(rf"first: pc=({places['work']:#x}|{work:#x}) r5=1\n", said)
    assert "second: r5=2\n" in said
    assert re.search(r"stepped: pc=0x80001[0-9a-f]{2} r6=[79]\n", said)
    assert "watched: 41\n" in said
    assert "ram: 0xcafe\n" in said
    assert f"again: pc={image.entry & ~1:#x}\n" in said
    assert served.board.flash()[: len(image.segments[0].data)] == image.segments[0].data
