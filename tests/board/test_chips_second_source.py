"""Every chip file says what ST's header and embassy's chip data say of that chip."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from fwgen.board import load_chip
from fwgen.board.registers import load_register_map
from tests.board.sources import FOLDER, facts

if TYPE_CHECKING:
    from fwgen.board.types import Chip

CHIPS = sorted(p.stem for p in (FOLDER.parents[2] / "boards" / "chips").glob("stm32*.toml"))

# Our name of a peripheral -> the header's name of its base, where they differ.
BASE_NAMES = {"FLASH": "FLASH_R", "OTG_FS": "USB_OTG_FS_PERIPH", "OTG_HS": "USB_OTG_HS_PERIPH"}
BASE_NAMES["FSMC"] = "FSMC_R"
# In the header's list, but not peripherals: memories, buses, bit-band aliases, parts of others.
NO_PERIPHERAL = {
    *("APB1PERIPH", "AHB1PERIPH", "APB2PERIPH", "AHB2PERIPH", "PERIPH", "PERIPH_BB", "BKPSRAM_BB"),
    *("SRAM", "SRAM1", "SRAM2", "SRAM_BB", "SRAM1_BB", "SRAM2_BB", "CCMDATARAM", "FLASH"),
    *("FLASH_OTP", "FLASHSIZE", "PACKAGE", "ADC", "FSMC_R"),
}
PARTS = ("_Stream", "USB_OTG_", "ETH_", "FSMC_Bank")
# A peripheral without an enable bit of its own has that of another.
GATES = {"OTG_FS": "OTGFS", "OTG_HS": "OTGHS", "I2S2ext": "SPI2", "I2S3ext": "SPI3"}
GATES |= {"ADC1_COMMON": "ADC1", "ADC123_COMMON": "ADC1", "ETH": "ETHMAC"}
RESETS = {"OTGHSEN": "OTGHRST", **{f"ADC{n}EN": "ADCRST" for n in (1, 2, 3)}}
# Enable bits that gate no peripheral of their own: memories, and further clocks of one.
FURTHER_GATES = {"CCMDATARAMEN", "ETHMACTXEN", "ETHMACRXEN", "ETHMACPTPEN", "OTGHSULPIEN"}


@pytest.fixture(params=CHIPS)
def chip(request: pytest.FixtureRequest) -> Chip:
    return load_chip(request.param)


def header(chip: Chip) -> dict[str, Any]:
    return dict(facts(chip.name)["header"])


def data(chip: Chip) -> dict[str, Any]:
    return dict(facts(chip.name)["chip"])


def test_every_chip_file_has_a_second_source() -> None:
    assert all((FOLDER / f"{name}.json").is_file() for name in CHIPS)
    assert len(CHIPS) >= 4


def test_every_peripheral_of_the_header_is_declared_at_its_base(chip: Chip) -> None:
    named = {BASE_NAMES.get(ours, ours): p.base for ours, p in chip.peripherals.items()}
    compared = 0
    for name, base in header(chip)["bases"].items():
        short = name.removesuffix("_BASE")
        if short in BASE_NAMES.values() or not (
            short in NO_PERIPHERAL or any(part in short for part in PARTS)
        ):
            assert named.get(short) == base, short
            compared += 1
    assert compared > 40


def test_every_peripheral_of_embassys_data_is_declared_at_its_base(chip: Chip) -> None:
    bases = {p.base: p.name for p in chip.peripherals.values()}
    inside = [n for n, base in data(chip)["bases"].items() if base not in bases]
    # Calibration words, which we count to the block of identity words.
    assert sorted(inside) == ["TS_CAL1", "TS_CAL2"]
    assert len(data(chip)["bases"]) > 40


def test_interrupts_are_those_of_the_header_and_of_embassy(chip: Chip) -> None:
    ours = {name: number for number, name in chip.interrupts.items()}
    theirs = {name.replace("HASH_RNG", "RNG"): n for name, n in header(chip)["irqs"].items()}
    assert ours == theirs
    assert ours == data(chip)["irqs"]
    assert chip.nvic_lines == max(ours.values()) + 1
    assert chip.priority_bits == data(chip)["priority_bits"]


def test_each_request_of_a_peripheral_goes_to_the_vector_that_bears_its_name(chip: Chip) -> None:
    for p in chip.peripherals.values():
        for request, line in p.irqs.items():
            vector = chip.interrupts[line].casefold()
            if request == "global":
                assert p.name.rstrip("123").casefold() in vector, p.name
            else:
                assert request in vector, f"{p.name}.{request}"


def test_clock_gates_and_resets_are_the_bits_of_the_header(chip: Chip) -> None:
    fields = header(chip)["fields"]
    gated = [p for p in chip.peripherals.values() if p.gate]
    assert len(gated) >= 36
    # RTCEN clocks what the RTC counts; its registers answer without (as its writers all rely on).
    assert chip.peripherals["RTC"].gate is None
    for p in gated:
        assert p.gate is not None
        field = f"{GATES.get(p.name, p.name)}EN"
        assert fields[f"RCC.{p.gate.register}"][field] == [p.gate.bit, 1], p.name
        if p.name == "BKPSRAM":
            assert p.gate.reset_register is None
            continue
        reset = RESETS.get(field, field.removesuffix("EN") + "RST")
        assert fields[f"RCC.{p.gate.reset_register}"][reset] == [p.gate.reset_at, 1], p.name


def test_every_enable_bit_of_the_header_opens_a_gate(chip: Chip) -> None:
    ours = {(p.gate.register, p.gate.bit) for p in chip.peripherals.values() if p.gate}
    for register in ("AHB1ENR", "AHB2ENR", "AHB3ENR", "APB1ENR", "APB2ENR"):
        for field, (bit, _) in header(chip)["fields"].get(f"RCC.{register}", {}).items():
            assert field in FURTHER_GATES or (register, bit) in ours, field


def test_clock_gates_and_buses_are_those_of_embassy(chip: Chip) -> None:
    names = {"DAC1": "DAC"}
    for name, (register, _) in data(chip)["gates"].items():
        short = name.removeprefix("USB_")
        ours = chip.peripherals[names.get(short, short)]
        if ours.name == "RTC":  # embassy names a bit that the manuals do not have
            continue
        assert ours.gate is not None
        assert ours.gate.register == register
        assert register == f"{ours.bus}ENR"


def ours_of(signal: str) -> str:
    """Embassy's name of a signal as the data sheet has it."""
    for n in "12345":
        signal = signal.replace(f"SPI{n}_I2S_ext_SD", f"I2S{n}ext_SD")
        signal = signal.replace(f"SPI{n}_I2S_", f"I2S{n}_")
    signal = signal.removeprefix("RCC_") if "RCC_" in signal else signal
    signal = signal.replace("DAC1_", "DAC_").replace("RMII_MDIO", "MDIO")
    return signal.removeprefix("USB_")


