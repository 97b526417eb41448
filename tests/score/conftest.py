"""Nothing of whoever runs the tests is read or written; remote models are servers of ours."""

from __future__ import annotations

import os
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING

import pytest

from fwgen.cli.main import run
from tests.model.remote.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.model.remote.server import Asked, Reply


@pytest.fixture(autouse=True)
def own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_BASE_URL")) or name.startswith("FWGEN_"):
            monkeypatch.delenv(name)
    for kind in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / ".home" / kind.lower()))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def lab(
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Callable[[Callable[[Asked], Reply]], Server]]:
    """Starts a server and makes it the provider "lab"; its model costs a dollar a million."""
    servers: list[Server] = []

    def start(brain: Callable[[Asked], Reply]) -> Server:
        server = Server(brain)
        servers.append(server)
        for key, value in (
            ("providers.lab.base_url", server.url),
            ("prices.lab/m.input", "1"),
            ("prices.lab/m.output", "1"),
        ):
            assert run(["config", "set", key, value]) == 0
        capsys.readouterr()
        return server

    yield start
    for server in servers:
        server.close()


class Here(Executor):
    """An executor that does the work at once, in this process."""

    def __init__(self) -> None:
        self.begun = 0

    def submit(self, fn, /, *args, **kwargs):
        self.begun += 1
        future: Future[object] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - as an executor does
            future.set_exception(error)
        return future


@pytest.fixture
def here() -> Here:
    return Here()
