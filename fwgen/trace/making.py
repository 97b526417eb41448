"""``dataclass`` for events: they come by the million, and a frozen one takes three times as long.

So the type checker alone keeps them as they are.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(*, frozen, slots):
        """As ``dataclasses.dataclass``, but nothing stops who changes a field of a frozen one."""
        return dataclasses.dataclass(slots=slots, unsafe_hash=frozen)
