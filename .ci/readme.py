"""Runs every command of the README's ``console`` blocks, as a new user would type it.

A line that begins with "$ " is a command. Commands that install uv or run the tests are left to
the rest of CI, which runs them anyway. Each must exit with 0; what the block shows below a
command must appear in its output (a line "..." stands for anything).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ELSEWHERE = ("git clone", "cd ", "uv run pytest")  # run by CI itself, or by the reader


def commands(text: str) -> list[tuple[str, list[str]]]:
    """Each command with the lines shown below it."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif found and line.strip() and line.strip() != "...":
                found[-1][1].append(line.strip())
    return found


def main() -> int:
    """Run them all; returns the number that went wrong."""
    wrong = 0
    with tempfile.TemporaryDirectory() as scratch:
        environment = os.environ | {"UV_PROJECT": str(ROOT), "COLUMNS": "100", "NO_COLOR": "1"}
        for command, shown in commands((ROOT / "README.md").read_text(encoding="utf-8")):
            # "python3 -m pip install uv && uv run ..." : uv is there already
            body = re.sub(r"^python3 -m pip install uv && ", "", command)
            if body.startswith(ELSEWHERE):
                continue
            body = body.replace("uv run ", "uv run --no-sync ")
            done = subprocess.run(
                body, shell=True, cwd=scratch, env=environment, text=True, timeout=120,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
            )  # fmt: skip
            flat = " ".join(done.stdout.split())
            missing = [line for line in shown if " ".join(line.split()) not in flat]
            ok = done.returncode == 0 and not missing
            print(f"{'ok ' if ok else 'BAD'} $ {command}")
            if not ok:
                wrong += 1
                print(done.stdout)
                for line in missing:
                    print(f"    not shown: {line}")
    return wrong


if __name__ == "__main__":
    sys.exit(min(main(), 1))
