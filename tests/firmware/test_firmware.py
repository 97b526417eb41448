"""Firmware that a compiler made, proven by contracts; its faulty neighbours do not pass."""

from __future__ import annotations

from dataclasses import replace

import pytest

import fwgen.pipeline as line
from fwgen.board import load_board
from fwgen.contract import load_contract
from fwgen.image.load import load_image
from fwgen.machine.machine import Machine
from fwgen.trace import Fault, Gap, Hazard
from fwgen.verdict import judge
from tests.effort import LONG, some
from tests.firmware.build import PROGRAMS, compile_firmware, installed

BOARD = load_board("nucleo-f401")

pytestmark = pytest.mark.skipif(not installed(), reason="arm-none-eabi-gcc is not installed")

# Program, contract, macros: right as they stand, at every optimisation.
RIGHT = [
    ("millis", "millis", ()),
    ("millis", "millis", ("-DHSE",)),
    ("tim_blink", "tim_blink", ()),
    ("tim_blink", "tim_blink", ("-DON_EXIT",)),
    ("pwm", "pwm", ()),
    ("capture", "capture", ()),
    ("encoder", "encoder", ()),
    ("pwm_input", "pwm_input", ()),
    ("flow", "flow", ()),
    ("lin", "lin", ()),
    ("button", "button", ()),
    ("echo", "echo_115200", ()),
    ("echo", "echo_9600", ("-DBAUD=9600",)),
    ("echo_dma", "echo_115200", ()),
    ("wave_dma", "wave_dma", ()),
    ("eeprom", "eeprom", ()),
    ("flash", "flash", ()),
    ("flash", "flash", ("-DMODE=3u",)),
    ("pairs", "pairs", ()),
    ("pairs", "pairs", ("-DMODE=0",)),
    ("adc_print", "adc_print", ()),
    ("adc_dma", "adc_dma", ()),
    ("adc_light", "adc_light", ()),
    ("adc_guard", "adc_guard", ()),
    ("floats", "floats", ()),
    ("tasks", "tasks", ()),
    ("store", "store", ()),
    ("watchdog", "watchdog", ()),
    ("watchdog", "watchdog_bites", ("-DSTARVE",)),
    ("stop", "stop", ()),
    ("core", "core", ()),
    ("checksum", "checksum", ()),
    ("window", "window", ()),
    ("window", "window", ("-DBY_INTERRUPT",)),
    ("window", "window_early", ("-DEARLY",)),
    ("ticker", "ticker", ()),
    ("ticker", "ticker", ("-DALARM",)),
    ("alarm", "alarm", ()),
    ("standby", "standby", ()),
    ("standby", "standby_twice", ()),
    ("lcd_keypad", "lcd_keypad", ()),
    ("thermometer", "thermometer", ()),
    ("distance", "distance", ()),
    ("knob", "knob", ()),
    ("modem", "modem", ()),
    ("oled", "oled", ()),
    ("oled_spi", "oled_spi", ()),
    ("backpack", "backpack", ()),
    ("backpack", "backpack", ("-DBY_FLAG",)),
    ("register", "register", ()),
    ("expander", "expander", ()),
    ("tmp102", "tmp102", ()),
    ("bme280", "bme280_i2c", ()),
    ("bme280", "bme280_spi", ("-DON_SPI",)),
    ("bme280", "bme280_spi", ("-DON_SPI", "-DSPI_MODE=3u")),
    ("mpu6050", "mpu6050", ()),
    ("ds3231", "ds3231", ()),
    ("ds3231", "ds3231_set", ("-DSET=3",)),
]

