"""Hazards of analog inputs and their converters."""

from __future__ import annotations

from fwgen.hazards.types import ERROR, NOTE, WARNING, Kind

KINDS = (
    Kind(
        "adc-channel", ERROR, "a channel that is connected to nothing", "RM0368 §11.3.3",
        "What such a channel converts is whatever the sampling capacitor happens to hold.",
        "choose a channel that a pin has, or 17 or 18",
    ),
    Kind(
        "adc-clock", ERROR, "an ADC clock above its limit", "DS10086, ADC characteristics",
        "Above its limit a converter's results are not promised at all.",
        "raise ADCPRE in ADC_CCR",
    ),
    Kind(
        "adc-clock-slow", WARNING, "an ADC clock below its limit", "DS10086, ADC characteristics",
        "The sampling capacitor leaks while it is converted: the slower, the less accurate.",
        "lower ADCPRE in ADC_CCR",
    ),
    Kind(
        "adc-mode", WARNING, "modes that do not go together", "RM0368 §11.3.9, §11.3.11",
        "The manual forbids the combination: which conversions are made is not known.",
        "use one of the modes alone",
    ),
    Kind(
        "adc-multi", WARNING, "converters that do not go together", "RM0090 §13.9",
        "In dual and triple mode the master alone is triggered, all are on and convert sequences "
        "of one length, two never sample one channel at once, and a mode is left by way of "
        "MULTI = 0.",
        "trigger ADC1 only, and set the other converters up like it, on other channels",
    ),
    Kind(
        "adc-off", ERROR, "a conversion started while the ADC is off", "RM0368 §11.12.3",
        "While ADON is 0 nothing is started.",
        "set ADON first, and wait for tSTAB",
    ),
    Kind(
        "adc-overrun", NOTE, "a result that was not read in time", "RM0368 §11.8.2",
        "The regular group stops, and OVR tells the firmware so.",
        "read DR in time, or clear OVR and start again",
    ),
    Kind(
        "adc-pin-mode", WARNING, "a pin converted that is not in analog mode", "RM0368 §8.3.12",
        "Its input stage, pull or output acts on what is measured.",
        "set MODER of the pin to 11",
    ),
    Kind(
        "adc-sampling", WARNING, "a sample that is too short", "DS10086, ADC characteristics",
        "The sampling capacitor has not come to the source's voltage: the result depends on the "
        "channel before, and on temperature.",
        "raise SMP of the channel, or slow ADCCLK",
    ),
    Kind(
        "adc-source-off", ERROR, "an internal source converted while it is off", "RM0368 §11.9",
        "Sensor and reference are only connected while CCR says so.",
        "set TSVREFE or VBATE in ADC_CCR",
    ),
    Kind(
        "adc-source-starting", WARNING, "an internal source sampled before it is up",
        "DS10086, temperature sensor characteristics",
        "Sensor and reference need some microseconds after TSVREFE is set.",
        "wait before the conversion",
    ),
    Kind(
        "adc-stabilising", WARNING, "a conversion right after ADON", "RM0368 §11.3.5",
        "The converter needs tSTAB after it was switched on to be accurate.",
        "wait after setting ADON",
    ),
    Kind(
        "over-voltage", ERROR, "more voltage than a pin stands",
        "DS10086, absolute maximum ratings",
        "In analog mode a pin stands VDDA and a little more: beyond that it is damaged.",
        "divide the voltage",
    ),
)  # fmt: skip