def test_pins_have_the_alternate_functions_that_embassy_lists(chip: Chip) -> None:
    # Embassy leaves out what no driver uses: debug and trace pins, EVENTOUT, the I2S clock input.
    left_out = {"EVENTOUT", "JTMS", "SWDIO", "JTCK", "SWCLK", "JTDI", "JTDO", "SWO", "NJTRST"}
    left_out |= {"I2S_CKIN", "OTG_FS_VBUS", "TRACECLK", *(f"TRACED{n}" for n in range(4))}
    # It lists as AF0 what is no alternate function, and FSMC's data pins once more, multiplexed.
    left_out |= {"RTC_AF1", "OSC32_IN", "OSC32_OUT", "OSC_IN", "OSC_OUT"}
    left_out |= {f"FSMC_DA{n}" for n in range(16)}
    compared = 0
    for name, pin in chip.pins.items():
        theirs = {
            (int(af), ours_of(signal))
            for af, signals in data(chip)["pins"].get(name, {}).items()
            if af != "also"
            for signal in signals
            if ours_of(signal) not in left_out
        }
        ours = {
            (af, re.sub("^ETH_R?MII_", "ETH_", signal))  # embassy leaves that out, too
            for af, signals in pin.alternate.items()
            for signal in signals
            if signal not in left_out
        }
        assert ours == theirs, name
        compared += len(theirs)
    assert compared > 100
    assert set(data(chip)["pins"]) <= set(chip.pins)


def test_pins_have_the_additional_functions_that_embassy_lists(chip: Chip) -> None:
    for name, functions in data(chip)["pins"].items():
        for signal in functions.get("also", []):
            if signal != "RTC_AF1":  # the data sheet says what that is: TAMP1, OUT, TS
                assert ours_of(signal) in chip.pins[name].additional, name


def test_package_positions_are_those_of_embassy(chip: Chip) -> None:
    ours = {pin.positions[chip.package]: pin.name for pin in chip.pins.values()}
    assert ours == data(chip)["positions"]


def test_dma_requests_arrive_where_embassys_data_says(chip: Chip) -> None:
    theirs = {
        (name.replace("DAC1", "DAC"), re.sub(r"^adc\d$", "adc", request.lower())): sorted(lines)
        for name, requests in data(chip)["dma"].items()
        for request, lines in requests.items()
        # It has SDIO's once for each direction, too, and the extensions of I2S in one.
        if not (name == "SDIO" and request != "SDIO") and request != "EXT"
    }
    ours = {
        (name, request): sorted(map(str, lines))
        for name, p in chip.peripherals.items()
        for request, lines in p.dma.items()
        if not name.endswith("ext")
    }
    assert {key: ours.get(key) for key in theirs} == theirs
    assert {name for name, _ in set(ours) - set(theirs)} <= {"SPI4"}  # lacking in the F401's