# Neighbours that silicon punishes: what the verdict must say.
WRONG = [
    ("millis", "millis", ("-DLATENCY=0u",), "flash-latency"),
    ("millis", "millis", ("-DLATENCY=1u", "-DHSE"), "flash-latency"),
    ("millis", "millis", ("-DVOS=1u",), "regulator-scale"),
    ("millis", "millis", ("-DPPRE1=0u",), "clock-limit"),
    ("millis", "millis", ("-DHSE", "-DHSEBYP=0u"), "hse-mode"),
    ("millis", "millis", ("-DWHOLE_PORT",), "swd-remapped"),
    ("millis", "millis", ("-DPORT_FIRST",), "clock-off"),
    ("tim_blink", "tim_blink", ("-DTIMER_CLOCK=PCLK1",), "125 ms"),
    ("tim_blink", "tim_blink", ("-DNO_TIMER_CLOCK",), "clock-off"),
    ("pwm", "pwm", ("-DFUNCTION=1",), ""),
    ("pwm", "pwm", ("-DCCER=0u",), ""),
    ("pwm", "pwm", ("-DCCER=3u",), ""),
    ("capture", "capture", ("-DTRIGGER=1u",), "counted"),
    ("encoder", "encoder", ("-DSMS=1u",), "up to 12"),
    ("encoder", "encoder", ("-DONE_PIN",), "up to 12"),
    ("pwm_input", "pwm_input", ("-DSMCR=0u",), "above 3001"),
    ("pwm_input", "pwm_input", ("-DCCER=(BIT(0)|BIT(4))",), ""),
    ("flow", "flow", ("-DCR3=BIT(8)",), ""),  # talks before it may
    ("flow", "flow", ("-DCR3=BIT(9)",), "PA1"),
    ("flow", "flow", ("-DNO_CTS_PIN",), "cts-not-connected"),
    ("lin", "lin", ("-DLINEN=0",), "header 3C"),
    ("lin", "lin", ("-DLINEN=(BIT(14)|BIT(13))",), "serial-mode"),
    ("button", "button", ("-DNAIVE",), ""),
    ("button", "button", ("-DPORT_C=1u",), ""),
    ("button", "button", ("-DNO_SYSCFG_CLOCK",), "clock-off"),
    ("echo", "echo_115200", ("-DCLOCK=HCLK",), ""),
    ("echo", "echo_115200", ("-DBAUD=9600",), ""),
    ("echo", "echo_115200", ("-DNO_FUNCTION",), "wrong-alternate-function"),
    ("echo", "echo_115200", ("-DSLOW",), ""),
    ("echo_dma", "echo_115200", ("-DNO_CLOCK",), "clock-off"),
    ("echo_dma", "echo_115200", ("-DRX_CHANNEL=5",), "dma-no-request"),
    ("echo_dma", "echo_115200", ("-DENABLES=0x40",), ""),
    ("echo_dma", "echo_115200", ("-DKEEP_FLAGS",), "dma-flags"),
    (
        "wave_dma",
        "wave_dma",
        ("-DCONTROLLER=DMA1", "-DSTREAM=1", "-DCHANNEL=3", "-DTIMER=TIM2"),
        "dma-bus-error",
    ),
    ("wave_dma", "wave_dma", ("-DSIZES=0",), ""),
    ("wave_dma", "wave_dma", ("-DLOOP=0",), ""),
    ("wave_dma", "wave_dma", ("-DNO_UDE",), ""),
    ("eeprom", "eeprom", ("-DFREQ=16u",), "i2c-freq"),
    ("eeprom", "eeprom", ("-DCCR=100u",), "i2c-too-fast"),
    ("eeprom", "eeprom", ("-DOPEN_DRAIN=0u",), "i2c-push-pull"),
    ("eeprom", "eeprom", ("-DNO_POLL",), ""),
    ("flash", "flash", ("-DMODE=1u",), ""),
    ("flash", "flash", ("-DFUNCTION=6u",), "floats"),
    ("flash", "flash", ("-DNO_ENABLE",), "part-not-enabled"),
    ("flash", "flash", ("-DNO_WAIT",), "part-busy"),
    ("flash", "flash", ("-DHASTY",), "cs-within-frame"),
    ("pairs", "pairs", ("-DSLAVE_MODE=0",), ""),
    ("adc_print", "adc_print", ("-DMODE=INPUT",), "adc-pin-mode"),
    ("adc_print", "adc_print", ("-DCHANNEL=1",), "floating-input"),
    ("adc_print", "adc_print", ("-DADCPRE=0u",), "adc-clock"),
    ("adc_print", "adc_print", ("-DSMP=0u",), "adc-sampling"),
    ("adc_print", "adc_print", ("-DFULL=4000",), "would tell it"),
    ("adc_print", "adc_print", ("-DHASTY",), "would tell it"),
    ("adc_dma", "adc_dma", ("-DCR2=(BIT(8)|BIT(1))",), "would tell it"),  # without DDS it stops
    ("adc_dma", "adc_dma", ("-DCR2=BIT(8)",), "would tell it"),
    ("adc_light", "adc_light", ("-DEXTSEL=8u",), "has been above 1.66 V"),
    ("adc_light", "adc_light", ("-DTHRESHOLD=2100u",), "has been above 1.66 V"),
    ("adc_light", "adc_light", ("-DNEVER_READ",), ""),
    ("adc_light", "adc_light", ("-DMODE=OUTPUT",), "output-fight"),
    ("adc_guard", "adc_guard", ("-DHIGH=2350u",), ""),
    ("adc_guard", "adc_guard", ("-DGUARD=(BIT(23)|BIT(9)|1)",), ""),
    ("floats", "floats", ("-DNO_CPACR",), ""),
    ("floats", "floats", ("-DNO_STACKING",), ""),  # a handler overwrites S0 to S15
    ("tasks", "tasks", ("-DDROP_FPU",), ""),
    ("store", "store", ("-DLOCKED",), "flash-refused"),
    ("store", "store", ("-DERASE_ONCE",), "flash-not-erased"),
    ("watchdog", "watchdog", ("-DSTARVE",), "watchdog-expired"),
    ("watchdog", "watchdog_bites", (), ""),
    ("stop", "stop", ("-DSTAY_ON_HSI",), ""),
    ("core", "core", ("-DTRAP",), "must be aligned"),
    ("checksum", "checksum", ("-DNO_CLOCK",), "clock-off"),
    ("checksum", "checksum", ("-DBYTES",), "access-size"),
    ("lcd_keypad", "lcd_keypad", ("-DNAIVE",), 'shows the text "Key?'),
    ("lcd_keypad", "lcd_keypad", ("-DAFTER_CLEAR=0",), "lcd-busy"),
    ("lcd_keypad", "lcd_keypad", ("-DAFTER_BYTE=1",), "lcd-busy"),
    ("lcd_keypad", "lcd_keypad", ("-DPOWER_UP=5",), "lcd-too-soon"),
    ("thermometer", "thermometer", ("-DCONVERT_MS=600",), "never said"),
    ("thermometer", "thermometer", ("-DLOW_1=30",), "onewire-slot"),
    ("distance", "distance", ("-DTRIGGER_US=5",), "sonar-trigger"),
    ("distance", "distance", ("-DCYCLE_MS=20",), "sonar-too-soon"),
    ("distance", "distance", ("-DUS_PER_CM=29",), "expected 90°"),
    ("distance", "distance", ("-DLOW_US=900",), "expected 90°"),
    ("knob", "knob", ("-DGHOST",), "nothing that can be told"),
    ("knob", "knob", ("-DDIGIT_US=9000",), "nothing that can be told"),
    ("modem", "modem", ("-DBAUD=9900",), "serial-baud"),
    ("modem", "modem", ("-DPERIOD_US=100",), "motor-pwm"),
    ("oled", "oled", ("-DPUMP=0x10",), "oled-no-pump"),
    ("oled", "oled", ("-DNO_CLEAR",), "lit of"),
    ("oled", "oled", ("-DPINS=0x02",), "all is dark there"),
    ("oled", "oled", ("-DSEGMENTS=0xA0",), "the first at"),
    ("oled", "oled", ("-DCCR=(BIT(15)|5)",), "part-too-fast"),
    ("oled_spi", "oled_spi", ("-DHASTY",), "oled-dc"),
    ("oled_spi", "oled_spi", ("-DNO_RESET",), "oled-reset"),
    ("oled_spi", "oled_spi", ("-DRESET_US=1",), "oled-reset"),
    ("backpack", "backpack", ("-DTOGETHER",), "lcd-timing"),
    ("backpack", "backpack", ("-DCCR=FAST",), "part-too-fast"),
    ("backpack", "backpack", ("-DAFTER_CLEAR=500",), "lcd-busy"),
    ("backpack", "backpack", ("-DADDRESS=0x3F",), 'shows the text ""'),
    ("register", "register", ("-DLOWEST_FIRST",), 'expected "0"'),
    ("register", "register", ("-DALWAYS",), 'expected "0"'),
    ("expander", "expander", ("-DNAIVE",), "GLOW"),
    ("expander", "expander", ("-DDRIVES_IT",), "GLOW"),
    ("tmp102", "tmp102", ("-DCONVERT_MS=20",), "only 4 times"),
    ("tmp102", "tmp102", ("-DPART=0x49",), "never said"),
    ("tmp102", "tmp102", ("-DLIMIT=32",), "LD2 is off"),
    ("bme280", "bme280_i2c", ("-DWAIT_MS=8",), "only 2 times"),
    ("bme280", "bme280_i2c", ("-DUP_MS=1",), "part-too-soon"),
    ("bme280", "bme280_i2c", ("-DPIECES",), "part-torn"),
    ("bme280", "bme280_i2c", ("-DHUMIDITY_LAST",), "never said"),
    ("bme280", "bme280_spi", ("-DON_SPI", "-DSPI_MODE=1u"), "part-ignored"),
    ("mpu6050", "mpu6050", ("-DUP_MS=50",), "part-too-soon"),
    ("mpu6050", "mpu6050", ("-DSETTLE_MS=5",), "within 30 ms of waking"),
    ("mpu6050", "mpu6050", ("-DWAKE=0x40",), "never"),
    ("mpu6050", "mpu6050", ("-DRANGE=0u",), "never said"),
    ("ds3231", "ds3231", ("-DKEEP_FLAG",), "never said"),
    ("ds3231", "ds3231", ("-DMASKS=0x80,0,0x80,0x80",), "table 2"),
    ("ds3231", "ds3231_set", (), "never said"),
    ("window", "window", ("-DEARLY",), "watchdog-early"),
    ("window", "window", ("-DSTARVE",), "watchdog-expired"),
    ("window", "window", ("-DNO_T6",), "T6 is 0"),
    ("ticker", "ticker", ("-DNO_DBP",), "backup-locked"),
    ("ticker", "ticker", ("-DNO_KEY",), "rtc-locked"),
    ("ticker", "ticker", ("-DKEEP_FLAG",), "stop-refused"),
    ("ticker", "ticker", ("-DNO_EDGE",), ""),
    ("ticker", "ticker", ("-DBINARY", "-DALARM"), "rtc-no-time"),
    ("alarm", "alarm", ("-DUNSYNCHRONISED",), "rtc-shadow"),
    ("alarm", "alarm", ("-DNOT_OFF",), "rtc-write"),
    ("standby", "standby_twice", ("-DKEEP_WUF",), ""),
    ("standby", "standby", ("-DIN_RAM",), ""),
    # Arm ARM B3.2.5: a table of 101 vectors is aligned to 512 bytes.
    ("core", "core", ("-DCROOKED",), "vtor-misaligned"),
]

