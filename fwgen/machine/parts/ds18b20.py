"""DS18B20: a thermometer on a 1-Wire bus, with its ROM code, scratchpad and CRC.

Source: Analog Devices DS18B20 data sheet (19-7487): 1-Wire signalling and AC electrical
characteristics, ROM and function commands, scratchpad, CRC generation. Power is external.
Not modelled: parasite power, and wear of the EEPROM.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.parts.module import ModuleModel
from fwgen.units import PS_PER_US, show_duration

if TYPE_CHECKING:
    from fwgen.board.types import Module
    from fwgen.machine.soc import Soc

US = PS_PER_US
RESET_PS = 480 * US
PRESENCE_WAIT_PS, PRESENCE_PS = 30 * US, 120 * US
SAMPLE_PS = 30 * US  # when a slot is sampled; it may be from 15 us to 60 us
ONE_MOST_PS, ZERO_LEAST_PS, ZERO_MOST_PS = 15 * US, 60 * US, 120 * US
SLOT_PS, RECOVERY_PS, LOW_LEAST_PS = 60 * US, 1 * US, 1 * US
HOLD_PS = 30 * US  # how long a 0 is held when it is read: at least 15 us
CONVERSION_PS = 750_000 * US  # of 12 bits; half for each bit less

FAMILY = 0x28
SEARCH, READ_ROM, MATCH, SKIP, ALARM = 0xF0, 0x33, 0x55, 0xCC, 0xEC
CONVERT, WRITE, READ, COPY, RECALL, POWER = 0x44, 0x4E, 0xBE, 0x48, 0xB8, 0xB4


def crc8(data: bytes) -> int:
    """X^8 + X^5 + X^4 + 1, least significant bit first, from 0."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8C if crc & 1 else 0)
    return crc


def code_of(serial: int) -> bytes:
    """The 64-bit ROM code: family, serial number, CRC."""
    data = bytes([FAMILY]) + serial.to_bytes(6, "little")
    return data + bytes([crc8(data)])


