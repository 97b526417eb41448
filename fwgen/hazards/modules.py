"""Parts with a behaviour: what breaks their protocols and timing."""

from __future__ import annotations

from fwgen.hazards.types import ERROR, WARNING, Kind

SHEET = "the part's data sheet"

KINDS = (
    Kind(
        "74hc595-timing", ERROR, "edges too close for a 74HC595", SHEET,
        "Pulses and set-up times shorter than the supply allows are missed, or shift a wrong bit.",
        "put an instruction or two between the edges",
    ),
    Kind(
        "dht-start", ERROR, "a start that a DHT22 does not take", SHEET,
        "It answers only after the line was held low for 0.8 ms to 20 ms.",
        "hold the line low for 1 ms",
    ),
    Kind(
        "dht-too-soon", ERROR, "a DHT22 asked too soon", SHEET,
        "In its first second, and within two seconds of the last reading, it does not answer.",
        "wait a second after reset, and two between readings",
    ),
    Kind(
        "lcd-busy", ERROR, "a display written to while it is busy", SHEET,
        "What comes before the last instruction is done is lost.",
        "wait as long as the instruction takes, or read the busy flag",
    ),
    Kind(
        "lcd-timing", ERROR, "bus timing too fast for a display", SHEET,
        "Shorter pulses and set-up times are missed, or read wrong.",
        "put a delay between the edges",
    ),
    Kind(
        "lcd-too-soon", ERROR, "a display spoken to before it is up", SHEET,
        "It needs 15 ms from when its supply is there.",
        "wait 15 ms first, 40 ms at 3 V",
    ),
    Kind(
        "motor-pwm", ERROR, "a motor driver switched too fast", SHEET,
        "Above its limit it does not follow, and heats up.",
        "slow the PWM down",
    ),
    Kind(
        "oled-command", WARNING, "a command that a display does not have", SHEET,
        "What its command table does not have is reserved: it may be ignored, or set something.",
        "send only what the command table has, in its order",
    ),
    Kind(
        "oled-dc", ERROR, "data or command changes within a byte", SHEET,
        "D/C is taken with the last bit of a byte: data become commands, or commands data.",
        "move D/C while nothing is sent: wait until BSY is 0",
    ),
    Kind(
        "oled-no-pump", ERROR, "a display switched on without its charge pump", SHEET,
        "The panel has no voltage, and stays dark.",
        "send 8Dh 14h before AFh",
    ),
    Kind(
        "oled-reset", ERROR, "a display spoken to without a proper reset", SHEET,
        "RES# must be low for 3 us once the supply is there, and high for 3 us before the first "
        "byte; until then its registers hold chance.",
        "pull RES# low for 10 us, raise it, and wait 10 us",
    ),
    Kind(
        "onewire-recovery", ERROR, "1-Wire slots without a pause", SHEET,
        "The line must be high for 1 us between two slots.",
        "let go of the line for longer",
    ),
    Kind(
        "onewire-slot", ERROR, "a 1-Wire slot out of its times", SHEET,
        "A device samples 15 us to 60 us into a slot: what is neither short nor long is either.",
        "mend the delays",
    ),
    Kind(
        "part-empty", ERROR, "a FIFO of a part read while it is empty", SHEET,
        "It gives the last byte once more.",
        "read how many bytes there are before",
    ),
    Kind(
        "part-ignored", ERROR, "a write that a part does not take", SHEET,
        "What it cannot do now, or what can only be read, is not written.",
        "write it when its data sheet allows",
    ),
    Kind(
        "part-reserved", WARNING, "reserved bits or values written to a part", SHEET,
        "What it does then is not defined.",
        "write what the data sheet asks for there, as a rule 0",
    ),
    Kind(
        "part-too-soon", ERROR, "a part spoken to before it is up", SHEET,
        "After power-on and after a reset it needs its time: until then it may not answer, or "
        "forget what it is told.",
        "wait as long as its data sheet says",
    ),
    Kind(
        "part-torn", ERROR, "a value read in pieces of two measurements", SHEET,
        "Between two transfers a part may measure anew: the high byte is of one value and the low "
        "byte of another.",
        "read all bytes of a value in one transfer",
    ),
    Kind(
        "serial-baud", ERROR, "a device hears another rate than its own", "ST AN4908 §2",
        "With more than 2 % between them the last bits of a frame are read wrong.",
        "send at the device's rate",
    ),
    Kind(
        "serial-framing", ERROR, "a device hears a frame without its stop bit", "ST AN4908 §2",
        "The frame is lost.",
        "send at the device's rate, 8 bits, no parity",
    ),
    Kind(
        "servo-pulse", ERROR, "a servo driven against its stop", SHEET,
        "A pulse beyond its range makes it push against its stop, and heat up.",
        "keep the width within its range",
    ),
    Kind(
        "servo-rate", ERROR, "a servo's pulses at a wrong rate", SHEET,
        "It expects a pulse every 20 ms; faster or slower ones make it jitter or lose its hold.",
        "set the period to 20 ms",
    ),
    Kind(
        "sonar-too-soon", WARNING, "a sonar triggered too soon", SHEET,
        "It may hear the last measurement's echo.",
        "wait 60 ms between two measurements",
    ),
    Kind(
        "sonar-trigger", ERROR, "a trigger too short for a sonar", SHEET,
        "It needs 10 us, and may not measure.",
        "hold trig high for 10 us",
    ),
    Kind(
        "ws2812-bits", ERROR, "colours cut short", SHEET,
        "An LED takes 24 bits; a pause within them latches what is there.",
        "send whole colours without a pause",
    ),
    Kind(
        "ws2812-timing", ERROR, "pulses that a WS2812B may misread", SHEET,
        "Widths more than 150 ns off may be read as the other bit, or as a pause.",
        "let a timer with DMA, or SPI, make the pulses",
    ),
)  # fmt: skip
