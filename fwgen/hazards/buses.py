"""Hazards of SPI, I2S and I2C, and of the parts on these buses."""

from __future__ import annotations

from fwgen.hazards.types import ERROR, NOTE, WARNING, Kind

SPI = (
    Kind(
        "cs-within-frame", ERROR, "a part deselected within a frame", "RM0368 §20.3.8",
        "The chip select rises while bits are still on their way: the part drops the byte, and "
        "with it often the whole instruction.",
        "wait until BSY is 0 before raising the chip select",
    ),
    Kind(
        "i2s-cut", ERROR, "I2S switched off within a sample", "RM0368 §20.4.5",
        "Clearing I2SE while a sample is sent loses what is left of it.",
        "wait for TXE, then for BSY to fall, before clearing I2SE",
    ),
    Kind(
        "i2s-divider", ERROR, "a divider of I2S that is forbidden", "RM0368 §20.5.9",
        "I2SDIV of 0 or 1 is not allowed: what the clock does then is not defined.",
        "set I2SDIV to 2 or more",
    ),
    Kind(
        "i2s-extension-master", ERROR, "an I2S extension as a master", "RM0368 §20.4.2",
        "I2S2ext and I2S3ext have no clock of their own: they send or receive as slaves of I2S2 "
        "and I2S3.",
        "set I2SCFG of the extension to slave transmit or slave receive",
    ),
    Kind(
        "i2s-no-clock", ERROR, "I2S without its clock", "RM0368 §20.4.4",
        "I2S is clocked by the PLLI2S. While that is off, nothing moves.",
        "set PLLI2SCFGR, then PLLI2SON in RCC_CR, and wait for PLLI2SRDY",
    ),
    Kind(
        "spi-cut", ERROR, "SPI switched off within a frame", "RM0368 §20.3.8",
        "Clearing SPE while a frame is on its way loses it, and leaves the part amid a byte.",
        "wait for TXE, then for BSY to fall, before clearing SPE",
    ),
    Kind(
        "spi-mode-fault", WARNING, "a master whose NSS is low", "RM0368 §20.3.9",
        "The port takes it that another master is there: it becomes a slave, and is off.",
        "set SSM and SSI in CR1, or SSOE in CR2, unless there is another master",
    ),
    Kind(
        "spi-not-connected", WARNING, "clocked, but on no pin", "RM0368 §8.3.2",
        "No pin is set to the port's SCK or MOSI: nothing comes out.",
        "set MODER to alternate function, and AFR, of a pin that has its SCK",
    ),
    Kind(
        "spi-reconfigured", ERROR, "SPI set up anew within a frame", "RM0368 §20.5.1",
        "Rate, mode and frame format must not change while a frame is on its way, nor those of I2S "
        "while it is on.",
        "wait until BSY is 0, and clear SPE (or I2SE) first",
    ),
    Kind(
        "spi-slave-empty", NOTE, "a slave clocked with nothing to send", "RM0368 §20.3.5",
        "What a slave shifts out before its DR was written is not defined.",
        "write DR before the master begins",
    ),
)  # fmt: skip

