"""Parts on the board and the hands that touch them: buttons, wires, a terminal.

A stimulus becomes calls at times on the chip's pads; what it did is told in the trace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.contract import Analog, Drive, Press, Send
from fwgen.machine.parts.button import press
from fwgen.machine.parts.terminal import send
from fwgen.machine.parts.voltage import hold
from fwgen.machine.parts.wire import drive

if TYPE_CHECKING:
    from fwgen.contract import Stimulus
    from fwgen.machine.soc import Soc


def apply(stimulus: Stimulus, soc: Soc) -> None:
    """Arrange for a stimulus to happen at its time. Raises BenchError when the board lacks it."""
    match stimulus:
        case Press():
            press(stimulus, soc)
        case Drive():
            drive(stimulus, soc)
        case Analog():
            hold(stimulus, soc)
        case Send():
            send(stimulus, soc)
