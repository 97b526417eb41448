"""No test of this room sees virtual boards that run elsewhere on this computer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fwgen.virtual.registry import PLACE

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PLACE, str(tmp_path / "runtime"))
