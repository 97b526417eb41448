"""Servers as a client has them: in this process, over pipes, over HTTP. Nothing of the user's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from mcp import Client, StdioServerParameters

from fwgen.board import load_board
from fwgen.image.wire import dump_emission
from fwgen.mcp_server.server import make_server
from fwgen.mcp_server.workshop import Settings
from fwgen.model.embedded.model import EmbeddedModel
from tests.cli.firmware import hex_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from mcp_types import CallToolResult

BOARD = "nucleo-f401"
BLINK = "blink LED at 2Hz"
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
# An hour of this takes longer than anybody waits.
ENDLESS = {"board": BOARD, "image": hex_of("compute").decode(), "span": "1 h"}
MODES = ["legacy", "auto"]  # of before and after 2026-07-28, in which questions travel otherwise


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def nothing_of_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FWGEN_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("FWGEN_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def no_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """No probe of whoever runs the tests is found, or touched."""
    from pyocd.probe import aggregator

    monkeypatch.setattr(aggregator, "PROBE_CLASSES", {})


@cache
def contract_of(prompt: str = BLINK) -> str:
    from fwgen.contract import dump_contract

    board = load_board(BOARD)
    return dump_contract(EmbeddedModel().read(prompt, board).contract, board)


@cache
def _emission_text(prompt: str) -> str:
    model, board = EmbeddedModel(), load_board(BOARD)
    return dump_emission(model.emit(model.read(prompt, board)))


def emission_of(prompt: str = BLINK) -> dict[str, Any]:
    """What a model that knows its trade emits."""
    found: dict[str, Any] = json.loads(_emission_text(prompt))
    return found


def text_of(result: CallToolResult) -> str:
    """What a model reads of an answer."""
    return "\n".join(block.text for block in result.content)  # type: ignore[union-attr]


def data_of(result: CallToolResult) -> dict[str, Any]:
    """What a program reads of an answer; the client has held it against the schema."""
    assert not result.is_error, text_of(result)
    assert result.structured_content is not None
    return dict(result.structured_content)


@asynccontextmanager
async def here(
    folder: Path, *, mode: str = "auto", allow_flash: bool = False, **options: Any
) -> AsyncIterator[Client]:
    """A server in this process."""
    server = make_server(Settings(folder, allow_flash=allow_flash, run_s=60.0))
    async with Client(server, mode=mode, **options) as client:
        yield client


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "fwgen", "mcp", *arguments]


@asynccontextmanager
async def over_pipes(
    folder: Path, *arguments: str, mode: str = "auto", **options: Any
) -> AsyncIterator[Client]:
    """A server of its own process, on stdin and stdout."""
    program, *rest = command(*arguments)
    server = StdioServerParameters(
        command=program, args=rest, cwd=str(folder), env=dict(os.environ)
    )
    async with Client(server, mode=mode, **options) as client:
        yield client


@contextmanager
def over_http(folder: Path, *arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A server of its own process; its URL."""
    with subprocess.Popen(
        command("--http", "127.0.0.1:0", *arguments), cwd=folder, text=True, env=os.environ.copy(),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        try:
            line = process.stderr.readline()
            assert line.startswith("fwgen mcp: http://127.0.0.1:"), line + process.stderr.read()
            yield line.removeprefix("fwgen mcp: ").strip(), process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=60)


def workers(server: int | None = None) -> list[int]:
    """The confined workers that run, of one server or of any started here."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            mine = os.environ["FWGEN_DATA"].encode() in (
                Path(f"/proc/{parent}/environ").read_bytes() if parent > 1 else b""
            )
        except (OSError, ValueError):
            continue
        if b"fwgen.machine.confined" in words and (parent == server or (server is None and mine)):
            found.append(int(entry.name))
    return found


async def until(true: Any) -> None:
    """Wait for it; a test that waits for ever fails."""
    with anyio.fail_after(120):
        while not true():
            await anyio.sleep(0.05)
