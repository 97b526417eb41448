"""Say what the board should do, get the binary."""

from __future__ import annotations

__version__ = "0.1.0"
