"""Every test asks a server of ours on the loopback; nothing else is reached, nothing is kept."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from fwgen.model.remote.budget import Budget, Limits
from fwgen.model.remote.keys import Secret

if TYPE_CHECKING:
    from pathlib import Path

    from fwgen.model.remote.endpoint import Arriving, Endpoint
    from fwgen.model.remote.quirks import Quirks

KEY = "sk-never-to-be-seen-0123456789"


@pytest.fixture(autouse=True)
def own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_BASE_URL")) or name.startswith("FWGEN_"):
            monkeypatch.delenv(name)
    for kind in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind.lower()))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.chdir(tmp_path)


class Asking:
    """An endpoint of a loopback server, with what it did on the way."""

    def __init__(self, tmp_path: Path) -> None:
        self.pauses: list[float] = []
        self.heard: list[Arriving] = []
        self.file = tmp_path / "transcript.jsonl"
        self.endpoints: list[Endpoint] = []

    def __call__(
        self,
        url: str,
        *,
        transport: str = "chat",
        limits: Limits | None = None,
        quirks: Quirks | None = None,
        memory: bool = False,
        budget: Budget | None = None,
    ) -> Endpoint:
        from fwgen.model.remote.endpoint import Endpoint
        from fwgen.model.remote.http import RecordingClient
        from fwgen.model.remote.providers import Provider, Target
        from fwgen.model.remote.quirks import Memory
        from fwgen.model.remote.transcript import Recorder

        provider = Provider("lab", "Lab", url, key="optional", transport=transport)  # type: ignore[arg-type]
        key = Secret(KEY, "the test")
        self.recorder = Recorder({"model": "lab/m"}, self.file, key.hide)
        made = Endpoint(
            Target(provider, "m"), key, RecordingClient(self.recorder),
            budget or Budget(limits or Limits(timeout_s=20)),
            memory=Memory() if memory else None, quirks=quirks,
            pause=self.pauses.append, watch=self.heard.append,
        )  # fmt: skip
        self.endpoints.append(made)
        return made


@pytest.fixture
def asking(tmp_path: Path) -> object:
    made = Asking(tmp_path)
    yield made
    for endpoint in made.endpoints:
        endpoint.close()
