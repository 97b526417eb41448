"""Contracts: what is done to the board, and what must be seen."""

from __future__ import annotations

from fwgen.contract.types import *  # noqa: F403  (every name there is public)
