"""``fwgen mcp``: boards, the machine and the rig as tools for an editor's agent."""

from __future__ import annotations

import contextlib
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from fwgen.errors import InputError

INSTALL = 'install it: python3 -m pip install "fwgen[mcp]"'

BY_HAND = "fwgen mcp: an editor starts this (docs/editor.md); it speaks JSON here, Ctrl-C ends it"


def mcp(
    *,
    http: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT",
            help="Serve over HTTP on this computer. [default: stdin and stdout]",
        ),
    ] = "",
    folder: Annotated[
        Path | None, typer.Option(help="Files in it may be read. [default: the current one]")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Results go below it. [default: fwgen-out in the folder]"),
    ] = None,
    allow_flash: Annotated[
        bool,
        typer.Option(
            "--allow-flash", help="Write to boards without asking what has passed; restore, too."
        ),
    ] = False,
    run_limit: Annotated[
        str, typer.Option(metavar="TIME", help="Longest time that one run may take here.")
    ] = "60 s",
) -> int:
    """Serve fwgen to agents (Copilot, Cursor, Claude Code ...) by the Model Context Protocol.

    Their model emits the machine code, fwgen proves it. An editor starts this by itself: see
    docs/editor.md. Exit codes: 0 the client left, 2 error.
    """
    from fwgen.units import PS_PER_S, parse_duration

    if find_spec("mcp") is None:
        raise InputError("the MCP SDK is not installed", hint=INSTALL)
    run_s = parse_duration(run_limit) / PS_PER_S
    if not 1 <= run_s <= 3600:
        raise InputError(f"--run-limit {run_limit!r} is out of reason", hint='from "1 s" to "1 h"')
    readable = _folder(folder)
    from fwgen.mcp_server.server import parse_place, serve_http, serve_stdio
    from fwgen.mcp_server.workshop import Settings

    settings = Settings(readable, out and out.resolve(), allow_flash, run_s)
    with contextlib.suppress(KeyboardInterrupt):  # how a server is ended
        if http:
            host, port = parse_place(http)
            serve_http(settings, host, port, lambda url: typer.echo(f"fwgen mcp: {url}", err=True))
        else:
            if sys.stdin.isatty():
                typer.echo(BY_HAND, err=True)
            serve_stdio(settings)
    return 0


def _folder(named: Path | None) -> Path:
    """The folder that may be read. Raises InputError for one that would be everything."""
    folder = (named or Path()).resolve()
    if not folder.is_dir():
        raise InputError("there is no such folder", where=f"--folder {named}")
    if folder == folder.parent:  # where some editors start what they start
        raise InputError(
            f"an agent may not read all of {folder}", hint="name your project: --folder PROJECT"
        )
    return folder
