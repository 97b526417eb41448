"""The server over streamable HTTP, for clients on this computer only."""

from __future__ import annotations

import http.client
import json
import signal
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
import pytest
from mcp import Client

from fwgen.cli.main import run

from .conftest import (
    BOARD,
    ENDLESS,
    LINUX,
    MODES,
    contract_of,
    data_of,
    emission_of,
    over_http,
    until,
    workers,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("mode", MODES)
async def test_two_clients_at_once_share_what_was_proven(tmp_path: Path, mode: str) -> None:
    asked = {"board": BOARD, "contract": contract_of("turn on LED")}
    names: list[str] = []

    async def one(url: str) -> None:
        async with Client(url, mode=mode) as client:
            told = data_of(
                await client.call_tool("verify", {**asked, "emission": emission_of("turn on LED")})
            )
            assert told["outcome"] == "pass"
            names.append(told["image"])
            data_of(await client.call_tool("explain", {"board": BOARD, "image": told["image"]}))

    with over_http(tmp_path) as (url, process):
        async with anyio.create_task_group() as group:
            group.start_soon(one, url)
            group.start_soon(one, url)
        process.send_signal(signal.SIGTERM)
        out, errors = process.communicate(timeout=60)
    assert len(set(names)) == 1
    assert out == ""
    assert "Traceback" not in errors


@LINUX
@pytest.mark.parametrize("mode", MODES)
async def test_a_client_that_cancels_ends_the_run_at_once(tmp_path: Path, mode: str) -> None:
    with over_http(tmp_path) as (url, process):
        async with Client(url, mode=mode) as client:
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as group:
                    group.start_soon(client.call_tool, "run", ENDLESS)
                    await until(lambda: workers(process.pid))
                    scope.cancel()
            await until(lambda: not workers(process.pid))
            data_of(await client.call_tool("list_boards", {}))


def post(url: str, headers: dict[str, str]) -> int:
    there = urlsplit(url)
    assert there.hostname is not None
    connection = http.client.HTTPConnection(there.hostname, there.port, timeout=60)
    message = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    usual = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    connection.request("POST", there.path, json.dumps(message), usual | headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_web_page_cannot_reach_it_by_another_name(tmp_path: Path) -> None:
    with over_http(tmp_path) as (url, _process):
        assert post(url, {"Host": "evil.example:80"}) == 421
        assert post(url, {"Origin": "https://evil.example"}) == 403
        assert post(url, {"Content-Type": "text/plain"}) == 400
        assert post(url, {}) not in (403, 421)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it(tmp_path: Path, number: signal.Signals) -> None:
    with over_http(tmp_path) as (_url, process):
        process.send_signal(number)
        out, errors = process.communicate(timeout=60)
    assert out == ""
    assert "Traceback" not in errors
    assert process.returncode in (0, -number)


def test_a_port_that_is_taken_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run(["mcp", "--http", f"127.0.0.1:{port}"]) == 2
    assert "cannot listen" in " ".join(capsys.readouterr().err.split())