# Neighbours whose fault the machine does not show yet.


def prove(name, contract, options, tmp_path, board=BOARD):
    image = compile_firmware(name, options, tmp_path / "firmware.elf")
    return line.verify(image, board, PROGRAMS / f"{contract}.toml")


def told(proof):
    return "\n".join(
        f"{f.outcome.value}: {f.claim}: {f.text}" for f in proof.verdict.all if f.outcome.exit_code
    )


def ids(case):
    return " ".join((case[1], *case[2])).replace("-D", "")


# At the other levels only where there is time: FWGEN_LONG=1, as .ci/nightly has it.
LEVELS = ["-O0", "-Os", "-O2"] if LONG else ["-Os"]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("case", RIGHT, ids=ids)
def test_right_firmware_passes(case, level, tmp_path):
    name, contract, options = case
    proof = prove(name, contract, (level, *options), tmp_path)
    assert proof.passed, told(proof)
    assert not list(proof.trace.of(Gap))


@pytest.mark.parametrize("case", some(WRONG), ids=ids)
def test_its_faulty_neighbour_fails_and_is_told_why(case, tmp_path):
    name, contract, options, why = case
    proof = prove(name, contract, ("-Os", *options), tmp_path)
    assert proof.verdict.exit_code == 1, told(proof)
    assert why in told(proof)


