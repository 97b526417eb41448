"""docs/editor.md tells the truth: its session runs as it stands, its files start this server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from fwgen.cli.main import build
from fwgen.mcp_server.server import TOOLS, make_server
from fwgen.mcp_server.workshop import Settings
from tests.cli.test_docs import looks_like

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "editor.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.M | re.S)


def test_the_session_goes_as_shown(tmp_path: Path) -> None:
    (code,), (shown,) = blocks("python"), blocks("text")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PATH": path},
        capture_output=True, text=True, encoding="utf-8", timeout=300, check=True,
    )  # fmt: skip
    assert looks_like(shown, ran.stdout), ran.stdout
    assert (tmp_path / "fwgen-out" / "turn-on-led-nucleo-f401" / "firmware.hex").is_file()


def servers() -> list[tuple[str, dict[str, Any]]]:
    """Each editor's file: the key that its servers stand under, and ours."""
    found = []
    for block in blocks("json"):
        data = json.loads(block)
        (key,) = data
        assert set(data[key]) == {"fwgen"}
        found.append((key, data[key]["fwgen"]))
    return found


def test_every_editors_file_has_the_keys_that_its_maker_asks_for() -> None:
    vs_code, cursor, claude = servers()
    assert vs_code[0] == "servers"
    assert cursor[0] == claude[0] == "mcpServers"
    assert vs_code[1]["type"] == claude[1]["type"] == "stdio"
    for _, server in servers():
        assert set(server) <= {"type", "command", "args", "env"}
        assert isinstance(server["args"], list)


@pytest.mark.parametrize("number", range(3))
def test_what_an_editor_starts_is_this_server(number: int, tmp_path: Path) -> None:
    server = servers()[number][1]
    assert server["command"] == "fwgen"
    arguments = [word.replace("${workspaceFolder}", str(tmp_path)) for word in server["args"]]
    hello = {
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {},
                   "clientInfo": {"name": "an editor", "version": "1"}},
    }  # fmt: skip
    ran = subprocess.run(
        [sys.executable, "-m", "fwgen", *arguments], input=f"{json.dumps(hello)}\n", cwd=tmp_path,
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert json.loads(ran.stdout)["result"]["serverInfo"]["name"] == "fwgen"


def test_every_tool_and_option_is_on_the_page_and_no_other() -> None:
    table = PAGE.split("| tool |")[1].split("\n\n")[0]
    cells = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    told = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    assert told == {function.__name__ for function, _, _ in TOOLS}
    command = get_command(build()).commands["mcp"]  # type: ignore[attr-defined]
    options = {option for p in command.params for option in p.opts if option.startswith("--")}
    table = PAGE.split("| option |")[1].split("\n\n")[0]
    assert set(re.findall(r"--[a-z][a-z-]+", table)) == options - {"--help"}


def test_every_resource_that_is_named_is_there(tmp_path: Path) -> None:
    import anyio
    from mcp import Client

    async def uris() -> set[str]:
        async with Client(make_server(Settings(tmp_path))) as client:
            listed = (await client.list_resources()).resources
            templates = (await client.list_resource_templates()).resource_templates
        return {str(r.uri) for r in listed} | {t.uri_template for t in templates}

    named = set(re.findall(r"`(fwgen://[^`]+)`", PAGE))
    assert named
    assert named <= anyio.run(uris)


def test_what_is_offered_is_shipped() -> None:
    """A wheel has the pages and the examples, too."""
    import tomllib

    from fwgen.mcp_server.resources import PAGES, examples

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    data = project["tool"]["setuptools"]["package-data"]
    assert set(data["fwgen._docs"]) == {f"{name}.md" for name in PAGES}
    assert len(examples()) > 10
    shipped = {Path(pattern).name for pattern in data["fwgen._examples"]}
    assert shipped == {"prompt.txt", "contract.toml", "firmware.lst"}
