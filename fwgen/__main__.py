"""``python -m fwgen``."""

from fwgen.cli.main import main

main()
