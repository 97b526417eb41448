"""The command itself, on stdin and stdout, with the SDK's client at the other end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from fwgen.cli.main import run

from .conftest import (
    BOARD,
    ENDLESS,
    LINUX,
    MODES,
    command,
    contract_of,
    data_of,
    emission_of,
    over_pipes,
    text_of,
    until,
    workers,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("mode", MODES)
async def test_the_whole_way_from_a_sentence_to_a_proven_firmware(
    tmp_path: Path, mode: str
) -> None:
    progress: list[str] = []

    async def hear(_progress: float, _total: float | None, message: str | None) -> None:
        progress.append(message or "")

    async with over_pipes(tmp_path, mode=mode) as client:
        assert client.instructions
        read = data_of(
            await client.call_tool(
                "contract_from_prompt", {"prompt": "turn on LED", "board": BOARD}
            )
        )
        asked = {"board": BOARD, "contract": read["contract"]}
        guide = data_of(await client.call_tool("emission_guide", asked))["guide"]
        assert "ENCODINGS" in guide
        emission = emission_of("turn on LED")
        told = data_of(
            await client.call_tool(
                "verify", {**asked, "emission": emission}, progress_callback=hear
            )
        )
        assert told["outcome"] == "pass"
        saved = data_of(await client.call_tool("save", {**asked, "image": told["image"]}))
        flashed = data_of(
            await client.call_tool("flash", {**asked, "image": told["image"], "rig": "virtual"})
        )
    assert any("2.01 s of the board's time" in said for said in progress)
    assert Path(saved["folder"]).is_relative_to(tmp_path)
    assert flashed["outcome"] == "flashed"


def exchange(messages: Sequence[dict[str, Any]], folder: Path) -> tuple[list[str], str, int]:
    """What a server answers to lines on its stdin, one by one: its stdout, stderr, exit code."""
    with subprocess.Popen(
        command(), cwd=folder, text=True, encoding="utf-8", env=os.environ.copy(),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        lines = []
        for message in messages:
            process.stdin.write(json.dumps(message) + "\n")
            process.stdin.flush()
            while "id" in message:
                lines.append(process.stdout.readline())
                if not lines[-1] or json.loads(lines[-1]).get("id") == message["id"]:
                    break
        process.stdin.close()
        lines += process.stdout.readlines()
        errors = process.stderr.read()
        return lines, errors, process.wait(timeout=60)


def test_stdout_is_the_protocols_alone_and_the_end_of_stdin_is_the_end(tmp_path: Path) -> None:
    def call(number: int, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        params = {"name": name, "arguments": arguments}
        return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}

    hello = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "a test", "version": "1"},
    }
    asked = {"board": BOARD, "contract": contract_of("turn on LED")}
    verify = {**asked, "emission": emission_of("turn on LED")}
    lines, errors, code = exchange(
        [
            {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            call(2, "list_rigs", {}),  # pyocd, libusb: what likes to print
            call(3, "verify", verify),
            call(4, "doctor", {"board": BOARD}),
            call(5, "no_such_tool", {}),
            call(6, "explain", {"board": "nowhere", "image": "x"}),
        ],
        tmp_path,
    )
    answers = [json.loads(line) for line in lines]
    assert all(answer["jsonrpc"] == "2.0" for answer in answers)
    assert [a["id"] for a in answers if "id" in a] == [1, 2, 3, 4, 5, 6]
    by_id = {answer["id"]: answer["result"] for answer in answers if "id" in answer}
    assert by_id[3]["structuredContent"]["outcome"] == "pass"
    assert by_id[6]["isError"]
    assert "Traceback" not in errors
    assert code == 0


@LINUX
async def test_a_client_that_cancels_ends_the_run_at_once(tmp_path: Path) -> None:
    async with over_pipes(tmp_path) as client:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(client.call_tool, "run", ENDLESS)
                await until(workers)
                scope.cancel()
        await until(lambda: not workers())
        data_of(await client.call_tool("list_boards", {}))  # and the server goes on


@LINUX
async def test_a_client_that_leaves_takes_its_runs_with_it(tmp_path: Path) -> None:
    async with over_pipes(tmp_path) as client, anyio.create_task_group() as group:
        group.start_soon(client.call_tool, "run", ENDLESS)
        await until(workers)
        group.cancel_scope.cancel()
    await until(lambda: not workers())


@LINUX
def test_a_server_whose_stdin_ends_in_the_middle_of_a_run_ends_with_its_worker(
    tmp_path: Path,
) -> None:
    hello = {"protocolVersion": "2025-06-18", "capabilities": {},
             "clientInfo": {"name": "a test", "version": "1"}}  # fmt: skip
    messages = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call",
         "params": {"name": "run", "arguments": ENDLESS}},
    ]  # fmt: skip
    with subprocess.Popen(
        command(), cwd=tmp_path, text=True, env=os.environ.copy(),
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        for message in messages:
            process.stdin.write(json.dumps(message) + "\n")
            process.stdin.flush()
        _wait(lambda: workers(process.pid))
        (worker,) = workers(process.pid)
        process.stdin.close()
        assert process.wait(timeout=60) == 0
    _wait(lambda: not Path(f"/proc/{worker}").exists())


def _wait(true: Any) -> None:
    deadline = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


async def test_a_run_is_bounded_by_the_servers_limit(tmp_path: Path) -> None:
    async with over_pipes(tmp_path, "--run-limit", "1 s") as client:
        told = data_of(await client.call_tool("run", {**ENDLESS, "limit": 1}))
    assert any("more than 1 s of wall time" in gap for gap in told["gaps"])


def test_a_signal_ends_it_quietly(tmp_path: Path) -> None:
    with subprocess.Popen(
        command(), cwd=tmp_path, text=True, env=os.environ.copy(),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        hello = {"protocolVersion": "2025-06-18", "capabilities": {},
                 "clientInfo": {"name": "a test", "version": "1"}}  # fmt: skip
        message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
        process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()
        assert "result" in json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert (out, errors) == ("", "")


# ---------------------------------------------------------------------------- the command line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--folder", "nowhere"], "there is no such folder"),
        (["--folder", "/"], "may not read all of /"),
        (["--run-limit", "2 days"], "days"),
        (["--run-limit", "0 s"], "out of reason"),
        (["--http", "8000x"], "is no place"),
        (["--http", "0.0.0.0:8000"], "more than this computer"),
        (["--http", "example.org:8000"], "more than this computer"),
        (["--http", "127.0.0.1:70000"], "is no place"),
    ],
)
def test_what_it_cannot_do_is_told_at_once(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["mcp", *arguments]) == 2
    out, err = capsys.readouterr()
    assert said in " ".join(err.split())
    assert out == ""


def test_without_the_sdk_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("fwgen.cli.mcp.find_spec", lambda _name: None)
    assert run(["mcp"]) == 2
    assert 'python3 -m pip install "fwgen[mcp]"' in " ".join(capsys.readouterr().err.split())


def test_what_it_says_to_install_is_an_extra() -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    extra = project["project"]["optional-dependencies"]["mcp"]
    assert extra[0] in project["dependency-groups"]["dev"]


def test_help_and_everything_else_do_without_the_sdk() -> None:
    asked = (
        "import sys; from fwgen.cli.main import run; run(['boards']); run(['mcp', '--help']); "
        "print([name for name in ('mcp', 'starlette', 'anyio') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"


async def test_an_error_has_no_traceback(tmp_path: Path) -> None:
    async with over_pipes(tmp_path) as client:
        result = await client.call_tool("verify", {"board": BOARD})
    assert result.is_error
    assert "Traceback" not in text_of(result)
    assert "contract" in text_of(result)