def test_the_extensions_of_i2s_share_their_lines_as_embassys_data_says(chip: Chip) -> None:
    for name in ("I2S2", "I2S3"):
        requests = chip.peripherals[f"{name}ext"].dma.values()
        ours = {str(line) for lines in requests for line in lines}
        assert ours == set(data(chip)["dma"].get(name, {}).get("EXT", ours))


def test_every_pin_offers_eventout_and_only_debug_pins_start_held(chip: Chip) -> None:
    assert all(pin.alternate[15] == ("EVENTOUT",) for pin in chip.pins.values())
    held = {pin.name for pin in chip.pins.values() if pin.reset_af is not None}
    # The reset values of GPIOx_MODER say the same: 0b10 at 13, 14, 15 of A and at 3, 4 of B.
    assert held == {"PA13", "PA14", "PA15", "PB3", "PB4"}


def test_memories_and_identity_are_those_of_embassy(chip: Chip) -> None:
    theirs = data(chip)["memory"]
    flash = [(base, size) for kind, base, size in theirs if kind == "flash"]
    main = [(base, size) for base, size in flash if base < 0x1000_0000]
    assert chip.flash.base == main[0][0]
    assert chip.flash.size == sum(size for _, size in main)
    otp = next(m for m in chip.memories.values() if m.kind == "otp")
    assert (otp.base, otp.size) in flash
    ram = sorted((base, size) for kind, base, size in theirs if kind == "ram")
    whole = {m.base: m.size for m in chip.memories.values() if m.kind == "ram"}
    for base, size in ram:  # SRAM1 and SRAM2 follow one another: one memory of ours
        at = max(start for start in whole if start <= base)
        assert base + size <= at + whole[at]
    assert sum(whole.values()) == sum(size for _, size in ram)
    assert chip.idcode is not None
    assert chip.idcode & 0xFFF == data(chip)["device_id"]


def test_clock_limits_are_those_of_the_header(chip: Chip) -> None:
    limits, clocks = header(chip)["limits"], chip.clocks
    assert clocks.sysclk_max_hz == clocks.hclk_max_hz == limits["RCC_MAX_FREQUENCY"]
    assert clocks.pll["vco_in"] == (
        limits["RCC_PLLVCO_INPUT_MIN"],
        limits["RCC_PLLVCO_INPUT_MAX"],
    )
    assert clocks.pll["vco_out"] == (
        limits["RCC_PLLVCO_OUTPUT_MIN"],
        limits["RCC_PLLVCO_OUTPUT_MAX"],
    )
    least, most = clocks.pll["n"]
    # The F401's header keeps the 192 of early manuals; the HAL takes 50 there (IS_RCC_PLLN_VALUE).
    assert least in (limits["RCC_PLLN_MIN_VALUE"], 50)
    assert most == limits["RCC_PLLN_MAX_VALUE"]
    scales = [v for k, v in limits.items() if k.startswith("RCC_MAX_FREQUENCY_SCALE")]
    assert {*scales, limits["RCC_MAX_FREQUENCY"]} == set(clocks.vos_hclk_hz.values())
    assert all(a <= b for a, b in pairwise(hz for _, hz in sorted(clocks.vos_hclk_hz.items())))


def test_wait_states_at_full_supply_are_those_of_the_header(chip: Chip) -> None:
    limits = header(chip)["limits"]
    best = min(int(k[11]) for k in limits if k.startswith("FLASH_SCALE"))  # the fastest scale
    theirs = [v for k, v in limits.items() if k.startswith(f"FLASH_SCALE{best}_LATENCY")]
    row = next(row for row in chip.clocks.wait_states if row.min_uv <= 3_300_000 <= row.max_uv)
    assert list(row.hclk_hz) == [*theirs, chip.clocks.hclk_max_hz]


def test_the_debug_registers_and_the_rom_table_tell_the_chips_identity(chip: Chip) -> None:
    assert chip.idcode is not None
    rom = load_register_map(str(chip.peripherals["ROMTABLE"].registers)).registers
    part = rom["PIDR0"].reset | (rom["PIDR1"].reset & 15) << 8
    assert part == chip.idcode & 0xFFF


def test_ports_with_debug_pins_reset_to_what_the_svd_says(chip: Chip) -> None:
    for port in ("GPIOA", "GPIOB"):
        resets = chip.peripherals[port].options["reset"]
        assert isinstance(resets, dict)
        for register, (_, reset, _) in facts(chip.name)["svd"][port].items():
            if (port, register) == ("GPIOA", "OSPEEDR"):
                reset = 0x0C00_0000  # the SVDs have 0; the manuals have PA13 at very high speed
            assert resets.get(register, 0) == reset, (port, register)
