"""What the channels of an ADC are connected to, and what must hold for a sample to be worth it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from fwgen.machine.stm32.adc_v2.conversion import most_ohm
from fwgen.machine.stm32.gpio_v2 import ANALOG, Gpio
from fwgen.machine.time import NEVER
from fwgen.units import PS_PER_S, PS_PER_US, show_duration, show_voltage

if TYPE_CHECKING:
    from fwgen.board.types import PeripheralSpec, Pin
    from fwgen.machine.pads import Pad
    from fwgen.machine.soc import Soc

# Where the internal sources are unless the chip file says otherwise (``internal``): RM0368 §11.10
# has the temperature sensor share a channel with VBAT. ST's drivers for the STM32F401
# (stm32f4xx_hal_adc_ex.h, stm32f4xx_ll_adc.h) and Arduino's core convert it on channel 16 instead.
INTERNAL = {"reference": [17], "sensor": [16, 18], "vbat": [18]}

# DS10086, temperature sensor, embedded reference and VBAT monitoring characteristics: typical.
SENSOR_25C_UV, SENSOR_SLOPE_UV = 760_000, 2_500  # at 25 °C, per degree
REFERENCE_UV = 1_210_000
VBAT_RATIO = 4
INTERNAL_SAMPLING_PS = 10 * PS_PER_US  # the shortest, for the sensor and the reference
VBAT_SAMPLING_PS = 5 * PS_PER_US
INTERNAL_START_PS = 10 * PS_PER_US  # longest, after TSVREFE is set
OVER_SUPPLY_UV = (
    300_000  # a pin in analog mode stands so much above VDDA (absolute maximum ratings)
)

DIE_C = 25  # the chip is at room temperature
CALIBRATION_UV = 3_300_000  # VDDA at the factory
CALIBRATION_C = (30, 110)


class Flaw(NamedTuple):
    """Why a sample is not what it seems."""

    code: str
    message: str
    section: str
    cure: str


class Switches(NamedTuple):
    """What CCR connects: since when the sensor and the reference are on, and whether VBAT is."""

    since_ps: int | None
    vbat: bool


class Inputs:
    """The channels of one ADC."""

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        self._soc = soc
        internal = spec.options.get("internal", INTERNAL)
        assert isinstance(internal, dict)
        self._internals: dict[str, list[int]] = internal  # source -> its channels
        ratio = spec.options.get("vbat_ratio", VBAT_RATIO)
        assert isinstance(ratio, int)
        self._vbat_ratio = ratio
        self._pins: dict[int, Pin] = {}
        for pin in soc.chip.pins.values():
            for signal in pin.additional:
                prefix, _, number = signal.rpartition("_IN")
                if prefix == spec.name and number.isdecimal():
                    self._pins[int(number)] = pin

    def pad(self, channel: int) -> Pad | None:
        """The pad of an external channel."""
        pin = self._pins.get(channel)
        return self._soc.fabric.pads[pin.name] if pin is not None else None

    def between_until(self, channel: int, t_ps: int, lowest: int, highest: int) -> int:
        """Until when a channel's 12-bit code surely is in a range, unless somebody does something.

        ``t_ps`` itself when that is not sure even then.
        """
        pad = self.pad(channel)
        if pad is None:
            return NEVER
        # The voltages that are nearest to these codes and no others; no bound at the ends.
        step = self._soc.board.supply_uv / 4096
        low = round((lowest - 0.5) * step) + 1 if lowest > 0 else -NEVER
        high = round((highest + 0.5) * step) - 1 if highest < 4095 else NEVER
        return pad.between_until(t_ps, low, high)

    def sample(self, channel: int, t_ps: int, switches: Switches) -> int:
        """Microvolts at a channel. What floats reads as chance will have it."""
        pad = self.pad(channel)
        if pad is not None:
            uv, _ = pad.voltage_at(t_ps)
            return self._noise(f"{pad.name} {t_ps}") if uv is None else uv
        source = self._source(channel, switches)
        if source == "vbat" and switches.vbat:
            return self._soc.board.supply_uv // self._vbat_ratio  # VBAT is wired to VDD
        if source in ("reference", "sensor") and switches.since_ps is not None:
            return REFERENCE_UV if source == "reference" else sensor_uv(DIE_C)
        return self._noise(f"{channel} {t_ps}")

    def _source(self, channel: int, switches: Switches) -> str:
        """What is connected to a channel inside; where two share it, VBAT while it is on."""
        names = [name for name, at in self._internals.items() if channel in at]
        if len(names) > 1:
            names.remove("sensor" if switches.vbat else "vbat")
        return names[0] if names else ""

    def _noise(self, salt: str) -> int:
        supply = self._soc.board.supply_uv
        return crc32(f"{salt} {self._soc.chance}".encode()) * supply >> 32

    # ------------------------------------------------------------------ what silicon would not do

    def flaws(
        self, channel: int, t_ps: int, switches: Switches, cycles: int, hz: float, bits: int
    ) -> list[Flaw]:
        """What is wrong with a sample of ``cycles`` at ``hz`` (ADCCLK), held at ``t_ps``."""
        pin = self._pins.get(channel)
        sampled_ps = int(cycles * PS_PER_S / hz)
        if pin is None:
            return self._internal(channel, t_ps, switches, sampled_ps)
        found = []
        uv, ohm = self._soc.fabric.pads[pin.name].voltage_at(t_ps)
        port = self._soc.peripherals.get(f"GPIO{pin.port}")
        if isinstance(port, Gpio) and port.mode(pin.index) != ANALOG:
            found.append(Flaw(
                "adc-pin-mode",
                f"{pin.name} is converted (channel {channel}) but is not in analog mode: its input "
                "stage, pull or output acts on what is measured",
                "RM0368 §8.3.12", f"set MODER of {pin.name} to 11",
            ))  # fmt: skip
        if uv is None:
            found.append(Flaw(
                "floating-input",
                f"{pin.name} is converted (channel {channel}), yet nothing holds it at a voltage",
                "RM0368 §8.3.12", "wire the pin, or convert the channel that is wired",
            ))  # fmt: skip
            return found
        supply = self._soc.board.supply_uv
        if uv > supply + OVER_SUPPLY_UV or uv < -OVER_SUPPLY_UV:
            found.append(Flaw(
                "over-voltage",
                f"{pin.name} is at {show_voltage(uv)}: in analog mode a pin stands VDDA and "
                f"{show_voltage(OVER_SUPPLY_UV)} more",
                "DS10086, absolute maximum ratings", "divide the voltage",
            ))  # fmt: skip
        if ohm and ohm > (most := most_ohm(cycles, hz, bits)):
            found.append(Flaw(
                "adc-sampling",
                f"{pin.name} is sampled for {cycles} cycles ({show_duration(sampled_ps, 4)}), too "
                f"short for a source of {ohm} ohm: at most {most} ohm are sampled to 1/4 LSB",
                "DS10086, ADC characteristics, equation 1", f"raise SMP{channel}, or slow ADCCLK",
            ))  # fmt: skip
        return found

    def _internal(self, channel: int, t_ps: int, switches: Switches, sampled_ps: int) -> list[Flaw]:
        section = "RM0368 §11.9"
        source = self._source(channel, switches)
        if not source:
            cure = "choose a channel that a pin has"
            if self._internals:
                known = sorted({at for channels in self._internals.values() for at in channels})
                cure += f", or {known[0]} to {known[-1]}"
            return [Flaw(
                "adc-channel", f"channel {channel} is connected to nothing", "RM0368 §11.3.3", cure
            )]  # fmt: skip
        if source == "vbat" and switches.vbat:
            least, what = VBAT_SAMPLING_PS, "VBAT"
        elif source == "vbat" or switches.since_ps is None:
            shared = channel in self._internals["vbat"]
            bit = "VBATE" if source == "vbat" else "TSVREFE"
            if source == "sensor" and shared:
                bit = "TSVREFE or VBATE"
            return [Flaw(
                "adc-source-off", f"channel {channel} is converted while it is off",
                section, f"set {bit} in ADC_CCR",
            )]  # fmt: skip
        else:
            least = INTERNAL_SAMPLING_PS
            what = "VREFINT" if source == "reference" else "the temperature sensor"
            if t_ps - sampled_ps < switches.since_ps + INTERNAL_START_PS:
                return [Flaw(
                    "adc-source-starting",
                    f"{what} is sampled before it is up: it takes "
                    f"{show_duration(INTERNAL_START_PS)} after TSVREFE is set",
                    "DS10086, temperature sensor characteristics", "wait before the conversion",
                )]  # fmt: skip
        if sampled_ps >= least:
            return []
        return [Flaw(
            "adc-sampling",
            f"{what} is sampled for {show_duration(sampled_ps, 4)}: it takes "
            f"{show_duration(least)}",
            section, f"raise SMP{channel}",
        )]  # fmt: skip


def sensor_uv(celsius: int) -> int:
    """What the temperature sensor gives, in microvolts."""
    return SENSOR_25C_UV + SENSOR_SLOPE_UV * (celsius - 25)