class Ds18b20(ModuleModel):
    """One chip; several may share a pin."""

    SOURCE = "DS18B20 data sheet"

    def __init__(self, soc: Soc, spec: Module) -> None:
        super().__init__(soc, spec)
        self.rom = code_of(self.setting("serial"))
        self.eeprom = bytes([0x4B, 0x46, 0x7F])
        if self.word("pull") == "up":
            self.pads["data"].set_resistor(0, 1)
        self.hear("data", self._moved)

    def power_on(self, t_ps: int) -> None:
        """The temperature register is at +85 °C until something is converted."""
        self._raw = 0x0550
        self._th, self._tl, self._config = self.eeprom
        self._idle()
        self._fell = self._rose = -1
        self._ready_ps = self._saved_ps = 0
        self._own = False  # it holds the line itself
        self._present_ps = -1
        self.drive(t_ps, "data", None)

    def _idle(self) -> None:
        self._phase = "idle"
        self._in: list[int] = []
        self._out: list[int] = []
        self._at = 0

    # ------------------------------------------------------------------ the line

    def _moved(self, t_ps: int, level: int) -> None:
        if not level:
            self._falls(t_ps)
        elif self._fell >= 0:
            self._rises(t_ps)

    def _falls(self, t_ps: int) -> None:
        if self._phase != "idle" and self._rose >= 0 and t_ps - self._rose < RECOVERY_PS:
            self._complain(t_ps, "onewire-recovery", "two slots follow each other within 1 us",
                           "tREC", "let the line be high for 1 us between slots")  # fmt: skip
        if self._phase not in ("idle", "reset") and t_ps - self._fell < SLOT_PS:
            self._complain(
                t_ps, "onewire-slot", f"a slot of {show_duration(t_ps - self._fell)}: it lasts "
                "60 us at least", "tSLOT", "wait 60 us from one falling edge to the next",
            )  # fmt: skip
        if self._phase == "reset" and t_ps < self._present_ps:
            return  # the presence pulse itself
        self._fell = t_ps
        if self._phase == "reset":
            self._phase = "rom"
        if self._sends() and not self._out[0]:
            self._own = True
            self.drive(t_ps, "data", 0)
            self.later(t_ps + HOLD_PS, self._let_go)

    def _let_go(self, t_ps: int) -> None:
        self._own = False
        self.drive(t_ps, "data", None)

    def _sends(self) -> bool:
        return self._phase not in ("idle", "reset") and bool(self._out)

    def _rises(self, t_ps: int) -> None:
        low = t_ps - self._fell
        self._rose = t_ps
        if self._phase == "reset" and t_ps < self._present_ps:
            return
        if low >= RESET_PS:
            self._idle()
            self._phase = "reset"
            self._present_ps = t_ps + PRESENCE_WAIT_PS + PRESENCE_PS + US
            self.later(t_ps + PRESENCE_WAIT_PS, lambda t: self.drive(t, "data", 0))
            self.later(t_ps + PRESENCE_WAIT_PS + PRESENCE_PS, self._present)
            return
        if self._phase in ("idle", "reset"):
            return
        if low > ZERO_MOST_PS:
            self._complain(
                t_ps, "onewire-slot", f"low for {show_duration(low)}: neither a slot (120 us at "
                "the most) nor a reset (480 us at least)", "tLOW0, tRSTL", "mend the delay",
            )  # fmt: skip
            self._idle()
            return
        if self._sends():
            if low < LOW_LEAST_PS:
                self._complain(t_ps, "onewire-slot", "a read slot shorter than 1 us", "tLOWR",
                               "hold the line low for 1 us")  # fmt: skip
            self._sent(t_ps)
            return
        if ONE_MOST_PS < low < ZERO_LEAST_PS:
            self._complain(
                t_ps, "onewire-slot", f"low for {show_duration(low)}: neither a 1 (1 us to 15 us) "
                "nor a 0 (60 us to 120 us)", "tLOW1, tLOW0", "mend the delay",
            )  # fmt: skip
        elif low < LOW_LEAST_PS:
            self._complain(t_ps, "onewire-slot", "a write slot shorter than 1 us", "tLOW1",
                           "hold the line low for 1 us")  # fmt: skip
        self._bit(t_ps, 0 if low > SAMPLE_PS else 1)

    def _present(self, t_ps: int) -> None:
        self.drive(t_ps, "data", None)

    def _complain(self, t_ps: int, code: str, message: str, symbol: str, cure: str) -> None:
        self.hazard(t_ps, code, message, f"AC electrical characteristics, {symbol}", cure)

    # ------------------------------------------------------------------ commands

    def _bit(self, t_ps: int, bit: int) -> None:
        """The master wrote a bit."""
        if self._phase == "search":
            if bit != self._rom_bit(self._at):
                self._idle()
                return
            self._at += 1
            if self._at < 64:
                self._offer()
            else:
                self._phase = "function"
            return
        self._in.append(bit)
        wanted = {"match": 64, "write": 24}.get(self._phase, 8)
        if len(self._in) < wanted:
            return
        number = sum(bit << i for i, bit in enumerate(self._in))
        self._in = []
        if self._phase == "rom":
            self._rom_command(number)
        elif self._phase == "match":
            self._phase = "function" if number == int.from_bytes(self.rom, "little") else "idle"
        elif self._phase == "write":
            self._th, self._tl = number & 0xFF, number >> 8 & 0xFF
            self._config = number >> 16 & 0x60 | 0x1F
            self._phase = "idle"
        elif self._phase == "function":
            self._function(t_ps, number)

    def _rom_command(self, command: int) -> None:
        if command == SKIP:
            self._phase = "function"
        elif command == MATCH:
            self._phase = "match"
        elif command == READ_ROM:
            self._phase = "function"
            self._send(self.rom)
        elif command == SEARCH or (command == ALARM and self._alarmed()):
            self._phase, self._at = "search", 0
            self._offer()
        else:
            self._idle()

    def _function(self, t_ps: int, command: int) -> None:
        self._phase = "after"
        if command == CONVERT:
            bits = 9 + (self._config >> 5 & 3)
            self._ready_ps = t_ps + CONVERSION_PS // (1 << 12 - bits)
            sixteenths = (self.sensed("temperature", t_ps) * 16 + 500) // 1000
            raw = sixteenths & -1 << 12 - bits
            self.later(self._ready_ps, lambda _t: self._converted(raw))
            self._phase = "busy"
            self._out = [0]
        elif command == READ:
            self._send(self.scratchpad())
        elif command == WRITE:
            self._phase = "write"
        elif command == COPY:
            self.eeprom = bytes([self._th, self._tl, self._config])
        elif command == RECALL:
            self._th, self._tl, self._config = self.eeprom
            self._out = [1]
        elif command == POWER:
            self._out = [1]  # external
        else:
            self._idle()

    def _converted(self, raw: int) -> None:
        self._raw = raw
        if self._phase == "busy":
            self._out = [1]

    def scratchpad(self) -> bytes:
        """Nine bytes, the last one the CRC of the others."""
        data = (self._raw & 0xFFFF).to_bytes(2, "little")
        data += bytes([self._th, self._tl, self._config, 0xFF, 0x0C, 0x10])
        return data + bytes([crc8(data)])

    def _alarmed(self) -> bool:
        degrees = (self._raw & 0xFFFF ^ 0x8000) - 0x8000 >> 4
        low, high = ((byte ^ 0x80) - 0x80 for byte in (self._tl, self._th))
        return degrees <= low or degrees >= high

    # ------------------------------------------------------------------ sending

    def _send(self, data: bytes) -> None:
        self._out = [byte >> i & 1 for byte in data for i in range(8)]

    def _rom_bit(self, at: int) -> int:
        return self.rom[at // 8] >> at % 8 & 1

    def _offer(self) -> None:
        bit = self._rom_bit(self._at)
        self._out = [bit, 1 - bit]

    def _sent(self, t_ps: int) -> None:
        if self._phase == "busy":
            return  # it goes on telling whether it is done
        self._out.pop(0)


MODEL = Ds18b20
