"""Exceptions come here in the order in which they come in QEMU, with the same frames and status."""

from __future__ import annotations

from random import Random

import pytest

from .bench import needs_qemu
from .compare import RUNS
from .scene import assert_same_scene
from .scripts import Script

pytestmark = needs_qemu


@pytest.mark.parametrize("seed", range(24 * RUNS))
def test_random_scripts_agree(seed: int) -> None:
    assert_same_scene(Script(Random(seed)).source())