I2C = (
    Kind(
        "i2c-cr1-pending", WARNING, "CR1 written while START, STOP or PEC is pending",
        "RM0368 §18.6.1",
        "Hardware clears these bits when it has done its part. Software that reads CR1 before and "
        "writes it after may set them once more: a second START, STOP or PEC.",
        "wait until START, STOP and PEC are 0 in CR1 before writing it",
    ),
    Kind(
        "i2c-cut", ERROR, "I2C switched off within a transfer", "RM0368 §18.6.1",
        "A part that is sending a 0 goes on holding SDA low, and the bus is stuck. A STOP that was "
        "asked for, but is not out yet, may be lost: parts take what comes next for the same "
        "transfer.",
        "set STOP, and wait until it falls, before",
    ),
    Kind(
        "i2c-data-lost", WARNING, "STOP before the last byte", "RM0368 §18.3.3",
        "STOP comes after the byte in the shift register: the one that waits in DR is never sent.",
        "wait for BTF before setting STOP",
    ),
    Kind(
        "i2c-freq", WARNING, "FREQ that is not the clock's", "RM0368 §18.6.2",
        "Set-up and hold times are made from FREQ: with another clock they are wrong.",
        "set FREQ in CR2 to PCLK1 in MHz",
    ),
    Kind(
        "i2c-no-pull-up", ERROR, "an I2C bus that nothing pulls up", "UM10204 §7.1",
        "The lines are only ever driven low: without a pull-up they stay there.",
        'fit a resistor to the supply (in the board or contract: kind = "resistor", pull = "up")',
    ),
    Kind(
        "i2c-no-rate", ERROR, "an I2C port without a rate", "RM0368 §18.6.8",
        "CCR is 0, or the port has no clock: the bus does not move.",
        "write CCR before PE",
    ),
    Kind(
        "i2c-not-connected", ERROR, "an I2C line on no pin", "RM0368 §8.3.2",
        "No pin is set to the port's SCL or SDA: nobody answers.",
        "set MODER to alternate function, and AFR, of a pin that has it",
    ),
    Kind(
        "i2c-not-sending", WARNING, "a byte written while nothing is sent", "RM0368 §18.6.5",
        "DR takes bytes only after SB, or after the address of a transfer that sends.",
        "wait for SB, or for TXE after the address, before writing DR",
    ),
    Kind(
        "i2c-push-pull", ERROR, "an I2C line driven high", "RM0368 §8.3.7",
        "A push-pull output fights every part that pulls the line low: to acknowledge, to stretch.",
        "set the pin's bit in OTYPER: open drain",
    ),
    Kind(
        "i2c-reconfigured", WARNING, "I2C timing changed while the port is on",
        "RM0368 §18.6.8, §18.6.9",
        "CCR and TRISE must only be written while PE is 0: what SCL does else is not defined.",
        "clear PE, write CCR and TRISE, and set PE again",
    ),
    Kind(
        "i2c-sequence", ERROR, "an I2C flag not cleared as it must be", "RM0368 §18.6.6",
        "SB and ADD10 are cleared by a read of SR1 and then a write of DR. Without the read the "
        "address is not sent.",
        "read SR1 until the flag is 1, then write DR",
    ),
    Kind(
        "i2c-too-fast", WARNING, "SCL above its mode's limit", "RM0368 §18.6.8",
        "100 kHz in standard mode, 400 kHz in fast mode. Parts may miss bits beyond that.",
        "raise CCR",
    ),
    Kind(
        "i2c-trise", NOTE, "TRISE less than the mode needs", "RM0368 §18.6.9",
        "The port may take a line that rises slowly for one that is held low, and shorten SCL.",
        "set TRISE to the mode's longest rise time in clocks, plus 1",
    ),
    Kind(
        "i2c-weak-pull-up", NOTE, "only the chip pulls an I2C bus up", "DS10086 RPU, UM10204 §7.1",
        "40 kilohms raise the lines within microseconds: enough for short wires and slow rates.",
        "fit a resistor of some kilohms to the supply",
    ),
    Kind(
        "i2c-weak-pull-up-fast", WARNING, "only the chip pulls a fast I2C bus up",
        "DS10086 RPU, UM10204 §7.1",
        "40 kilohms raise the lines within microseconds; fast mode wants 300 ns.",
        "fit a resistor of some kilohms to the supply",
    ),
)  # fmt: skip

PARTS = (
    Kind(
        "part-asleep", ERROR, "an instruction to a part that sleeps", "the part's data sheet",
        "In power-down only the instruction that ends it is heard.",
        "wake it, and wait as long as its data sheet says",
    ),
    Kind(
        "part-busy", ERROR, "an instruction to a part that is busy", "the part's data sheet",
        "While it programs or erases, a flash hears only what reads its status.",
        "poll BUSY before",
    ),
    Kind(
        "part-cut-short", ERROR, "an instruction that ends within a byte", "the part's data sheet",
        "A part carries out only what ends with a whole byte.",
        "send whole bytes",
    ),
    Kind(
        "part-not-enabled", ERROR, "a write that was not enabled", "the part's data sheet",
        "Each program, erase and status write takes a Write Enable of its own before it.",
        "send Write Enable (06h) before it",
    ),
    Kind(
        "part-not-erased", ERROR, "a flash programmed where it is not erased",
        "the part's data sheet",
        "Programming only makes zeros of ones: cells that hold data come to hold the AND of both.",
        "erase the sector first",
    ),
    Kind(
        "part-page-wrap", ERROR, "a write past the end of a page", "the part's data sheet",
        "What goes past the end of a page comes round to its beginning, and overwrites that.",
        "split what you write at the ends of pages",
    ),
    Kind(
        "part-too-fast", ERROR, "a part clocked above its limit", "the part's data sheet",
        "Above the rate that its data sheet gives a part may miss bits, or answer too late.",
        "lower the rate of the bus",
    ),
)  # fmt: skip
