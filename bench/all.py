"""Every bench, one after the other; ``--write`` renews the tables of docs/bench.md.

    uv run python bench/all.py [--write]

Best on a machine with nothing else to do. The exit code is 1 when one of them missed a bar.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

import tools


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--write", action="store_true", help="renew the tables of docs/bench.md")
    passed = ["--write"] if options.parse_args().write else []
    missed = False
    for name in ("start", "size", "speed", "flash", "remote"):
        command = [sys.executable, str(tools.BENCH / f"{name}.py"), *passed]
        missed |= subprocess.run(command, check=False).returncode != 0
        print(flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
