"""Register maps that the STM32F411 and the STM32F407 do not share with the STM32F401.

Each is held against the header and the SVD of its own chip, and so are the shared ones once more
(``test_second_source.py`` has the STM32F401's). What departs is listed, with the reason; what
departs no more fails, too.
"""

from __future__ import annotations

import pytest

from fwgen.board import load_chip
from fwgen.board.registers import load_register_map
from tests.board.sources import Place, departures

# The F411's SVD has the reset values of the STM32F405/407 in its RCC; RM0383 §6.3.
F411_RCC = {"AHB1ENR", "AHB1LPENR", "AHB2LPENR", "APB1LPENR", "APB2LPENR", "PLLI2SCFGR"}
AHB3 = {f"header AHB3{suffix}" for suffix in ("ENR", "LPENR")}
FLASH = {
    "header ACR bits",  # the header adds addresses of two bytes
    "header CR bits", "header CR.SNB",  # the header's SNB is for two banks
    "header OPTCR1",  # for two banks
    "svd OPTCR reset",  # as from the factory: RM0383 §3.8.6, RM0090 §3.9.10
}  # fmt: skip
TIM = {  # the map has room for 32 bits
    *("header DMAR bits", "header DMAR.DMAB", "svd DMAR.DMAB"),
    *("svd ARR reset", "svd ARR.ARR", "svd CNT.CNT"),
    *(f"header CCR{n} bits" for n in range(1, 5)),
    *(f"{source} CCR{n}.CCR{n}" for n in range(1, 5) for source in ("header", "svd")),
}

# Map -> where to look, and what rightly departs.
SHARED: dict[str, tuple[Place, set[str]]] = {
    "adc_v2": (("ADC", "ADC", {"ADC1": 0}), {"header DR bits"}),  # ADC2DATA is for two ADCs
    "crc_v1": (("CRC", "CRC", {"CRC": 0}), set()),
    "dma_v2": (("DMA", "DMA", {"DMA2": 0}), set()),
    "gpio_v2": (("GPIO", "GPIO", {}), set()),  # ports differ in their reset values
    "iwdg_v1": (("IWDG", "IWDG", {"IWDG": 0}), set()),
    "rtc_v2_f4": (("RTC", "RTC", {"RTC": 0}), set()),
    "sdio_v1": (("SDIO", "SDIO", {"SDIO": 0}), set()),
    # The SVDs write binary 10 as decimal.
    "spi_v2": (("SPI", "SPI", {"SPI1": 0}), {"svd I2SPR reset"}),
    "tim_v1": (("TIM", "TIM", {"TIM1": 0}), TIM),
    "usart_v2": (("USART", "USART", {"USART6": 0}), {"svd SR reset"}),  # RM0383 §19.6.1
    "wwdg_v1": (("WWDG", "WWDG", {"WWDG": 0}), set()),
}
OWN: dict[str, dict[str, tuple[Place, set[str]]]] = {
    "stm32f411re": {
        "rcc_f411": (
            ("RCC", "RCC", {"RCC": 0}),
            AHB3 | {f"svd {register} reset" for register in F411_RCC},
        ),
        "pwr_f411": (("PWR", "PWR", {"PWR": 0}), {"svd CR reset"}),  # VOS: RM0383 §5.4.1
        "flash_f4": (
            ("FLASH", "FLASH", {"FLASH": 0}),
            FLASH
            | {"header ACR.LATENCY", "svd ACR.LATENCY"}  # RM0383 §3.8.1
            | {"header OPTCR bits", "header OPTCR.nWRP", "svd OPTCR.nWRP"},  # 8 sectors, SPRMOD
        ),
        "dbgmcu_v1": (("DBGMCU", "DBGMCU", {"DBG": 0}), {"svd IDCODE reset"}),
        "exti_v1": (
            ("EXTI", "EXTI", {"EXTI": 0}),  # lines 19 and 20 are others'
            {f"header {r} bits" for r in ("EMR", "FTSR", "IMR", "PR", "RTSR", "SWIER")},
        ),
        "i2c_v1": (("I2C", "I2C", {"I2C3": 0}), {"header OAR1 bits"}),  # bit 14 is to be kept at 1
        "syscfg_f4": (("SYSCFG", "SYSCFG", {"SYSCFG": 0}), set()),
    },
    "stm32f407vg": {
        "rcc_f407": (("RCC", "RCC", {"RCC": 0}), set()),
        "pwr_f407": (("PWR", "PWR", {"PWR": 0}), {"svd CR reset"}),  # VOS: RM0090 §5.4.1
        "flash_f407": (("FLASH", "FLASH", {"FLASH": 0}), FLASH),
        "dbgmcu_f407": (("DBGMCU", "DBGMCU", {"DBG": 0}), {"svd IDCODE reset"}),
        "syscfg_f407": (("SYSCFG", "SYSCFG", {"SYSCFG": 0}), set()),
        "exti_f407": (("EXTI", "EXTI", {"EXTI": 0}), set()),
        "i2c_f407": (("I2C", "I2C", {"I2C3": 0}), {"header OAR1 bits"}),
        "adccommon_f407": (("ADC_Common", "ADC", {"C_ADC": 0}), set()),
        "uart_v2": (  # the header has one struct, with CK, CTS and RTS
            ("USART", "USART", {"UART4": 0}),
            {"svd SR reset"} | {f"header {r} bits" for r in ("CR2", "CR3", "GTPR", "SR")},
        ),
        "rng_v1": (("RNG", "RNG", {"RNG": 0}), set()),
        "dac_v1": (("DAC", "DAC", {"DAC": 0}), set()),
        "can_v1": (  # mailboxes and filters are structs of their own there
            ("CAN", "CAN", {"CAN1": 0}),
            {f"header {register}" for register in ("FMR", "FM1R", "FS1R", "FFA1R", "FA1R")}
            | {"svd BTR reset"},  # RM0090 §32.9.2: 0x0123_0000
        ),
        "dcmi_v1": (  # RM0090 §15.8 names them shorter, and has FCRC, EDM
            ("DCMI", "DCMI", {"DCMI": 0}),
            {"header CR bits"} | {f"header {r}" for r in ("CWSIZER", "CWSTRTR", "MISR", "RISR")},
        ),
        "fsmc_v1": (  # the header has BCRx and BTRx in one array
            ("FSMC_Bank1", "FSMC", {"FSMC": 0}),
            {f"header BTCR{n}" for n in range(8)},
        ),
    },
}
CASES = [(chip, name, *case) for chip, own in OWN.items() for name, case in (SHARED | own).items()]


@pytest.mark.parametrize(("chip", "name", "place", "expected"), CASES)
def test_a_map_says_what_header_and_svd_say(
    chip: str, name: str, place: Place, expected: set[str]
) -> None:
    assert departures(load_register_map(f"stm32.{name}"), chip, place) == expected


@pytest.mark.parametrize("chip", OWN)
def test_every_map_of_a_chip_is_among_them(chip: str) -> None:
    used = {p.registers for p in load_chip(chip).peripherals.values() if p.registers}
    stm32 = {name.removeprefix("stm32.") for name in used if name.startswith("stm32.")}
    rest = stm32 - set(SHARED) - set(OWN[chip])
    # The first two are the STM32F401's; the others are words in system memory and what pyocd
    # finds its way by (tests/virtual).
    assert {n for n in rest if not n.startswith("romtable_")} <= {
        *("otg_fs_v1", "adccommon_v2", "uid_v1")
    }
