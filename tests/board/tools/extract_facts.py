"""Draws facts about a chip out of second sources, into the data file that the tests read.

    python tests/board/tools/extract_facts.py --header stm32f401xe.h --chip STM32F401RE.json \
        --package LQFP64 --svd STM32F41x.svd --note "..." > tests/board/facts/stm32f401re.json

Second sources are ST's CMSIS device header (bases, IRQ numbers, register offsets, bit positions,
limits of the clocks),
the generated chip JSON of embassy's stm32-data (pins and alternate functions, interrupts, clock
gates, memories) and a CMSIS-SVD file of the same generation of IP (register offsets, reset values,
fields). Only facts are kept: names and numbers.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

from fwgen.board.svd import peripheral_names, peripheral_registers, read_svd

WIDTHS = {"uint32_t": 4, "uint16_t": 2, "uint8_t": 1}


def header_facts(text: str) -> dict[str, Any]:
    """Bases, IRQ numbers, structs as register -> offset, and fields as register -> bits."""
    irqs = {m[1]: int(m[2]) for m in re.finditer(r"^\s*(\w+)_IRQn\s*=\s*(\d+)", text, re.M)}
    bases: dict[str, int] = {}
    define = re.compile(
        r"^#define\s+(\w+_BASE)\s+\(?(?:(\w+_BASE)\s*\+?\s*)?(?:(0x[0-9A-Fa-f]+)UL)?", re.M
    )
    for name, parent, number in define.findall(text):
        bases[name] = bases.get(parent, 0) + int(number or "0", 16)
    structs: dict[str, dict[str, int]] = {}
    for body, name in re.findall(r"typedef struct\s*\{(.*?)\}\s*(\w+)TypeDef;", text, re.S):
        offset, registers = 0, {}
        for kind, member, count in re.findall(
            r"^\s*(?:__IO?\s+)?(?:const\s+)?(uint\d+_t)\s+(\w+)(?:\[(\w+)\])?\s*;", body, re.M
        ):
            size, n = WIDTHS[kind], int(count, 0) if count else 1
            if not member.lower().startswith("reserved"):
                for i in range(n):
                    registers[f"{member}{i}" if count else member] = offset + i * size
            offset += size * n
        structs[name.rstrip("_")] = registers
    fields: dict[str, dict[str, list[int]]] = {}
    positions = {m[1]: int(m[2]) for m in re.finditer(r"#define\s+(\w+)_Pos\s+\((\d+)U\)", text)}
    masks = re.finditer(r"#define\s+(\w+)_Msk\s+\((0x[0-9A-Fa-f]+)UL\s*<<\s*\1_Pos\)", text)
    for name, mask in ((m[1], int(m[2], 16)) for m in masks):
        peripheral, _, rest = name.removeprefix("USB_").partition("_")
        register, _, field = rest.partition("_")
        if field:
            key = f"{peripheral}.{register}"
            fields.setdefault(key, {})[field] = [positions[name], mask.bit_length()]
    limit = re.compile(
        r"^#define\s+((?:RCC_(?:MAX_FREQUENCY|PLLVCO|PLLN_M)|FLASH_SCALE)\w*)\s+(\d+)U", re.M
    )
    limits = {m[1]: int(m[2]) for m in limit.finditer(text)}
    found = {"irqs": irqs, "bases": bases, "structs": structs, "fields": fields}
    return found | {"limits": limits}


def chip_facts(data: dict[str, Any], package: str) -> dict[str, Any]:
    """Pins with alternate functions, bases, clock gates and interrupts of embassy's chip JSON."""
    core = data["cores"][0]
    pins: dict[str, dict[str, list[str]]] = {}
    dma: dict[str, dict[str, list[str]]] = {}
    gates: dict[str, list[str]] = {}
    bases: dict[str, int] = {}
    for peripheral in core["peripherals"]:
        name = peripheral["name"]
        bases[name] = peripheral["address"]
        rcc = peripheral.get("rcc") or {}
        if "enable" in rcc:
            gates[name] = [rcc["enable"]["register"], rcc["enable"]["field"]]
        for use in peripheral.get("pins", []):
            af = str(use["af"]) if "af" in use else "also"
            pins.setdefault(use["pin"], {}).setdefault(af, []).append(f"{name}_{use['signal']}")
        for use in peripheral.get("dma_channels", []):
            line = f"{use['channel'].replace('_CH', '.')}.{use['request']}"
            dma.setdefault(name, {}).setdefault(use["signal"], []).append(line)
    positions = {
        pin["position"]: pin["signals"][0]
        for pin in next(p for p in data["packages"] if p["package"] == package)["pins"]
        if re.fullmatch(r"P[A-K]\d+", pin["signals"][0])
    }
    return {
        "pins": pins,
        "positions": positions,
        "dma": dma,
        "gates": gates,
        "bases": bases,
        "irqs": {i["name"]: i["number"] for i in core["interrupts"]},
        "priority_bits": core["nvic_priority_bits"],
        "device_id": data["device_id"],
        "memory": [[m["kind"], m["address"], m["size"]] for m in data["memory"][0]],
    }


#: Peripherals of the SVD whose IP is the same on the chip at hand.
SVD_PERIPHERALS = (
    *(
        "ADC1",
        "C_ADC",
        "CAN1",
        "CRC",
        "DAC",
        "DBG",
        "DCMI",
        "DMA2",
        "EXTI",
        "FLASH",
        "FSMC",
        "GPIOA",
        "GPIOB",
        "GPIOI",
        "I2C3",
        "IWDG",
        "PWR",
    ),
    *(
        "OTG_FS_GLOBAL",
        "OTG_FS_HOST",
        "OTG_FS_DEVICE",
        "OTG_FS_PWRCLK",
        "RCC",
        "RNG",
        "RTC",
        "SDIO",
    ),
    *("SPI1", "SYSCFG", "TIM1", "TIM2", "TIM9", "TIM10", "USART6", "WWDG"),
)


def svd_facts(root: ET.Element) -> dict[str, dict[str, list[Any]]]:
    """Offset, reset value and fields of each register of each peripheral of an SVD file."""
    return {
        name: {
            r.name: [r.offset, r.reset, {f.name: [f.lsb, f.width] for f in r.fields}]
            for r in peripheral_registers(root, name)
        }
        for name in peripheral_names(root)
        if name in SVD_PERIPHERALS
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("--header", "--chip", "--svd"):
        parser.add_argument(option, type=Path, required=True)
    parser.add_argument("--package", required=True, help="as the chip JSON calls it")
    parser.add_argument("--note", action="append", default=[], help="where a source came from")
    arguments = parser.parse_args()
    sources = [arguments.header, arguments.chip, arguments.svd]
    facts = {
        "provenance": {
            "notes": arguments.note,
            "sha256": {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sources},
        },
        "header": header_facts(arguments.header.read_text(encoding="utf-8", errors="replace")),
        "chip": chip_facts(
            json.loads(arguments.chip.read_text(encoding="utf-8")), arguments.package
        ),
        "svd": svd_facts(read_svd(arguments.svd)),
    }
    # One line for each register or pin: compact, and still a readable diff.
    sys.stdout.write("{\n")
    for n, (section, body) in enumerate(facts.items()):
        sys.stdout.write(f'{"," if n else ""}"{section}": {{\n')
        lines = (f'"{k}": {json.dumps(v, separators=(",", ":"))}' for k, v in body.items())
        sys.stdout.write(",\n".join(lines) + "\n}\n")
    sys.stdout.write("}\n")


if __name__ == "__main__":
    main()
