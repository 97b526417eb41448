"""How much a test run takes upon itself: FWGEN_LONG=1 (.ci/nightly) spares nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

LONG = bool(os.environ.get("FWGEN_LONG"))


def often(examples: int) -> int:
    """How many examples of a costly property are tried; a third of them by day."""
    return examples if LONG else -(-examples // 3)


def some(cases: Sequence[Any]) -> Sequence[Any]:
    """Which of many costly cases are run: every third by day."""
    return cases if LONG else cases[::3]
