"""The STM32F401's register maps say what second sources say.

The facts in facts/stm32f401re.json were drawn by tools/extract_facts.py from ST's device header,
embassy's chip data and an SVD of the same generation of IP. ``test_maps_second_source.py`` has the
maps of other chips, ``test_chips_second_source.py`` and ``test_boards_second_source.py`` the rest.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fwgen.board.registers import RegisterMap, known_register_maps, load_register_map
from tests.board.test_maps_second_source import OWN

FOLDER = Path(__file__).parent / "facts"
FACTS: dict[str, Any] = json.loads((FOLDER / "stm32f401re.json").read_text(encoding="utf-8"))
HEADER, SVD = FACTS["header"], FACTS["svd"]


# ------------------------------------------------------------------- registers and fields

# Map -> (struct of the header, prefix of its fields, peripherals of the SVD with their offset).
MAPS: dict[str, tuple[str, str, dict[str, int]]] = {
    "adc_v2": ("ADC", "ADC", {"ADC1": 0}),
    "adccommon_v2": ("ADC_Common", "ADC", {"C_ADC": 0}),
    "crc_v1": ("CRC", "CRC", {"CRC": 0}),
    "dbgmcu_v1": ("DBGMCU", "DBGMCU", {"DBG": 0}),
    "dma_v2": ("DMA", "DMA", {"DMA2": 0}),
    "exti_v1": ("EXTI", "EXTI", {"EXTI": 0}),
    "flash_f4": ("FLASH", "FLASH", {"FLASH": 0}),
    "gpio_v2": ("GPIO", "GPIO", {"GPIOI": 0}),
    "i2c_v1": ("I2C", "I2C", {"I2C3": 0}),
    "iwdg_v1": ("IWDG", "IWDG", {"IWDG": 0}),
    "otg_fs_v1": (
        "USB_OTG_Global",
        "OTG",
        {"OTG_FS_GLOBAL": 0, "OTG_FS_HOST": 0x400, "OTG_FS_DEVICE": 0x800, "OTG_FS_PWRCLK": 0xE00},
    ),
    "pwr_f4": ("PWR", "PWR", {"PWR": 0}),
    "rcc_f4": ("RCC", "RCC", {"RCC": 0}),
    "rtc_v2_f4": ("RTC", "RTC", {"RTC": 0}),
    "sdio_v1": ("SDIO", "SDIO", {"SDIO": 0}),
    "spi_v2": ("SPI", "SPI", {"SPI1": 0}),
    "syscfg_f4": ("SYSCFG", "SYSCFG", {"SYSCFG": 0}),
    "tim_v1": ("TIM", "TIM", {"TIM1": 0}),
    "usart_v2": ("USART", "USART", {"USART6": 0}),
    "wwdg_v1": ("WWDG", "WWDG", {"WWDG": 0}),
}
PRESENT = [name for name in MAPS if f"stm32.{name}" in known_register_maps()]

# Where a map rightly departs from the header: the header is shared by the whole F4 family.
NAMES = {
    "APB1FZ": "APB1_FZ",
    "APB2FZ": "APB2_FZ",
    "AFR0": "AFRL",
    "AFR1": "AFRH",
    **{f"EXTICR{n}": f"EXTICR{n + 1}" for n in range(4)},
}
NOT_ON_THIS_CHIP = {
    "adccommon_v2": {"CDR": "for two or three ADCs"},
    "flash_f4": {"OPTCR1": "for flash of two banks"},
    "rcc_f4": dict.fromkeys(("AHB3ENR", "AHB3LPENR"), "no FSMC, no AHB3"),
}
DIFFERENT_BITS = {
    "adc_v2.DR": "ADC2DATA: for two ADCs",
    "adccommon_v2.CCR": "MULTI, DELAY, DDS, DMA: for two or three ADCs",
    **{f"dma_v2.S{n}CR": "ACK does not exist: RM0368 §9.5.5" for n in range(8)},
    **{
        f"exti_v1.{r}": "lines 19 and 20: Ethernet and USB HS"
        for r in ("IMR", "EMR", "RTSR", "FTSR", "SWIER", "PR")
    },
    "flash_f4.ACR": "header: LATENCY and the bits of other F4s; RM0368 §3.8.1",
    "flash_f4.CR": "SNB has 4 bits for 8 sectors: RM0368 §3.8.5",
    "flash_f4.OPTCR": "nWRP has 8 bits and SPRMOD exists: RM0368 §3.8.6",
    "i2c_v1.OAR1": "bit 14 'should always be kept at 1 by software'",
    **{f"tim_v1.{r}": "32 bits in TIM2 and TIM5" for r in ("CCR1", "CCR2", "CCR3", "CCR4", "DMAR")},
}
DIFFERENT_FIELDS = {
    "flash_f4.ACR.LATENCY",
    "flash_f4.CR.SNB",
    "flash_f4.OPTCR.nWRP",
    "tim_v1.DMAR.DMAB",
    *(f"tim_v1.CCR{n}.CCR{n}" for n in range(1, 5)),
    *(f"tim_v1.{r}.{r}" for r in ("CNT", "ARR")),  # the SVD has one for 16 bits, one for 32
    # Endpoint 0 has shorter fields than the others, which the header describes.
    *(f"otg_fs_v1.D{d}EP{r}0.{f}" for d in "IO" for r in ("TSIZ",) for f in ("XFRSIZ", "PKTCNT")),
    *("otg_fs_v1.DIEPCTL0.MPSIZ", "otg_fs_v1.DOEPCTL0.MPSIZ"),
}
DIFFERENT_RESETS = {
    "dbgmcu_v1.IDCODE": "each device has its own",
    "flash_f4.OPTCR": "RM0368 §3.8.6",
    "pwr_f4.CR": "VOS: scale 2 after reset (RM0368 §5.4.1)",
    "spi_v2.I2SPR": "the SVD writes binary 10 as decimal",
    "otg_fs_v1.DIEPCTL0": "USBAEP is always 1 for endpoint 0",
    "rcc_f4.AHB1ENR": "no CCM RAM",
    "rcc_f4.AHB1LPENR": "fewer peripherals",
    "rcc_f4.AHB2LPENR": "fewer peripherals",
    "rcc_f4.APB1LPENR": "fewer peripherals",
    "rcc_f4.APB2LPENR": "fewer peripherals, SPI4",
    "rcc_f4.PLLI2SCFGR": "RM0368 §6.3.23",
    "tim_v1.ARR": "RM0368 §13.4.12: all ones",
    "usart_v2.SR": "RM0368 §19.6.1; the SVD has 0x00C0_0000",
}


def our_map(name: str) -> RegisterMap:
    return load_register_map(f"stm32.{name}")


def header_register(name: str, ours: str, offset: int) -> dict[str, list[int]]:
    """The header's fields of one of our registers, found by name or by place."""
    struct, prefix, _ = MAPS[name]
    places = {o: n for n, o in HEADER["structs"][struct].items()}
    generic = ours.rstrip("0123456789")  # HCCHAR3 is described by HCCHAR
    if name == "dma_v2" and ours[0] == "S" and ours[1].isdigit():
        generic = f"Sx{ours[2:]}"
    fields = HEADER["fields"]
    for candidate in (ours, places.get(offset), generic):
        if found := fields.get(f"{prefix}.{candidate}"):
            return dict(found)
    return {}


