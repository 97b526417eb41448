"""Our chip file and register maps say what second sources say.

The facts in facts/stm32f401re.json were drawn by tools/extract_facts.py from ST's device header,
embassy's chip data and an SVD of the same generation of IP.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fwgen.board import load_board, load_chip
from fwgen.board.registers import RegisterMap, known_register_maps, load_register_map

FOLDER = Path(__file__).parent / "facts"
FACTS: dict[str, Any] = json.loads((FOLDER / "stm32f401re.json").read_text(encoding="utf-8"))
DMA: dict[str, Any] = json.loads((FOLDER / "stm32f401re-dma.json").read_text(encoding="utf-8"))
NUCLEO: dict[str, Any] = json.loads((FOLDER / "nucleo-f401.json").read_text(encoding="utf-8"))
HEADER, CHIP_DATA, SVD = FACTS["header"], FACTS["chip"], FACTS["svd"]
CHIP = load_chip("stm32f401re")

# Our name of a peripheral -> the header's name of its base, where they differ.
BASE_NAMES = {"FLASH": "FLASH_R", "OTG_FS": "USB_OTG_FS_PERIPH"}
# In the header's list, but not peripherals: memories, buses, bit-band aliases, parts of others.
NO_PERIPHERAL = {
    *("APB1PERIPH", "AHB1PERIPH", "APB2PERIPH", "AHB2PERIPH", "PERIPH", "PERIPH_BB", "BKPSRAM_BB"),
    *("SRAM", "SRAM1", "SRAM_BB", "SRAM1_BB", "FLASH", "FLASH_OTP", "FLASHSIZE", "PACKAGE", "ADC"),
}


def test_every_peripheral_of_the_header_is_declared_at_its_base() -> None:
    named = {ours: p.base for ours, p in CHIP.peripherals.items()}
    for name, base in HEADER["bases"].items():
        short = name.removesuffix("_BASE")
        if short in NO_PERIPHERAL or "_Stream" in short or short.startswith("USB_OTG_"):
            continue
        ours = {v: k for k, v in BASE_NAMES.items()}.get(short, short)
        assert named.get(ours) == base, short
    assert named["OTG_FS"] == HEADER["bases"]["USB_OTG_FS_PERIPH_BASE"]


def test_every_peripheral_of_embassys_data_is_declared_at_its_base() -> None:
    bases = {p.base: p.name for p in CHIP.peripherals.values()}
    inside = [n for n, base in CHIP_DATA["bases"].items() if base not in bases]
    # Calibration words, which we count to the block of identity words.
    assert sorted(inside) == ["TS_CAL1", "TS_CAL2"]
    assert len(CHIP_DATA["bases"]) > 40


def test_interrupts_are_those_of_the_header_and_of_embassy() -> None:
    ours = {name: number for number, name in CHIP.interrupts.items()}
    assert ours == HEADER["irqs"]
    assert ours == CHIP_DATA["irqs"]
    assert CHIP.nvic_lines == max(ours.values()) + 1
    assert CHIP.priority_bits == CHIP_DATA["priority_bits"]


def test_each_request_of_a_peripheral_goes_to_the_vector_that_bears_its_name() -> None:
    for p in CHIP.peripherals.values():
        for request, line in p.irqs.items():
            vector = CHIP.interrupts[line].casefold()
            if request == "global":
                assert p.name.rstrip("1").casefold() in vector or p.name.casefold() in vector
            elif p.name == "EXTI":
                assert request in vector, request
            else:
                assert request in vector, f"{p.name}.{request}"


def test_clock_gates_are_the_bits_of_the_header() -> None:
    fields = HEADER["fields"]
    names = {"OTG_FS": "OTGFS", "I2S2ext": "SPI2", "I2S3ext": "SPI3", "ADC1_COMMON": "ADC1"}
    gated = [p for p in CHIP.peripherals.values() if p.gate]
    assert len(gated) == 37
    for p in gated:
        assert p.gate is not None
        field = f"{names.get(p.name, p.name)}EN"
        if p.name == "RTC":
            assert fields["RCC.BDCR"]["RTCEN"] == [p.gate.bit, 1]
            continue
        assert fields[f"RCC.{p.gate.register}"][field] == [p.gate.bit, 1], p.name
        reset = field.removesuffix("EN").replace("ADC1", "ADC") + "RST"
        assert fields[f"RCC.{p.gate.reset_register}"][reset] == [p.gate.bit, 1], p.name


def test_every_enable_bit_of_the_header_opens_a_gate() -> None:
    ours = {(p.gate.register, p.gate.bit) for p in CHIP.peripherals.values() if p.gate}
    for register in ("AHB1ENR", "AHB2ENR", "APB1ENR", "APB2ENR"):
        for field, (bit, _) in HEADER["fields"][f"RCC.{register}"].items():
            assert (register, bit) in ours, field


def test_clock_gates_and_buses_are_those_of_embassy() -> None:
    for name, (register, _) in CHIP_DATA["gates"].items():
        ours = CHIP.peripherals[name.removeprefix("USB_")]
        if ours.name == "RTC":  # embassy names a bit that RM0368 does not have
            continue
        assert ours.gate is not None
        assert ours.gate.register == register
        assert register == f"{ours.bus}ENR"


def ours_of(signal: str) -> str:
    """Embassy's name of a signal as the data sheet has it."""
    for n in "23":
        signal = signal.replace(f"SPI{n}_I2S_ext_SD", f"I2S{n}ext_SD")
        signal = signal.replace(f"SPI{n}_I2S_", f"I2S{n}_")
    signal = signal.removeprefix("RCC_") if "RCC_" in signal else signal
    return signal.removeprefix("USB_")