def test_a_handler_tells_each_fault_and_the_trace_tells_it_too(tmp_path):
    proof = prove("faulty", "faulty", ("-Os",), tmp_path)
    assert all(finding.outcome.exit_code == 0 for finding in proof.verdict.findings), told(proof)
    assert proof.verdict.exit_code == 1, "a fault fails any contract, handled or not"
    seen = [fault.exception for fault in proof.trace.of(Fault)]
    assert seen == ["BusFault", "UsageFault", "UsageFault", "UsageFault", "HardFault"]


def test_an_interrupt_whose_flag_stays_set_does_not_pass(tmp_path):
    image = compile_firmware("tim_blink", ("-Os", "-DNEVER_CLEAR"), tmp_path / "firmware.elf")
    contract = load_contract(PROGRAMS / "tim_blink.toml", BOARD)
    machine = Machine(BOARD, patience_s=3)  # the storm would take hours
    trace = machine.run(load_image(image, BOARD), contract.stimuli, contract.span_ps)
    assert trace.span_ps < contract.span_ps
    assert not judge(contract, trace, BOARD).passed


ENABLES = {"AHB1ENR": 0x30, "AHB2ENR": 0x34, "APB1ENR": 0x40, "APB2ENR": 0x44}  # RM0368 §6.3


def unmodelled():
    """What the machine lacks of the chip's peripherals, but the core's: each with its clock."""
    rcc = BOARD.chip.peripherals["RCC"].base
    for spec in BOARD.chip.peripherals.values():
        if spec.kind is not None or spec.bus == "PPB":
            continue
        gate = spec.gate
        yield (
            spec.name,
            (rcc + ENABLES[gate.register] if gate else 0, gate.bit if gate else 0, spec.base),
        )


