"""Settings for every test: property tests judge behaviour, not the speed of a busy machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from fwgen.virtual.registry import PLACE

if TYPE_CHECKING:
    from collections.abc import Iterator

settings.register_profile("fwgen", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "fwgen")


@pytest.fixture(autouse=True, scope="session")
def no_boards_of_others(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Virtual boards that run elsewhere on this computer are not seen."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PLACE, str(tmp_path_factory.mktemp("runtime")))
        yield