def test_pins_have_the_alternate_functions_that_embassy_lists() -> None:
    # Embassy leaves out what no driver uses: debug pins, EVENTOUT, the I2S clock input.
    left_out = {"EVENTOUT", "JTMS", "SWDIO", "JTCK", "SWCLK", "JTDI", "JTDO", "SWO", "NJTRST"}
    left_out |= {"I2S_CKIN", "OTG_FS_VBUS"}
    compared = 0
    for name, pin in CHIP.pins.items():
        theirs = {
            (int(af), ours_of(signal))
            for af, signals in CHIP_DATA["pins"].get(name, {}).items()
            if af != "also"
            for signal in signals
        }
        ours = {(af, s) for af, signals in pin.alternate.items() for s in signals}
        assert {pair for pair in ours if pair[1] not in left_out} == theirs, name
        compared += len(theirs)
    assert compared > 100
    assert set(CHIP_DATA["pins"]) <= set(CHIP.pins)


def test_pins_have_the_additional_functions_that_embassy_lists() -> None:
    for name, functions in CHIP_DATA["pins"].items():
        for signal in functions.get("also", []):
            if signal != "RTC_AF1":  # the data sheet says what that is: TAMP1, OUT, TS
                assert ours_of(signal) in CHIP.pins[name].additional, name


def test_package_positions_are_those_of_embassy() -> None:
    ours = {pin.positions["LQFP64"]: pin.name for pin in CHIP.pins.values()}
    assert ours == CHIP_DATA["positions"]


def test_every_pin_offers_eventout_and_only_debug_pins_start_in_an_alternate_function() -> None:
    assert all(pin.alternate[15] == ("EVENTOUT",) for pin in CHIP.pins.values())
    held = {pin.name for pin in CHIP.pins.values() if pin.reset_af is not None}
    # The reset values of GPIOx_MODER say the same: 0b10 at 13, 14, 15 of A and at 3, 4 of B.
    assert held == {"PA13", "PA14", "PA15", "PB3", "PB4"}


def test_memories_and_identity_are_those_of_embassy() -> None:
    flash = [(base, size) for kind, base, size in CHIP_DATA["memory"] if kind == "flash"]
    main = [(base, size) for base, size in flash if base < 0x1000_0000]
    assert CHIP.flash.base == main[0][0]
    assert CHIP.flash.size == sum(size for _, size in main)
    otp = next(m for m in CHIP.memories.values() if m.kind == "otp")
    assert (otp.base, otp.size) in flash
    assert ["ram", CHIP.ram.base, CHIP.ram.size] in CHIP_DATA["memory"]
    assert CHIP.idcode is not None
    assert CHIP.idcode & 0xFFF == CHIP_DATA["device_id"]
    dbgmcu = load_register_map("stm32.dbgmcu_v1")
    assert dbgmcu.registers["IDCODE"].reset == CHIP.idcode


def test_ports_with_debug_pins_reset_to_what_the_svd_says() -> None:
    for port in ("GPIOA", "GPIOB"):
        resets = CHIP.peripherals[port].options["reset"]
        assert isinstance(resets, dict)
        for register, (_, reset, _) in SVD[port].items():
            if (port, register) == ("GPIOA", "OSPEEDR"):
                reset = 0x0C00_0000  # the SVD has 0; RM0368 §8.4.3 has PA13 at very high speed
            assert resets.get(register, 0) == reset, (port, register)


def test_arduino_headers_are_those_of_the_arduino_core() -> None:
    arduino = load_board("nucleo-f401").headers["Arduino"]
    assert [arduino[f"D{n}"] for n in range(16)] == NUCLEO["digital"]
    assert [arduino[f"A{n}"] for n in range(6)] == NUCLEO["analog"]


def test_morpho_headers_run_in_the_order_of_the_arduino_core() -> None:
    """The core lists a side from top to bottom, without the pins that Arduino headers carry."""
    board = load_board("nucleo-f401")
    on_arduino = {*NUCLEO["digital"], *NUCLEO["analog"]}
    for header in ("CN7", "CN10"):
        pins = list(board.headers[f"Morpho {header}"].values())
        for side, start in (("odd", 0), ("even", 1)):
            ours = [p for p in pins[start::2] if p in board.chip.pins and p not in on_arduino]
            assert ours == NUCLEO[f"{header.lower()}_{side}"], (header, side)


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
    "rcc_f4": dict.fromkeys(("AHB3RSTR", "AHB3ENR", "AHB3LPENR"), "no FSMC, no AHB3"),
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
    assert names - set(MAPS) == {"uid_v1", "romtable_f401"}


def test_dma_requests_arrive_where_embassys_data_says() -> None:
    for name, requests in DMA["requests"].items():
        ours = {
            request: sorted(str(line).removeprefix("DMA") for line in lines)
            for request, lines in CHIP.peripherals[name].dma.items()
        }
        if "ext" in requests:  # both directions of the extension of an I2S in one
            ours = {"ext": sorted(line for lines in ours.values() for line in lines)}
        assert ours == requests, name
    # SPI4 is not in that data: Table 28 alone says where it asks.
    assert {name for name, p in CHIP.peripherals.items() if p.dma} == {*DMA["requests"], "SPI4"}