def mask_of(fields: dict[str, list[int]]) -> int:
    mask = 0
    for lsb, width in fields.values():
        mask |= ((1 << width) - 1) << lsb
    return mask


@pytest.mark.parametrize("name", PRESENT)
def test_registers_are_where_the_header_has_them(name: str) -> None:
    registers = our_map(name).registers
    absent = NOT_ON_THIS_CHIP.get(name, {})
    for theirs, offset in HEADER["structs"][MAPS[name][0]].items():
        ours = NAMES.get(theirs, theirs)
        if name == "otg_fs_v1" and theirs.startswith("DIEPTXF"):
            continue  # the header counts them from 0 and has room for 15
        if ours in absent:
            assert ours not in registers
        else:
            assert registers[ours].offset == offset, ours


@pytest.mark.parametrize("name", PRESENT)
def test_fields_of_the_same_name_are_the_same_bits_in_the_header(name: str) -> None:
    fields = same = 0
    for register in our_map(name).registers.values():
        theirs = header_register(name, register.name, register.offset)
        for field in register.fields.values() if theirs else ():
            fields += 1
            place = f"{name}.{register.name}.{field.name}"
            if field.name in theirs and place not in DIFFERENT_FIELDS:
                assert [field.lsb, field.width] == theirs[field.name], (register.name, field.name)
                same += 1
    assert same >= fields / 2
    assert fields > 0


@pytest.mark.parametrize("name", [n for n in PRESENT if n != "otg_fs_v1"])
def test_reserved_bits_are_reserved_in_the_header_too(name: str) -> None:
    for register in our_map(name).registers.values():
        theirs = mask_of(header_register(name, register.name, register.offset))
        if theirs and f"{name}.{register.name}" in DIFFERENT_BITS:
            assert theirs != register.defined, f"{register.name} is no exception any more"
        elif theirs:
            assert theirs & ~register.defined == 0, f"{register.name} lacks bits"
            assert register.defined & ~theirs == 0, f"{register.name} has too many bits"


@pytest.mark.parametrize("name", PRESENT)
def test_registers_are_where_the_svd_has_them_and_reset_to_the_same(name: str) -> None:
    ours = {r.offset: r for r in our_map(name).registers.values()}
    absent = NOT_ON_THIS_CHIP.get(name, {})
    for peripheral, base in MAPS[name][2].items():
        assert SVD[peripheral]
        for theirs, (offset, reset, _) in SVD[peripheral].items():
            if theirs in absent:
                continue
            register = ours[base + offset]
            if f"{name}.{register.name}" in DIFFERENT_RESETS:
                assert register.reset != reset, f"{theirs} is no exception any more"
            else:
                assert register.reset == reset, theirs


@pytest.mark.parametrize("name", PRESENT)
def test_fields_of_the_same_name_are_the_same_bits_in_the_svd(name: str) -> None:
    ours = {r.offset: r for r in our_map(name).registers.values()}
    same = 0
    for peripheral, base in MAPS[name][2].items():
        for theirs, (offset, _, fields) in SVD[peripheral].items():
            register = ours.get(base + offset)
            if register is None:
                continue
            for field, bits in fields.items():
                place = f"{name}.{register.name}.{field}"
                if field in register.fields and place not in DIFFERENT_FIELDS:
                    found = register.fields[field]
                    assert [found.lsb, found.width] == bits, (theirs, field)
                    same += 1
    assert same > 0


def test_every_map_of_the_stm32_has_a_second_source() -> None:
    names = {n.removeprefix("stm32.") for n in known_register_maps() if n.startswith("stm32.")}
    # A handful of words in system memory; what pyocd finds its way by (tests/virtual).
    tables = {name for name in names if name.startswith("romtable_")}
    others = {name for own in OWN.values() for name in own}
    assert names - set(MAPS) - others - tables == {"uid_v1"}
