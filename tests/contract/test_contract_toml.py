"""Contracts as TOML: what is written is read back, and what is wrong is refused by its place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.board import load_board
from fwgen.board.quantities import parse_lines
from fwgen.contract import (
    Analog,
    Asleep,
    Blinks,
    Bound,
    Contract,
    Counts,
    Drive,
    Exclusive,
    Expectation,
    Follows,
    Level,
    Never,
    Pattern,
    Phase,
    Press,
    Pwm,
    Quiet,
    Replies,
    Responds,
    Says,
    Send,
    Sense,
    Shows,
    Step,
    Tone,
    Transfers,
    Trigger,
    Turn,
    Window,
    describe,
    dump_contract,
    load_contract,
    required_span,
)
from fwgen.contract.checks import check_contract
from fwgen.contract.lines import compile_line
from fwgen.contract.reading import _Reader
from fwgen.errors import ContractError
from fwgen.hazards import REGISTER

if TYPE_CHECKING:
    from fwgen.board.types import Board

BOARD = load_board("nucleo-f401")
US, MS, S = 10**6, 10**9, 10**12
SPAN = 3600 * S

# ---------------------------------------------------------------------------- there and back

pins = st.sampled_from(["LD2", "PA6", "D7", "PB3", "A3"])
levels = st.integers(0, 1)
times = st.integers(0, SPAN - 1)
short = st.integers(1, S)
tolerances = st.integers(0, 499_999)
windows = st.one_of(
    st.just(Window()),
    st.integers(0, 1000 * S).map(Window),
    st.tuples(st.integers(0, 1000 * S), st.integers(2000 * S, SPAN)).map(lambda w: Window(*w)),
)
ACCEPTABLE = st.sampled_from(
    sorted(code for code, kind in REGISTER.items() if kind.fails)
) | st.builds("{}:{}".format, st.sampled_from(["reset", "gap"]), st.text(min_size=1))
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
line_texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12).map(
    lambda text: text.replace("{", "{{").replace("}", "}}")
)
patterns = st.tuples(line_texts, line_texts).map(lambda t: f"{t[0]}{{n}}{t[1]}")
bounds = st.builds(
    Bound,
    least=st.none() | st.integers(-100, 0),
    most=st.none() | st.integers(100, 10**9),
    first=st.none() | st.integers(0, 100),
    step=st.none() | st.integers(-5, 5),
    tracks=st.sampled_from([None, "uptime_ms", "uptime_s", "presses:B1", "mV:A1", "adc12:PA1"]),
    slack=st.integers(0, 5),
).map(lambda bound: (("n", bound),))
edges = st.sampled_from(["rising", "falling", "both"])
pin_moments = st.builds(Trigger, pins, edge=edges)
said = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=8).map(
    lambda text: Trigger("console", None, text)
)
outs = st.lists(st.sampled_from(["PA6", "PA7", "LD2"]), min_size=1, max_size=3, unique=True)


@st.composite
def some_pattern(draw):
    names = draw(outs)
    one = {name: draw(levels) for name in names}
    steps = [Step(tuple(one.items()), draw(short))]
    steps += [
        Step(tuple((n, draw(levels)) for n in names), draw(short))
        for _ in range(draw(st.integers(0, 3)))
    ]
    # The last step is the first one turned over, so that something changes.
    steps.append(Step(tuple((n, 1 - v) for n, v in one.items()), draw(short)))
    return Pattern(tuple(steps), draw(st.booleans()), draw(tolerances), draw(short), draw(windows))


heard = st.none() | st.lists(st.none() | st.integers(0, 255), max_size=4).map(tuple)
KINDS = {
    Level: st.one_of(
        st.builds(Level, pins, levels, times), st.builds(Level, pins, levels, window=windows)
    ),
    Blinks: st.builds(
        Blinks,
        st.just("LD2"),
        st.integers(1000, 100 * S),
        st.none() | st.integers(1, 999_999),
        st.none() | st.builds(Phase, st.just("PA6"), short),
        tolerances,
        windows,
        st.none() | levels,
        st.none() | times,
    ),
    Pattern: some_pattern(),
    Counts: st.builds(
        Counts,
        pins,
        st.sampled_from(["rising", "falling", "both", "pulse"]),
        st.integers(0, 5),
        st.none() | st.integers(5, 10),
        windows,
    ),
    Pwm: st.builds(
        Pwm,
        pins,
        st.integers(1000, 10**10),
        st.integers(0, 10**6),
        st.none() | st.integers(0, 10**6),
        tolerances,
        tolerances,
        windows,
    ),
    Tone: st.builds(Tone, pins, st.integers(1000, 10**8), tolerances, windows),
    Follows: st.one_of(
        st.builds(Follows, pins, st.just("B1"), st.booleans(), short, windows),
        st.builds(
            Follows,
            st.just("LD2"),
            st.just("A1"),
            st.booleans(),
            short,
            windows,
            st.integers(1_200_000, 1_800_000),
            st.integers(0, 100_000),
        ),
    ),
    Responds: st.builds(
        Responds,
        st.just(Trigger("B1")) | st.just(Trigger("B1", "rising")) | said,
        pin_moments | said,
        st.integers(2 * S, 3 * S),
        st.integers(0, S),
        windows,
    ),
    Transfers: st.one_of(
        st.builds(
            Transfers,
            st.just("I2C1"),
            st.integers(0, 0x3FF),
            st.none(),
            heard,
            heard,
            least=st.integers(0, 3),
            most=st.none() | st.integers(3, 9),
            window=windows,
        ),
        st.builds(
            Transfers,
            st.just("SPI2"),
            select=st.none() | pins,
            writes=heard,
            reads=heard,
            window=windows,
        ),
        st.builds(
            Transfers,
            st.just("I2C3"),
            st.integers(0, 0x7F),
            answered=st.just(False),
            most=st.just(1),
        ),
    ),
    Never: st.builds(Never, pin_moments | said, windows),
    Exclusive: st.builds(Exclusive, st.just(("PA6", "LD2", "D9")), windows),
    Says: st.builds(
        Says,
        st.sampled_from(["console", "USART1"]),
        patterns,
        bounds | st.just(()),
        st.none() | short,
        st.none() | st.integers(1, 10**6),
        st.none() | st.integers(0, 9),
        st.booleans(),
        st.none() | times,
        tolerances,
        windows,
    ),
    Replies: st.builds(
        Replies,
        st.just("console"),
        st.sampled_from(["ping", "g\n"]),
        patterns,
        bounds,
        short,
        windows,
    ),
    Shows: st.one_of(
        st.builds(
            Shows,
            st.just("LCD"),
            st.just("text"),
            texts.map(parse_lines),
            st.just(0),
            st.integers(0, S // 4),
            windows,
        ),
        st.builds(
            Shows,
            st.just("ARM"),
            st.just("angle"),
            st.integers(-(10**6), 10**6),
            st.integers(0, 10**6),
            st.integers(0, S // 4),
            windows,
        ),
        st.builds(
            Shows,
            st.just("OLED"),
            st.just("picture"),
            st.lists(st.text("#.", min_size=5, max_size=5), min_size=1, max_size=4).map("\n".join),
            st.just(0),
            st.integers(0, S // 4),
            windows,
            st.tuples(st.integers(0, 123), st.integers(0, 60)),
        ),
        st.builds(
            Shows,
            st.just("RGB"),
            st.just("colour"),
            st.integers(0, 0xFFFFFF).map(lambda rgb: f"#{rgb:06x}"),
            st.integers(0, 255),
            st.integers(0, S // 4),
            windows,
        ),
    ),
    Asleep: st.builds(Asleep, st.integers(0, 10**6), windows),
    Quiet: st.builds(Quiet, st.lists(pins, unique=True, max_size=3).map(tuple)),
}

volts = st.integers(0, 5_000_000)
analog = st.one_of(
    st.builds(Analog, st.just("PC4"), times, st.just(())),
    st.builds(
        Analog, st.just("PC4"), times, volts.map(lambda uv: ((0, uv),)),
        noise_uv=st.just(0) | st.integers(0, 100_000), ohm=st.integers(0, 10**6),
    ),
    st.builds(
        Analog, st.just("PC4"), times, volts.map(lambda uv: ((0, uv),)),
        noise_uv=st.integers(1, 100_000), seed=st.integers(0, 9), noise_ps=st.integers(0, S),
    ),
    st.builds(
        Analog, st.just("PC4"), st.integers(0, SPAN // 2),
        st.tuples(volts, st.integers(1, SPAN // 4), volts).map(
            lambda ends: ((0, ends[0]), (ends[1], ends[2]))
        ),
    ),
    st.builds(
        Analog, st.just("PC4"), times, st.just(((0, 1_650_000),)),
        st.integers(1, 1_650_000), st.integers(1, 10**15),
    ),
)  # fmt: skip

MODULES = load_contract(
    """
    [parts.DHT]
    kind = "dht22"
    data = "PC0"
    humidity = "40.1234 %"
    [parts.KNOB]
    kind = "encoder"
    a = "PB4"
    b = "PB5"
    sw = "PB6"
    pull = "none"
    [parts.KP]
    kind = "keypad"
    r1 = "PB0"
    r2 = "PB1"
    r3 = "PB2"
    r4 = "PB10"
    c1 = "PB12"
    c2 = "PB13"
    c3 = "PB14"
    c4 = "PB15"
    [parts.LCD]
    kind = "hd44780"
    rs = "PC5"
    e = "PC6"
    d4 = "PC7"
    d5 = "PC8"
    d6 = "PC9"
    d7 = "PC10"
    columns = 20
    [parts.ARM]
    kind = "servo"
    signal = "PB7"
    min_pulse = "600 us"
    [parts.OLED]
    kind = "ssd1306"
    scl = "PB8"
    sda = "PB9"
    [parts.RGB]
    kind = "rgb-led"
    red = "PC11"
    green = "PC12"
    blue = "PD2"
    common = "anode"
    [parts.GPS]
    kind = "serial-device"
    tx = "PA10"
    rx = "PA9"
    script = "AT -> OK\\nGO -> \\\"1\\\""
    [[expect]]
    level = "LD2"
    is = "off"
    """,
    BOARD,
).modules

stimuli = st.tuples(
    st.builds(
        Sense,
        st.just("DHT.temperature"),
        times.map(lambda t: t // 4),
        st.integers(-40_000, 80_000),
        st.integers(-40_000, 80_000),
        st.integers(1, S),
        st.integers(1, 5000),
        st.integers(0, 9),
        st.integers(0, S),
    ),
    st.builds(
        Turn,
        st.just("KNOB"),
        times.map(lambda t: t // 4),
        st.integers(-9, 9).filter(bool),
        st.integers(10**9, S),
        st.integers(0, 10**8),
    ),
    st.builds(Press, st.sampled_from(["KP.5", "KP.#", "KNOB.button"]), st.just(S), st.just(S)),
    analog,
    st.builds(
        Press,
        st.just("B1"),
        times.map(lambda t: t // 4),
        st.none() | st.integers(S, 9 * S),
        st.integers(0, S - 1),
    ),
    st.builds(Drive, st.just("PC1"), times, st.none() | levels),
    st.just(Analog("PA1", 0, ((0, 1_000_000), (S, 2_000_000)))),
    st.just(Send("console", S, b"ping\n")),
    st.builds(
        Send,
        st.just("USART1"),
        st.just(2 * S),
        st.binary(min_size=1, max_size=9),
        st.none() | st.integers(1, 10**6),
    ),
)


def test_every_kind_is_generated() -> None:
    assert set(KINDS) == set(get_args(Expectation))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_what_is_written_is_read_back(kind, data) -> None:
    made = Contract(
        data.draw(texts),
        BOARD.name,
        SPAN,
        data.draw(stimuli),
        (data.draw(KINDS[kind]),),
        data.draw(st.just(()) | st.tuples(st.tuples(ACCEPTABLE, st.just("because")))),
        data.draw(texts),
        tuple(data.draw(st.lists(texts, max_size=2))),
        modules=MODULES,
    )
    check_contract(made, BOARD)
    for board in (None, BOARD):
        text = dump_contract(made, board)
        assert load_contract(text, BOARD) == made
        assert dump_contract(load_contract(text, BOARD), board) == text
    assert len(describe(made, BOARD)) == 10 + len(MODULES)


def test_what_is_wired_for_a_contract_is_written_and_read_back() -> None:
    text = """
