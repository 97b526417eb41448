"""The STM32F407's converters, held against libopencm3's headers (2da12dc) and an example of ST's.

f4/adc.h (EXTSEL, JEXTSEL, internal channels), common/adc_common_v1_multi.h (MULTI),
common/dac_common_v1.h (TSEL); STM32F4xx_StdPeriph_Examples/ADC/ADC_VBATMeasurement (VBAT / 2).
"""

from __future__ import annotations

from fwgen.board import load_chip
from fwgen.machine.stm32.adc_v2.multi import ALTERNATE, INTERLEAVED, SIMULTANEOUS, Mode, mode_of

CHIP = load_chip("stm32f407vg")
REGULAR = (
    "TIM1_CC1 TIM1_CC2 TIM1_CC3 TIM2_CC2 TIM2_CC3 TIM2_CC4 TIM2_TRGO TIM3_CC1 TIM3_TRGO TIM4_CC4 "
    "TIM5_CC1 TIM5_CC2 TIM5_CC3 TIM8_CC1 TIM8_TRGO EXTI_LINE_11"
)
INJECTED = (
    "TIM1_CC4 TIM1_TRGO TIM2_CC1 TIM2_TRGO TIM3_CC2 TIM3_CC4 TIM4_CC1 TIM4_CC2 TIM4_CC3 TIM4_TRGO "
    "TIM5_CC4 TIM5_TRGO TIM8_CC2 TIM8_CC3 TIM8_CC4 EXTI_LINE_15"
)
CONVERSIONS = "T6 T8 T7 T5 T2 T4 E9 SW"


def spelt(names: str) -> list[str]:
    """As the chip file calls them."""
    return names.replace("CC", "CH").replace("EXTI_LINE_", "EXTI").split()


def test_what_triggers_the_adcs() -> None:
    for name in ("ADC1", "ADC2", "ADC3"):
        options = CHIP.peripherals[name].options
        assert options["triggers"] == spelt(REGULAR)
        assert options["injected_triggers"] == spelt(INJECTED)


def test_where_the_internal_sources_are() -> None:
    options = CHIP.peripherals["ADC1"].options
    assert options["internal"] == {"sensor": [16], "reference": [17], "vbat": [18]}
    assert options["vbat_ratio"] == 2


def test_what_triggers_the_dac() -> None:
    ours = CHIP.peripherals["DAC"].options["triggers"]
    assert isinstance(ours, list)
    said = {"EXTI9": "E9", "": "SW"}
    assert [said.get(n, n.replace("TIM", "T").removesuffix("_TRGO")) for n in ours] == (
        CONVERSIONS.split()
    )


def test_what_multi_selects() -> None:
    both = {
        1: (SIMULTANEOUS, SIMULTANEOUS), 2: (SIMULTANEOUS, ALTERNATE), 5: (None, SIMULTANEOUS),
        6: (SIMULTANEOUS, None), 7: (INTERLEAVED, None), 9: (None, ALTERNATE),
    }  # fmt: skip
    dual = {value: Mode(2, *how) for value, how in both.items()}
    triple = {0x10 | value: Mode(3, *how) for value, how in both.items()}
    expected = {0: Mode()} | dual | triple
    assert {v: mode for v in range(32) if (mode := mode_of(v)) is not None} == expected
