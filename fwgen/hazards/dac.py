"""Hazards of the digital-to-analog converter."""

from __future__ import annotations

from fwgen.hazards.types import NOTE, WARNING, Kind

KINDS = (
    Kind(
        "dac-locked", WARNING, "a DAC channel changed while it is on", "RM0090 §14.3.6, §14.3.9",
        "TSEL and MAMP cannot be changed while EN is set: the old trigger or amplitude goes on.",
        "write TSEL and MAMP before EN",
    ),
    Kind(
        "dac-pin-mode", WARNING, "a DAC output on a pin that is not in analog mode",
        "RM0090 §14.2",
        "EN connects the pin to the converter whatever its mode: the input stage draws a parasitic "
        "current, and an output or a pull works against it.",
        "set MODER of the pin to 11 before EN",
    ),
    Kind(
        "dac-settling", NOTE, "a DAC that is given values faster than it settles",
        "DS8626, 12-bit DAC electrical characteristics",
        "The output needs up to 6 us for a full swing: on silicon it is still on its way, here it "
        "is there at once.",
        "give larger steps more slowly",
    ),
    Kind(
        "dac-swing", NOTE, "a voltage that the DAC's buffer does not reach",
        "DS8626, 12-bit DAC electrical characteristics",
        "With its buffer the output is good from 0.2 V above ground to 0.2 V below the supply.",
        "set BOFF and load the output lightly, or stay within the buffer's range",
    ),
    Kind(
        "dac-trigger", NOTE, "a DAC's software trigger that triggers nothing", "RM0090 §14.5.2",
        "SWTRIG counts only while the channel is on and its trigger is the software one.",
        "set TSEL to 7 and TEN before EN, or leave the trigger out",
    ),
    Kind(
        "dac-underrun", NOTE, "a DAC trigger that came before the DMA's data", "RM0090 §14.3.7",
        "The channel asks for no more data, and DMAUDR tells the firmware so.",
        "trigger more slowly; to go on, clear DMAUDR and set the stream up anew",
    ),
)  # fmt: skip
