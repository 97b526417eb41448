"""Where the command line prints: a screen for people, one JSON object for programs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fwgen.report.layout import Screen


def screen(*, stderr: bool = False) -> Screen:
    """A console for people."""
    from fwgen.report.layout import Screen

    return Screen(stderr=stderr)


def put_json(data: Mapping[str, object]) -> None:
    """Print the one JSON object of a command."""
    from fwgen.report.data import to_json

    put(to_json(dict(data)))


def put(text: str) -> None:
    """Print text as it is; a reader that went away is no error."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        from fwgen.report.layout import silence

        silence(sys.stdout)
