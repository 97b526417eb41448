"""Programs that are one thing after another, as straight-line code: no loop of events, no tables.

The core sleeps at the very place where the next thing happens, so there is nothing to dispatch;
the SysTick, which needs neither a clock enabled nor an interrupt, says when.
"""

from fwgen.model.embedded.compose.direct.offer import Offer, better, offers, unhurried

__all__ = ["Offer", "better", "offers", "unhurried"]