[parts]
EE = { kind = "24c02", scl = "D15", sda = "D14", address = 0x51, pull = "up", content = "01 02" }
FL = { kind = "w25q16", sck = "PA5", miso = "PA6", mosi = "PA7", cs = "D10", title = "log" }
W1 = { kind = "wire", pins = ["PA9", "PB13", "PC1"] }
R1 = { kind = "resistor", pin = "PB10", pull = "down" }
[[expect]]
transfer = "I2C1"
address = 0x51
"""
    made = load_contract(text, BOARD)
    assert [d.name for d in made.devices] == ["W1", "R1"]
    assert [m.name for m in made.modules] == ["EE", "FL"]
    assert made.modules[0].pins == {"scl": "PB8", "sda": "PB9"}
    assert made.modules[0].address == 0x51
    assert made.modules[0].settings["content"] == "01 02"
    for board in (None, BOARD):
        assert load_contract(dump_contract(made, board), BOARD) == made


@pytest.mark.parametrize(
    ("line", "where", "what"),
    [
        ('X = { kind = "24c2" }', "parts.X.kind", "unknown"),
        ('X = { kind = "24c02", scl = "PB8", sda = "PB8" }', "parts.X.sda", "two of its pins"),
        ('X = { kind = "24c02", scl = "PB8", sda = "PQ9" }', "parts.X.sda", "no pin"),
        ('X = { kind = "wire", pins = ["PA1"] }', "parts.X.pins", "two pins"),
        ('LD2 = { kind = "wire", pins = ["PA1", "PA4"] }', "parts", "already"),
        ('X = { kind = "24c02", scl = "PB8", sda = "PB9", content = "0" }',
         "parts.X.content", "hex"),
        ('X = { kind = "24c02", scl = "PB8", sda = "PB9", address = 0x40 }',
         "parts.X.address", "0x57"),
        ('X = { kind = "24c01", scl = "PB8", sda = "PB9", content = "' + "00" * 129 + '" }',
         "parts.X.content", "more than it holds"),
        ('X = { kind = "24c02", scl = "PB8", sda = "PB9", miso = "PA6" }', "parts.X.miso", "unkn"),
        ('X = { kind = "24c04", scl = "PB8", sda = "PB9" }\n'
         'Y = { kind = "24c02", scl = "PB8", sda = "PB9", address = 0x51 }',
         "parts.Y", "address 0x51"),
        ('X = { kind = "24c04", scl = "PB8", sda = "PB9" }\n'
         'Y = { kind = "24c02", scl = "PB9", sda = "PB8", address = 0x52 }',
         "parts.Y", "wired to X"),
        ('X = { kind = "w25q16", sck = "PA5", miso = "PA6", mosi = "PA7", cs = "PB6" }\n'
         'Y = { kind = "w25q32", sck = "PA5", miso = "PA6", mosi = "PA7", cs = "PB6" }',
         "parts.Y", "PB6 is wired to X"),
    ],
)  # fmt: skip
def test_a_part_that_cannot_be_wired_is_refused_by_its_place(line, where, what) -> None:
    text = f'[parts]\n{line}\n[[expect]]\ntransfer = "I2C1"\naddress = 1\n'
    with pytest.raises(ContractError) as caught:
        load_contract(text, BOARD)
    assert caught.value.where == f"contract: {where}"
    assert what in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ('transfer = "USART2"', "no I2C or SPI port"),
        ('transfer = "I2C1"', "an address"),
        ('transfer = "I2C1"\naddress = 0x50\nselect = "PB6"', "selected"),
        ('transfer = "SPI1"\naddress = 0x50', "no addresses"),
        ('transfer = "SPI1"\nwrites = "0x9f"', "hexadecimal"),
        ('transfer = "I2C1"\naddress = 1\ntimes = 1\nmost = 2', "either"),
        ('transfer = "I2C1"\naddress = 1\nanswered = false\nwrites = "00"', "nobody answers"),
    ],
)  # fmt: skip
def test_a_transfer_that_makes_no_sense_is_refused(lines, what) -> None:
    with pytest.raises(ContractError) as caught:
        load_contract(f"[[expect]]\n{lines}\n", BOARD)
    assert what in caught.value.message


def test_a_file_is_named_in_what_is_wrong_with_it(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("[[expect]]\nblinks = 'LD9'\nrate = '2 Hz'\n", encoding="utf-8")
    with pytest.raises(ContractError) as raised:
        load_contract(path, BOARD)
    assert raised.value.where == f"{path}: expect[1].blinks"
    assert "LD2" in str(raised.value.hint)
    with pytest.raises(ContractError, match="no such contract"):
        load_contract(tmp_path / "none.toml", BOARD)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ContractError, match="cannot be read"):
        load_contract(path, BOARD)


def test_without_a_span_the_run_is_as_long_as_needed() -> None:
    made = load_contract("[[expect]]\nblinks = 'LD2'\nrate = '2 Hz'\n", BOARD)
    assert made.span_ps == required_span(made.expectations)
    assert 2 * S < made.span_ps < 2.2 * S


def test_the_same_in_words_of_the_board() -> None:
    made = load_contract(
        """
        [[expect]]
        level = "the LED"
        is = "lit"
        [[expect]]
        level = "B1"
        is = "low"
        at = "5 ms"
        [[expect]]
        level = "PC13"
        is = "low"
        at = "6 ms"
        """,
        BOARD,
    )
    led, button, pin = made.expectations
    assert led == Level("the LED", 1)
    assert button == Level("B1", 1, 5 * MS)  # pressed is low on this board
    assert pin == Level("PC13", 0, 6 * MS)
    assert describe(made, BOARD)[1] == "B1 is pressed at 5 ms"


# ---------------------------------------------------------------------------- plain words


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (
            "blinks = 'LD2'\nrate = '2 Hz'",
            "LD2 blinks at 2 Hz (250 ms on, 250 ms off), each within 2 %",
        ),
        (
            "blinks = 'LD2'\non = '0.1 s'\noff = '900 ms'\nphase = { of = 'PA6', after = '5 ms' }",
            "LD2 blinks at 1 Hz (100 ms on, 900 ms off), each within 2 %, 5 ms after PA6",
        ),
        (
            "blinks = 'LD2'\nperiod = '500 ms ± 1 %'\nduty = 'any'\nstarts = 'on'",
            "LD2 blinks once every 500 ms, each within 1 %, beginning on",
        ),
        (
            "pattern = 'LD2'\nsteps = ['on 1 s', 'off 2 s']",
            "LD2 goes over and over through: LD2 on for 1 s, LD2 off for 2 s, each within 2 %",
        ),
        ("counts = 'LD2'\nexactly = 1", "LD2 shows exactly 1 pulse"),
        ("counts = 'LD2'\nwhat = 'on'\nmost = 0", "LD2 shows no changes to on"),
        (
            "follows = 'LD2'\nsource = 'B1'\nwithin = '20 ms'",
            "LD2 follows B1 within 20 ms",
        ),
        (
            "says = 'up {ms}'\nevery = '1 s'\nnumbers.ms = { tracks = 'uptime_ms' }",
            'console says "up {ms}" every 1 s within 2 %, ms tells the milliseconds since reset, '
            "and nothing else",
        ),
        (
            "when = { of = 'B1', turns = 'pressed' }\nthen = { of = 'LD2', turns = 'either' }\n"
            "within = '50 ms'",
            "Each time B1 is pressed, LD2 changes within 50 ms",
        ),
        ("asleep = '99.9 %'", "The core sleeps at least 99.9 % of the time"),
        ("quiet = true\nbut = ['LD2', 'PA6']", "No pin moves but LD2 and PA6"),
    ],
)
def test_plain_words(table: str, words: str) -> None:
    made = load_contract(f"span = '10 s'\n[[expect]]\n{table}\n", BOARD)
    assert describe(made, BOARD) == [words]


# ---------------------------------------------------------------------------- refusals

BLINK = "[[expect]]\nblinks = 'LD2'\nrate = '2 Hz'\n"


def _accepting(code: str) -> str:
    return f"[[accept]]\nhazard = '{code}'\nbecause = 'so'\n"


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("[[expect]\n", "", "not valid TOML"),
        ("title = 't'\n", "", "nothing is expected"),
        ("spam = 1\n" + BLINK, "", "unknown key 'spam' (did you mean span?)"),
        ("span = 4\n" + BLINK, "span", "4 has no unit"),
        ("span = '1e9999 s'\n" + BLINK, "span", "is not a quantity"),
        ("span = '-1 s'\n" + BLINK, "span", "is negative"),
        ("span = '30 h'\n" + BLINK, "span", "at most a day"),
        ("board = 'esp32'\n" + BLINK, "board", "this contract is for 'esp32'"),
        ("expect = 3\n", "expect", "expected tables"),
        ("expect = [3]\n", "expect[1]", "expected a table"),
        ("accept = { x = '' }\n" + BLINK, "accept", "expected tables"),
        (
            "[[accept]]\nhazard = 'clock-off'\nbecause = ' '\n" + BLINK,
            "accept[1].because",
            "say why",
        ),
        ("[[accept]]\nhazard = 'clock-off'\n" + BLINK, "accept[1]", "'because' is missing"),
        (_accepting("clock_off") + BLINK, "accept[1].hazard", "did you mean clock-off"),
        (_accepting("reserved-bits") + BLINK, "accept[1].hazard", "is a note, which fails nothing"),
        (2 * _accepting("clock-off") + BLINK, "accept[2]", "accepted twice"),
        (
            "[[accept]]\nhazard = 'clock-off'\ngap = 'RTC'\nbecause = 'so'\n" + BLINK,
            "accept[1]",
            "a hazard, a reset or a gap",
        ),
        (_accepting("clock-off") + "why = 'x'\n" + BLINK, "accept[1]", "unknown key 'why'"),
        ("[[expect]]\nblink = 'LD2'\n", "expect[1]", "did you mean blinks?"),
        ("[[expect]]\nblinks = 'LD2'\ntone = 'PA8'\n", "expect[1]", "says both"),
        (BLINK + "frequency = '1 Hz'\n", "expect[1]", "unknown key 'frequency'"),
        (BLINK + "dutty = '10 %'\n", "expect[1]", "did you mean duty?"),
        (BLINK + "duty = '10 Hz'\n", "expect[1].duty", "'Hz' is no unit of ratio"),
        (BLINK + "period = '1 s'\n", "expect[1]", "say one of rate, period"),
        (BLINK + "tolerance = '50 %'\n", "expect[1]", "tells nothing apart"),
        (BLINK + "duty = '100 %'\n", "expect[1]", "is no blinking"),
        (BLINK + "starts = 'maybe'\n", "expect[1].starts", "'maybe' is no level"),
        (BLINK + "phase = { of = 'D13' }\n", "expect[1]", "keeps step with itself"),
        ("[[expect]]\nblinks = 'PZ9'\nrate = '2 Hz'\n", "expect[1].blinks", "has no 'PZ9'"),
        ("[[expect]]\nblinks = 'console'\nrate = '2 Hz'\n", "expect[1].blinks", "is a port"),
        ("[[expect]]\nsays = 'x'\nport = 'LD2'\n", "expect[1].port", "is no serial port"),
        (
            "[[expect]]\nblinks = 'LD2'\nrate = '2 Hz ± 1 %'\ntolerance = '3 %'\n",
            "expect[1].tolerance",
            "already states one",
        ),
        ("span = '1 s'\n" + BLINK, "expect[1]", "too short to show a period of 500 ms at least 3"),
        ("span = '9 s'\n" + BLINK + "until = '10 s'\n", "expect[1].until", "after the run"),
        ("span = '9 s'\n" + BLINK + "from = '4 s'\nuntil = '3 s'\n", "expect[1]", "is empty"),
        ("span = '9 s'\n[[do]]\npress = 'B1'\nat = '10 s'\n" + BLINK, "do[1]", "after the run"),
        ("[[do]]\npress = 'LD2'\nat = '1 s'\n" + BLINK, "do[1]", "'LD2' is no button"),
        ("[[do]]\npress = 'B1'\n" + BLINK, "do[1]", "'at' is missing"),
        ("[[do]]\nsend_hex = 'zz'\nat = '1 s'\n" + BLINK, "do[1].send_hex", "is not hex bytes"),
        ("[[do]]\ndrive = 'PA0'\nat = '1 s'\nto = 'up'\n" + BLINK, "do[1].to", "is no level"),
        (
            "span = '9 s'\n[[expect]]\nlevel = 'LD2'\nis = 'on'\nat = '20 s'\n",
            "expect[1].at",
            "is not within the run of 9 s",
        ),
        ("[[expect]]\nsays = '{a}{b}'\n", "expect[1]", "two numbers with nothing between"),
        ("[[expect]]\nsays = '{a'\n", "expect[1]", "a lone '{'"),
        (
            "[[expect]]\nsays = 'n {count}'\nnumbers.cuont = { first = 1 }\n",
            "expect[1].numbers.cuont",
            "did you mean count?",
        ),
        (
            "[[expect]]\nsays = '{n}'\nnumbers.n = { tracks = 'uptime_mins' }\n",
            "expect[1].numbers.n.tracks",
            "did you mean uptime_ms",
        ),
        (
            "[[expect]]\nsays = '{n}'\nnumbers.n = { least = 3, most = 1 }\n",
            "expect[1].numbers.n",
            "at least 3 and at most 1",
        ),
        ("[[expect]]\nreplies = 'pong'\nto = 'ping'\n", "expect[1]", "'ping' is never sent"),
        ("[[expect]]\ncounts = 'LD2'\nleast = 3\nmost = 2\n", "expect[1]", "3 to 2 is no range"),
        ("[[expect]]\ncounts = 'LD2'\nwhat = 'pulse'\n", "expect[1]", "say exactly, least or most"),
        ("[[expect]]\nexclusive = ['LD2', 'D13']\n", "expect[1]", "or one twice"),
        (
            "[[expect]]\npattern = ['LD2']\nsteps = ['on', 'off 1 s']\n",
            "expect[1].steps[1]",
            "lasts for ever",
        ),
        (
            "[[expect]]\npattern = ['LD2', 'PA6']\nsteps = [{ LD3 = 'on', for = '1 s' }]\n",
            "expect[1].steps[1]",
            "'LD3' is not in this pattern (did you mean LD2?)",
        ),
        ("[[expect]]\nfollows = 'LD2'\nsource = 'PA5'\n", "expect[1]", "follows itself"),
        (
            "[[expect]]\nblinks = 'LD2'\nperiod = '2 Hz'\n",
            "expect[1].period",
            "'Hz' is no unit of duration",
        ),
        (
            "[[expect]]\nwhen = { of = 'B1' }\nthen = { of = 'LD2', turns = 'on' }\n"
            "within = '1 s'\n",
            "expect[1]",
            "nothing is ever done to B1",
        ),
    ],
)
def test_what_is_wrong_is_refused_by_name_and_place(text: str, where: str, message: str) -> None:
    with pytest.raises(ContractError) as raised:
        load_contract(text, BOARD, where="f.toml")
    assert message in str(raised.value)
    assert raised.value.where == (f"f.toml: {where}" if where else "f.toml")


@pytest.mark.parametrize(
    ("one", "two", "message"),
    [
        ("blinks = 'LD2'\nrate = '2 Hz'", "blinks = 'D13'\nrate = '3 Hz'", "2 Hz against 3 Hz"),
        ("blinks = 'LD2'\nrate = '2 Hz'", "blinks = 'LD2'\nrate = '2 Hz'\nduty = '10 %'", "on for"),
        ("blinks = 'LD2'\nrate = '2 Hz'", "level = 'LD2'\nis = 'on'", "one level throughout"),
        ("level = 'LD2'\nis = 'on'", "level = 'PA5'\nis = 'low'\nat = '1 s'", "two levels"),
        (
            "tone = 'PA8'\nfrequency = '440 Hz'",
            "pwm = 'PA8'\nfrequency = '1 kHz'\nduty = '9 %'",
            "440 Hz against",
        ),
        ("blinks = 'LD2'\nrate = '2 Hz'", "never = { of = 'LD2', turns = 'on' }", "never comes"),
        (
            "pattern = 'LD2'\nsteps = ['on 1 s', 'off 1 s']",
            "level = 'LD2'\nis = 'off'\nat = '2.5 s'",
            "the other level",
        ),
        (
            "pattern = 'LD2'\nsteps = ['on 1 s', 'off 1 s', 'on 3 s', 'off 1 s']",
            "blinks = 'LD2'\nrate = '2.2 Hz'",
            "a pattern of its own",
        ),
        ("quiet = true", "blinks = 'LD2'\nrate = '2 Hz'", "must keep quiet"),
        ("quiet = true\nbut = 'LD2'", "says = 'hi'", "must keep quiet, yet in expect[2] it speaks"),
        ("says = 'a'\nbaud = 9600", "says = 'b'\nbaud = 4800", "cannot speak at 4800"),
    ],
)
def test_contradictions_are_refused(one: str, two: str, message: str) -> None:
    text = f"span = '40 s'\n[[expect]]\n{one}\n[[expect]]\n{two}\n"
    with pytest.raises(ContractError) as raised:
        load_contract(text, BOARD, where="f.toml")
    assert message in str(raised.value)
    assert "f.toml: expect[" in str(raised.value)


def test_the_same_claims_in_windows_apart_agree() -> None:
    text = "span = '8 s'\n"
    text += BLINK + "until = '4 s'\n" + BLINK.replace("2 Hz", "3 Hz") + "from = '4 s'\n"
    assert len(load_contract(text, BOARD).expectations) == 2


@pytest.mark.parametrize("stimulus", ["press = 'B1'", "drive = 'PC13'\nto = 'low'"])
def test_a_pin_that_the_contract_drives_is_no_output(stimulus: str) -> None:
    text = f"span = '9 s'\n[[do]]\n{stimulus}\nat = '1 s'\n[[expect]]\nblinks = 'PC13'\n"
    with pytest.raises(ContractError, match="firmware cannot decide"):
        load_contract(text + "rate = '2 Hz'\n", BOARD)


@given(st.text(max_size=30))
def test_a_pattern_of_any_text_is_a_pattern_or_refused(text: str) -> None:
    try:
        made = compile_line(text)
    except ContractError:
        return
    assert made.fullmatch(text.replace("{{", "{").replace("}}", "}")) or made.groupindex


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=6),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["blinks", "rate", "says", "at", "of", "steps", "pattern", "for"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=8,
    ).filter(lambda tree: isinstance(tree, dict))
)
def test_anything_of_any_shape_is_a_contract_or_refused_as_one(tree) -> None:
    try:
        made = _Reader(BOARD, "f.toml").contract({"expect": [tree]})
    except ContractError:
        return
    assert set(tree) == {"says"}  # any text may be said
    assert load_contract(dump_contract(made), BOARD) == made


# ---------------------------------------------------------------------------- voltages

WIRED = """
[parts.POT]
kind = "potentiometer"
pin = "A0"
ohm = "10 kohm"
[parts.NTC]
kind = "ntc"
pin = "A1"
ohm_25c = "10 kohm"
beta = 3950
fixed = "10 kohm"
to = "ground"
[[do]]
set = "NTC"
at = "0 s"
to = "-3.25 °C"
[[do]]
ramp = "POT"
at = "1 s"
from = "10 %"
to = "90 %"
over = "2 s"
[[expect]]
{expect}
"""


def wired(expect: str) -> Contract:
    return load_contract(WIRED.format(expect=expect), BOARD)


def test_parts_of_a_contract_are_set_by_what_they_sense() -> None:
    made = wired('follows = "LD2"\nsource = "POT"\nabove = "50 %"\nband = "30 mV"')
    cold, turned = made.stimuli
    assert isinstance(cold, Analog)
    assert isinstance(turned, Analog)
    # By hand: R = 10k exp(3950 (1/269.9 - 1/298.15)) = 40.02k; 3.3 V * 40.02 / 50.02 = 2.640 V.
    assert cold.points[0][1] == pytest.approx(2_640_000, abs=2_000)
    assert turned.points == ((0, 330_000), (2 * S, 2_970_000))
    assert turned.ohm == 2_500  # in the middle
    (follows,) = made.expectations
    assert isinstance(follows, Follows)
    assert follows.above_uv == 1_650_000
    text = dump_contract(made, BOARD)
    assert load_contract(text, BOARD) == made
    assert 'to = "-3.25 °C"' in text
    words = describe(made, BOARD)
    assert "At 1 s POT goes evenly from 10 % to 90 % within 2 s" in words
    assert "LD2 is on while POT is above 1.65 V" in words[-1]


def test_a_threshold_of_a_part_whose_voltage_falls_is_turned_over() -> None:
    hot = 'set = "NTC"\nat = "1 s"\nto = "60 °C"\n[[expect]]\n'
    made = load_contract(
        WIRED.replace("[[expect]]", f"[[do]]\n{hot}").format(
            expect='follows = "LD2"\nsource = "NTC"\nabove = "30 °C"'
        ),
        BOARD,
    )
    (follows,) = made.expectations
    assert isinstance(follows, Follows)
    assert follows.invert


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ('[[do]]\nset = "A0"\nat = "0 s"\n', "do[1]", "'to' is missing"),
        ('[[do]]\nset = "A0"\nat = "0 s"\nto = "50 %"\n', "do[1].to", "no unit of voltage"),
        ('[[do]]\nramp = "A0"\nat = "0 s"\nto = "1 V"\nover = "1 s"\n', "do[1]", "'from'"),
        ('[[do]]\nset = "console"\nat = "0 s"\nto = "1 V"\n', "do[1].set", "is a port"),
        (
            '[[do]]\nset = "A0"\nat = "0 s"\nto = "1 V"\n[[expect]]\nfollows = "LD2"\n'
            'source = "A0"\nabove = "2 V"\n',
            "expect[1]", "never on both sides of 1.99 V to 2.01 V",
        ),
        (
            '[[expect]]\nfollows = "LD2"\nsource = "A0"\nabove = "2 V"\n',
            "expect[1]", "nothing gives A0 a voltage",
        ),
        (
            '[[do]]\nset = "A0"\nat = "0 s"\nto = "1 V"\n[[do]]\ndrive = "PA0"\nat = "1 s"\n'
            'to = "high"\n',
            "do[1]", "a voltage and a level",
        ),
        (
            '[parts.X]\nkind = "ntc"\npin = "A0"\nohm_25c = "10 kohm"\nbeta = 0\n'
            'fixed = "10 kohm"\nto = "ground"\n',
            "parts.X.beta", "above 0",
        ),
        (
            '[parts.X]\nkind = "potentiometer"\npin = "D13"\nohm = "10 kohm"\n',
            "parts", "LD2 is on PA5",
        ),
        ('[parts.X]\nkind = "lamp"\npin = "A0"\n', "parts.X.kind", "'lamp' is unknown"),
    ],
)  # fmt: skip
def test_a_voltage_that_makes_no_sense_is_refused(text: str, where: str, message: str) -> None:
    if "[[expect]]" not in text:
        text += '[[expect]]\nlevel = "PB3"\nis = "off"\n'
    with pytest.raises(ContractError, match=message) as raised:
        load_contract('span = "3 s"\n' + text, BOARD)
    assert raised.value.where == f"contract: {where}"


@pytest.mark.parametrize("board", [None, BOARD])
def test_what_a_part_of_the_contract_senses_is_written_as_it_was_said(board: Board | None) -> None:
    # As voltages a ramp of a thermistor would come back as a straight line between its ends.
    ramp = 'ramp = "NTC"\nat = "1 s"\nfrom = "10 °C"\nto = "60 °C"\nover = "1 s"\n'
    contract = load_contract(
        '[parts.NTC]\nkind = "ntc"\npin = "A0"\nohm_25c = "10 kohm"\nbeta = 3950\n'
        f'fixed = "10 kohm"\nto = "ground"\n[[do]]\n{ramp}'
        '[[expect]]\nlevel = "LD2"\nis = "on"\nfrom = "3 s"\n', BOARD
    )  # fmt: skip
    written = dump_contract(contract, board)
    assert ramp in written
    assert load_contract(written, BOARD) == contract
