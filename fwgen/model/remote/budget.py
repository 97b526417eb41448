"""What a run may take: tokens, money, time. Shared by all of its talks."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from fwgen.errors import InputError, ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fwgen.model.remote.settings import Price

TIMEOUT_S = 900.0
ANSWER_TOKENS = 32_768  # of one answer: reasoning counts too


class BudgetSpentError(ModelError):
    """What may be spent on a run is spent; there is nothing wrong with the model."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Most tokens (read and written), US dollars and wall seconds of a run; None: no limit."""

    max_tokens: int | None = None
    max_cost: Fraction | None = None
    timeout_s: float | None = TIMEOUT_S


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer. ``counted``: by the endpoint; else by us, roughly."""

    read: int
    written: int
    cached: int = 0  # of those read
    reasoning: int = 0  # of those written
    counted: bool = True


class Budget:
    """Limits and what was spent of them. Safe among threads.

    Raises InputError where a limit of cost is set and the price is not known.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        price: Price | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        model: str = "",
    ) -> None:
        self.limits, self.price = limits or Limits(), price
        if self.limits.max_cost is not None and price is None:
            raise InputError(
                f"a limit of cost needs the price of {model or 'the model'}, which is not known",
                hint=f"fwgen config set prices.{model or 'PROVIDER/MODEL'}.input DOLLARS "
                "(for a million tokens; and .output), or use --max-tokens",
            )
        self.calls = 0
        self.read = self.written = self.cached = 0
        self.counted = True
        self._clock = clock
        self._began = clock()
        self._lock = threading.Lock()

    @property
    def cost(self) -> Fraction | None:
        """US dollars spent, or None where the price is not known."""
        return self.price.of(self.read, self.written) if self.price else None

    @property
    def remaining_s(self) -> float | None:
        """Wall seconds left, or None without a limit."""
        if self.limits.timeout_s is None:
            return None
        return self.limits.timeout_s - (self._clock() - self._began)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Time that passes within does not count: somebody is asked something."""
        began = self._clock()
        try:
            yield
        finally:
            self._began += self._clock() - began

    def spend(self, usage: Usage) -> None:
        """An answer has come."""
        with self._lock:
            self.calls += 1
            self.read += usage.read
            self.written += usage.written
            self.cached += usage.cached
            self.counted &= usage.counted

    def check(self, reading: int = 0) -> int:
        """Before a question of so many tokens: how many its answer may have.

        Raises BudgetSpentError.
        """
        left_s = self.remaining_s
        if left_s is not None and left_s <= 0:
            raise self.too_late()
        room = ANSWER_TOKENS
        if self.limits.max_tokens is not None:
            left = self.limits.max_tokens - self.read - self.written - reading
            if left <= 0:
                raise BudgetSpentError(
                    f"the limit of {self.limits.max_tokens} tokens is spent "
                    f"({self.read} read, {self.written} written)", hint="raise --max-tokens",
                )  # fmt: skip
            room = min(room, left)
        if self.limits.max_cost is not None and self.price is not None:
            left_cost = self.limits.max_cost - self.price.of(self.read + reading, self.written)
            if left_cost <= 0:
                raise BudgetSpentError(
                    f"the limit of ${float(self.limits.max_cost):.2f} is spent",
                    hint="raise --max-cost",
                )
            if self.price.output:
                room = min(room, int(left_cost / self.price.output))
        if room <= 0:
            raise BudgetSpentError("the budget leaves no room for an answer")
        return room

    def too_late(self) -> BudgetSpentError:
        """The error of a run that took too long."""
        return BudgetSpentError(
            f"it took more than {self.limits.timeout_s:g} s in all", hint="raise --timeout"
        )

    def said(self) -> str:
        """What was spent, for people."""
        about = "" if self.counted else "about "
        cached = f" ({self.cached} of them cached)" if self.cached else ""
        text = f"{about}{self.read} tokens read{cached}, {self.written} written"
        if self.cost is not None:
            text += f", ${float(self.cost):.4f}"
        plural = "s" if self.calls != 1 else ""
        return f"{self.calls} answer{plural}: {text}"
