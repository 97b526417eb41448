"""Several ``fwgen`` at once, each in a process of its own.

``python -m tests.rig.labgrid.clients`` reads a list of command lines (JSON) from its input, runs
all of them at once, and prints what each said: [{"code": 0, "out": ..., "err": ...}, ...]. What
is imported is imported once: the processes are forks.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import pyocd.coresight.coresight_target
import pyocd.probe.tcp_client_probe  # noqa: F401 - what takes long
import serial.rfc2217  # noqa: F401

import fwgen.hil.place
import fwgen.pipeline
import fwgen.rig.bench
import fwgen.rig.flash
import fwgen.verdict.compare  # noqa: F401
from fwgen.cli.main import main as fwgen_main


def start(line: list[str], out: Path, err: Path) -> int:
    """A fwgen of its own; its process id."""
    child = os.fork()
    if child:
        return child
    for path, number in ((out, 1), (err, 2)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, number)
    code = 1
    try:
        fwgen_main(line)
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    lines = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as folder:
        files = [(Path(folder, f"{n}.out"), Path(folder, f"{n}.err")) for n in range(len(lines))]
        children = [start(line, *pair) for line, pair in zip(lines, files, strict=True)]
        ran = []
        for child, (out, err) in zip(children, files, strict=True):
            _, status = os.waitpid(child, 0)
            code = os.waitstatus_to_exitcode(status)
            ran.append({"code": code, "out": out.read_text(), "err": err.read_text()})
    print(json.dumps(ran), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
