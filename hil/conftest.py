"""Each example is a case: a test on every rig that is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from fwgen.hil.cases import cases

EXAMPLES = Path(__file__).parents[1] / "examples"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each folder under examples/."""
    if "example" in metafunc.fixturenames:
        found = cases(EXAMPLES)
        metafunc.parametrize("example", found, ids=[case.name for case in found])
