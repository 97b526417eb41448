"""What is heavy is imported when it is used."""

from __future__ import annotations

import subprocess
import sys


def test_the_command_line_does_not_import_pyserial_before_a_port_is_wanted() -> None:
    code = (
        "import sys\n"
        "from fwgen.cli.main import build\n"
        "from typer.main import get_command\n"
        "get_command(build())\n"
        "import fwgen.virtual.serial, fwgen.rig.serial\n"
        "assert 'serial' not in sys.modules, 'pyserial was imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