def test_what_is_not_modelled_leaves_it_unsure_each_by_its_name(tmp_path):
    places = dict(unmodelled())
    table = ",".join(f"{{{','.join(map(str, place))}}}" for place in places.values())
    proof = prove("outside", "outside", ("-Os", f"-DTOUCH={table}"), tmp_path)
    assert proof.verdict.exit_code == 3, told(proof)
    assert {gap.peripheral for gap in proof.trace.of(Gap)} == set(places)


def test_without_them_the_same_firmware_passes(tmp_path):
    proof = prove("outside", "outside", ("-Os", "-DTOUCH={0,0,0x40020014}"), tmp_path)
    assert proof.passed, told(proof)


def without(*names):
    """The board, its machine without the models of some peripherals."""
    chip = BOARD.chip
    specs = {n: replace(s, kind=None) if n in names else s for n, s in chip.peripherals.items()}
    return replace(BOARD, chip=replace(chip, peripherals=specs))


def test_a_converter_that_nobody_models_proves_nothing(tmp_path):
    proof = prove("light", "outside", ("-Os",), tmp_path, without("ADC1"))
    assert proof.verdict.exit_code == 3, told(proof)


def test_waiting_for_it_for_ever_names_it(tmp_path):
    proof = prove("light", "outside", ("-Os", "-DHANG"), tmp_path, without("ADC1"))
    assert not proof.passed  # the wait is the machine's doing, so see what is not modelled
    assert "ADC1.SR" in told(proof)


def test_clearing_a_flag_with_its_inverse_is_not_worth_a_note(tmp_path):
    proof = prove("tim_blink", "tim_blink", ("-Os", "-DINVERTED"), tmp_path)
    assert proof.passed, told(proof)
    assert not [hazard for hazard in proof.trace.of(Hazard) if "TIM2" in hazard.message]
