"""From a prompt to a proven image through a remote model, over real HTTP; and repair converges."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from fwgen import pipeline
from fwgen.errors import BenchError, EmissionError, InputError, ModelError, PromptError
from fwgen.model import find_model
from fwgen.model.remote.budget import Limits
from fwgen.model.remote.model import Options, RemoteModel
from fwgen.model.remote.settings import change_settings

from .brain import BOARD, Brain, contract_answer, contract_of, line, replaced, without
from .server import Reply, chat, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .server import Asked, Server

BLINK = "blink LED at 2 Hz"


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., RemoteModel]]:
    """A configured provider "lab" at a server; gives its model."""
    made: list[RemoteModel] = []

    def at(server: Server, **options: object) -> RemoteModel:
        change_settings({"providers.lab.base_url": server.url})
        model = find_model("lab/m")
        assert isinstance(model, RemoteModel)
        model.options = Options(**options)  # type: ignore[arg-type]
        made.append(model)
        return model

    yield at
    for model in made:
        model.close()


def test_a_prompt_becomes_a_proven_image(lab: Callable[..., RemoteModel]) -> None:
    brain = Brain(BLINK)
    with serving(brain) as server:
        result = pipeline.generate(BLINK, BOARD, model=lab(server))
    assert result.passed
    assert (result.attempts, result.model) == (1, "lab/m")
    assert result.reading.understood == ("as asked",)
    assert result.reading.doubts == ()
    assert result.proof.image.segments == pipeline.generate(BLINK, BOARD).proof.image.segments
    talks = [body["messages"][0]["content"][:40] for body in server.bodies]
    assert len(talks) == 2
    assert talks[0] != talks[1]  # the contract was a conversation of its own


def test_responses_carries_both_conversations(lab: Callable[..., RemoteModel]) -> None:
    change_settings({"providers.lab.transport": "responses", "providers.lab.base_url": "http://x"})
    with serving(Brain(BLINK)) as server:
        assert pipeline.generate(BLINK, BOARD, model=lab(server)).passed
    assert {asked.path for asked in server.asked} == {"/v1/responses"}


PWM = "movs r4, #96 ; 2460"
DAMAGES = {
    "a wrong nibble": (
        [replaced(PWM, "movs r4, #96 ; 2461")],
        ["movs r4, #96", "2460", "2461", "#0x61"],
    ),
    "a missing relocation": ([replaced("b idle ; e000 ; J11 idle", "b idle ; e000")], ["b idle"]),
    "a missing constant": ([without("k_gpioa")], ["k_gpioa"]),
    "an unknown name": ([replaced('"CLK / 2 - 1"', '"CLOK / 2 - 1"')], ["CLOK", "CLK"]),
    "another rate": (
        [replaced('"CLK / 2 - 1"', '"CLK / 4 - 1"')],
        [
            "LD2 blinks at 2 Hz",
            "First departure at",
            "PA5 (LD2) goes on by itself",
            "TIM2_ARR",
            "asleep",
        ],
    ),
    "a clock left off": (
        [replaced("str r1, [r0, #64] ; 6401", "nop ; bf00")],
        ["HAZARD clock-off", "cure:", "TIM2"],
    ),
    "a fault": (
        [replaced("str r1, [r7, #0] ; 6039", "udf #0 ; de00")],
        ["FAULT", "de00"],
    ),
    "no reset vector": ([replaced('"Reset=reset"', '"SysTick=reset"')], ["no Reset vector"]),
    "not the format": ([replaced('"kind": "words"', '"kind": "wrds"')], ["is not a kind"]),
    "three in a row": (
        [
            replaced('"CLK / 2 - 1"', '"CLOK / 2 - 1"'),
            replaced('"CLK / 2 - 1"', '"CLK / 4 - 1"'),
            replaced(PWM, "movs r4, #96 ; 2461"),
        ],
        ["CLOK", "First departure", "2461"],
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_what_was_wrong_is_told_and_mended(lab: Callable[..., RemoteModel], name: str) -> None:
    damages, said = DAMAGES[name]
    brain = Brain(BLINK, list(damages))
    with serving(brain) as server:
        result = pipeline.generate(BLINK, BOARD, model=lab(server), attempts=5)
    assert result.passed
    assert result.attempts == len(damages) + 1
    for piece in said:
        assert piece in "\n".join(brain.told), brain.told
    assert max(len(told) for told in brain.told) < 4000
    # The conversation does not grow with the repairs.
    assert max(len(body["messages"]) for body in server.bodies) == 4


def test_only_what_changes_is_sent_back(lab: Callable[..., RemoteModel]) -> None:
    brain = Brain(BLINK, [replaced('"CLK / 2 - 1"', '"CLK / 4 - 1"')])
    with serving(brain) as server:
        model = lab(server)
        assert pipeline.generate(BLINK, BOARD, model=model).passed
        last = model.transcript().decode().splitlines()[-1]
    assert "k_clk_2_1" in last
    answered = json.loads(last)["body"]
    assert "reset" not in answered.replace("Reset", "")


def test_the_beginning_of_every_request_is_the_same(lab: Callable[..., RemoteModel]) -> None:
    with serving(Brain(BLINK, [replaced(PWM, "movs r4, #96 ; 2461")])) as server:
        pipeline.generate(BLINK, BOARD, model=lab(server))
    first, second = (body["messages"] for body in server.bodies[1:])
    assert second[: len(first)] == first


@pytest.mark.parametrize(
    "reply",
    [chat("I am sorry, I cannot", finish="stop"), chat('{"plan": "x', finish="length"),
     chat('{"plan": "x"' + " " * 3000, finish=None)],
    ids=["no JSON", "too long", "a loop"],
)  # fmt: skip
def test_an_answer_that_is_no_emission_is_an_attempt(
    lab: Callable[..., RemoteModel], reply: Reply
) -> None:
    brain = Brain(BLINK)
    once: list[int] = []

    def answer(asked: Asked) -> Reply:
        if "CONTRACT (it is" in asked.body["messages"][1]["content"] and not once:
            once.append(1)
            return reply
        return brain(asked)

    with serving(answer) as server:
        result = pipeline.generate(BLINK, BOARD, model=lab(server))
    assert result.passed
    assert result.attempts == 2


def test_a_repair_that_repeats_itself_begins_anew(lab: Callable[..., RemoteModel]) -> None:
    wrong = replaced('"CLK / 2 - 1"', '"CLK / 4 - 1"')
    brain = Brain(BLINK, [wrong, wrong])
    with serving(brain) as server:
        result = pipeline.generate(BLINK, BOARD, model=lab(server))
    assert result.passed
    assert result.attempts == 2
    sizes = [len(body["messages"]) for body in server.bodies]
    assert sizes == [2, 2, 4, 2]  # contract, emission, repair, a fresh one
    assert "another way" in server.bodies[-1]["messages"][1]["content"]
    assert server.bodies[-1]["seed"] != server.bodies[1]["seed"]


def test_a_model_that_only_repeats_itself_ends(lab: Callable[..., RemoteModel]) -> None:
    wrong = replaced('"CLK / 2 - 1"', '"CLK / 4 - 1"')
    with serving(Brain(BLINK, [wrong] * 20)) as server:
        result = pipeline.generate(BLINK, BOARD, model=lab(server), attempts=9)
    assert not result.passed
    assert result.attempts == 1
    assert "again and again" in result.stopped


def test_the_best_of_failing_attempts_is_kept(lab: Callable[..., RemoteModel]) -> None:
    nearly = replaced('"CLK / 2 - 1"', '"CLK / 4 - 1"')
    worse = replaced("str r1, [r7, #0] ; 6039", "udf #0 ; de00")
    broken = replaced(PWM, "movs r4, #96 ; 2461")
    with serving(Brain(BLINK, [worse, nearly, broken])) as server:
        result = pipeline.generate(BLINK, BOARD, model=lab(server), attempts=3)
    assert not result.passed
    assert result.attempts == 3
    assert result.stopped == "that was the limit of attempts"
    assert not any(f.text.startswith("the CPU") for f in result.proof.verdict.all)
    assert "CLK / 4 - 1" in str(result.emission)


def test_an_emission_that_never_holds_together_is_an_error(lab: Callable[..., RemoteModel]) -> None:
    broken = [line("reset", n, "movs r1, #1 ; 2102") for n in (1, 2)]
    with serving(Brain(BLINK, broken)) as server, pytest.raises(EmissionError, match="2102"):
        pipeline.generate(BLINK, BOARD, model=lab(server), attempts=2)


def test_an_emission_of_endless_lines_is_not_worked_through(
    lab: Callable[..., RemoteModel],
) -> None:
    def endless(emission: dict[str, object]) -> dict[str, object]:
        lines = [f"movs r0, #{n % 200} ; 20{n % 200:02x}" for n in range(30_000)]
        return {**emission, "units": [{"label": "reset", "kind": "code", "lines": lines}]}

    brain = Brain(BLINK, [endless])
    with serving(brain) as server:
        result = pipeline.generate(BLINK, BOARD, model=lab(server))
    assert result.passed
    assert "more than 20000 lines" in brain.told[0]


# ---------------------------------------------------------------------------- samples, budgets


def test_of_several_samples_the_smallest_that_passes_is_kept(
    lab: Callable[..., RemoteModel],
) -> None:
    def padded(count: int) -> Callable[[dict[str, object]], dict[str, object]]:
        return replaced('"idle: wfi ; bf30', '"nop ; bf00", ' * count + '"idle: wfi ; bf30')

    failing = replaced('"CLK / 2 - 1"', '"CLK / 4 - 1"')
    brain = Brain(BLINK)

    def answer(asked: Asked) -> Reply:
        seed = asked.body.get("seed")
        if seed is None:
            return brain(asked)
        damages = {1000: padded(8), 2000: padded(4), 3000: failing}
        return Brain(BLINK, [damages[seed]])(asked)

    with serving(answer) as server:
        result = pipeline.generate(BLINK, BOARD, model=lab(server), samples=3, attempts=1)
    assert result.passed
    assert result.attempts == 3
    smallest = pipeline.generate(BLINK, BOARD).proof.image.flash_used
    assert result.proof.image.flash_used == smallest + 2 * 4


def test_the_embedded_model_gives_no_samples() -> None:
    with pytest.raises(InputError, match="gives one answer, not 2"):
        pipeline.generate(BLINK, BOARD, samples=2)


def test_tokens_are_limited(lab: Callable[..., RemoteModel]) -> None:
    wrong = [replaced('"CLK / 2 - 1"', f'"CLK / {n} - 1"') for n in (4, 8, 16)]
    with serving(Brain(BLINK, wrong)) as server:
        model = lab(server, limits=Limits(max_tokens=4000))
        result = pipeline.generate(BLINK, BOARD, model=model, attempts=9)
    assert not result.passed
    assert "limit of 4000 tokens is spent" in result.stopped
    limits = [body["max_completion_tokens"] for body in server.bodies]
    assert limits == sorted(limits, reverse=True)
    assert limits[0] < 4000


def test_an_emission_that_never_held_together_also_says_why_it_ended(
    lab: Callable[..., RemoteModel],
) -> None:
    broken = [line("reset", n, "movs r1, #1 ; 2102") for n in range(1, 9)]
    with serving(Brain(BLINK, broken)) as server:
        model = lab(server, limits=Limits(max_tokens=3600))
        with pytest.raises(EmissionError, match="2102") as told:
            pipeline.generate(BLINK, BOARD, model=model, attempts=9)
    assert "the limit of 3600 tokens is spent" in (told.value.hint or "")


def test_cost_is_limited_and_needs_a_price(lab: Callable[..., RemoteModel]) -> None:
    from fractions import Fraction

    with serving(Brain(BLINK)) as server:
        model = lab(server, limits=Limits(max_cost=Fraction(1)))
        with pytest.raises(InputError, match="the price of lab/m"):
            pipeline.generate(BLINK, BOARD, model=model)
        assert not server.asked
        change_settings({"prices.lab/m.input": "1000", "prices.lab/m.output": "20000"})
        model = lab(server, limits=Limits(max_cost=Fraction(2)))
        with pytest.raises(ModelError, match=r"limit of \$2.00 is spent"):
            pipeline.generate(BLINK, BOARD, model=model)
        assert len(server.asked) == 1


def test_time_is_limited(lab: Callable[..., RemoteModel]) -> None:
    asleep = chat("{}", hold=True)
    asleep.pieces = asleep.pieces[:1]
    with serving(asleep) as server:
        model = lab(server, limits=Limits(timeout_s=0.4))
        with pytest.raises(ModelError, match=r"more than 0\.4 s"):
            pipeline.generate(BLINK, BOARD, model=model)


# ---------------------------------------------------------------------------- the contract


def test_a_contract_file_overrules_and_nobody_is_asked(lab: Callable[..., RemoteModel]) -> None:
    with serving(Brain(BLINK)) as server:
        result = pipeline.generate(BLINK, BOARD, model=lab(server), contract=contract_of(BLINK))
    assert result.passed
    assert len(server.asked) == 1


def test_a_contract_that_is_wrong_is_mended(lab: Callable[..., RemoteModel]) -> None:
    wrong = json.loads(contract_answer(contract_of(BLINK)))
    wrong["expect"][0]["with"] = ['rate = "2 Herz"']
    right = contract_answer(contract_of(BLINK))
    with serving(chat(json.dumps(wrong)), chat("no idea"), chat(right)) as server:
        reading = pipeline.read(BLINK, BOARD, model=lab(server))
    assert reading.contract.expectations == contract_of(BLINK).expectations
    told = server.bodies[1]["messages"][-1]["content"]
    assert "expect[1]" in told
    assert "Herz" in told


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"expect": []}, "nothing is expected"),
        ({"expect": [{"verb": "quiet", "subjects": [], "with": []}]}, "asks for no behaviour"),
        ({"expect": [{"verb": "blinks", "subjects": ["LD9"], "with": ['rate = "2 Hz"']}]}, "LD9"),
        ({"expect": [{"verb": "shines", "subjects": ["LD2"], "with": []}]}, "names no verb"),
        ({"expect": [{"verb": "blinks", "subjects": ["LD2"],
                      "with": ['rate = "2 Hz"\n[[accept]]\nhazard = "clock-off"']}]}, "is no key"),
        ({"expect": [{"verb": "blinks", "subjects": ["LD2"],
                      "with": ['[[accept]]']}]}, "is no key"),
        ({"expect": "all of it"}, "is a list"),
        ({"accept": {"clock-off": "I like it so"}}, "unknown key"),
        ({"expect": [{"verb": "blinks", "subjects": ["LD2"],
                      "with": ['rate = "2 Hz"', 'until = "20 h"']}]}, "takes 72000 s to show"),
        ({"do": [{"verb": "press", "subjects": ["B1"], "with": [f'at = "{n} s"']}
                 for n in range(300)]},
         "300 entries"),
    ],
)  # fmt: skip
def test_no_unsound_contract_gets_through(
    lab: Callable[..., RemoteModel], changes: dict[str, object], said: str
) -> None:
    answer = chat(contract_answer(contract_of(BLINK), **changes))
    with serving(answer) as server, pytest.raises(ModelError, match="no sound contract") as told:
        pipeline.read(BLINK, BOARD, model=lab(server))
    assert said in told.value.message
    assert len(server.asked) == 3
    assert "--contract" in (told.value.hint or "")


def test_a_request_that_cannot_be_done_is_refused(lab: Callable[..., RemoteModel]) -> None:
    answer = chat(contract_answer(contract_of(BLINK), refused="there is no camera\x1b[2J"))
    with serving(answer) as server, pytest.raises(PromptError, match="there is no camera") as told:
        pipeline.read(BLINK, BOARD, model=lab(server))
    assert "\x1b" not in str(told.value)


def test_a_contract_of_another_rate_is_doubted(lab: Callable[..., RemoteModel]) -> None:
    other = contract_answer(contract_of("blink LED at 3 Hz"))
    with serving(chat(other)) as server:
        reading = pipeline.read(BLINK, BOARD, model=lab(server))
    assert any("3 Hz" in doubt and "2 Hz" in doubt for doubt in reading.doubts), reading.doubts


def test_a_contract_that_asks_for_less_is_doubted(lab: Callable[..., RemoteModel]) -> None:
    prompt = 'blink LED at 2 Hz and print "hi" every second'
    less = json.loads(contract_answer(contract_of(prompt)))
    less["expect"] = [entry for entry in less["expect"] if entry["verb"] == "blinks"]
    with serving(chat(json.dumps(less))) as server:
        reading = pipeline.read(prompt, BOARD, model=lab(server))
    assert len(reading.doubts) == 2
    assert any("hi" in doubt for doubt in reading.doubts)
    assert all(doubt.startswith("not asked: ") for doubt in reading.doubts)


def test_what_the_embedded_reader_does_not_understand_has_no_second_opinion(
    lab: Callable[..., RemoteModel],
) -> None:
    with serving(chat(contract_answer(contract_of(BLINK)))) as server:
        reading = pipeline.read("let there be light, twice a second", BOARD, model=lab(server))
    assert reading.doubts == ()


# ---------------------------------------------------------------------------- replay


def test_a_transcript_makes_the_same_image_and_the_same_transcript(
    lab: Callable[..., RemoteModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pathlib import Path

    brain = Brain(BLINK, [replaced('"CLK / 2 - 1"', '"CLK / 4 - 1"')])
    busy = [0]

    def answer(asked: Asked) -> Reply:
        busy[0] += 1
        if busy[0] == 1:
            return Reply([b'{"error": {"message": "later"}}'], status=429,
                         headers={"retry-after": "0"})  # fmt: skip
        if "response_format" in asked.body:
            return Reply([b'{"error": {"message": "no json_schema here"}}'], status=400)
        return brain(asked)

    with serving(answer) as server:
        model = lab(server)
        result = pipeline.generate(BLINK, BOARD, model=model)
    assert result.passed
    Path("t.jsonl").write_bytes(result.transcript)
    assert model.transcript_path is not None
    assert model.transcript_path.stat().st_mode & 0o077 == 0
    monkeypatch.setattr("socket.socket.connect", None)  # nobody is asked
    again = pipeline.generate(BLINK, BOARD, model="replay:t.jsonl")
    assert again.proof.image == result.proof.image
    assert again.transcript == result.transcript
    assert (again.model, again.attempts) == ("lab/m", 2)
    with pytest.raises(InputError, match="is of the prompt 'blink LED at 2 Hz'"):
        pipeline.generate("blink LED at 3 Hz", BOARD, model="replay:t.jsonl")
    lines = result.transcript.splitlines(keepends=True)
    Path("short.jsonl").write_bytes(b"".join(lines[:3]))
    with pytest.raises(ModelError, match="no further answer"):
        pipeline.generate(BLINK, BOARD, model="replay:short.jsonl")


def test_a_failure_is_played_back_too(
    lab: Callable[..., RemoteModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fwgen.model.remote.endpoint.FIRST_PAUSE_S", 0.001)
    with serving(Reply(drop=True)) as server:
        model = lab(server)
        with pytest.raises(ModelError, match="connection was lost") as told:
            pipeline.generate(BLINK, BOARD, model=model)
    path = model.transcript_path
    assert path is not None
    with pytest.raises(ModelError) as again:
        pipeline.generate(BLINK, BOARD, model=f"replay:{path}")
    assert again.value.message == told.value.message


@pytest.mark.parametrize("text", ["", "{}", "[]", "nonsense", '{"fwgen_transcript": 99}',
                                  '{"fwgen_transcript": 1}\n{"talk": 3}'])  # fmt: skip
def test_what_is_no_transcript_is_refused(text: str) -> None:
    from pathlib import Path

    Path("t.jsonl").write_text(text)
    with pytest.raises(InputError, match=r"transcript|JSON"):
        find_model("replay:t.jsonl")
    with pytest.raises(InputError, match="no such transcript"):
        find_model("replay:nowhere.jsonl")


# ---------------------------------------------------------------------------- confinement


def test_firmware_that_nobody_vouches_for_runs_in_a_worker(
    lab: Callable[..., RemoteModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("it ran in this process")

    with serving(Brain(BLINK)) as server:
        model = lab(server)
        contract = contract_of(BLINK)
        monkeypatch.setattr("fwgen.machine.machine.Machine.run", never)
        assert pipeline.generate(BLINK, BOARD, model=model, contract=contract).passed


def test_firmware_that_breaks_the_machine_is_an_attempt(
    lab: Callable[..., RemoteModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    from fwgen.machine.confined import ConfinedMachine

    run, broke = ConfinedMachine.run_by_chance, []

    def once(self: ConfinedMachine, *given: object) -> object:
        if not broke:
            broke.append(1)
            raise BenchError("the firmware was stopped: it took more than 1 s of wall time")
        return run(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(ConfinedMachine, "run_by_chance", once)
    other = replaced("movs r4, #96 ; 2460", "movs r4, #112 ; 2470")  # turned round: dark first
    brain = Brain(BLINK, [replaced(PWM, PWM), other])
    with serving(brain) as server:
        result = pipeline.generate(BLINK, BOARD, model=lab(server), attempts=4)
    assert result.attempts > 1
    assert "took more than 1 s" in brain.told[0]


def test_what_a_model_says_cannot_steer_a_terminal(lab: Callable[..., RemoteModel]) -> None:
    nasty = "\x1b[2J\x07\u202e"

    def spoil(emission: dict[str, object]) -> dict[str, object]:
        units = emission["units"]
        assert isinstance(units, list)
        units[0]["lines"][1] += f" ;  ; {nasty}"
        return {**emission, "plan": f"a plan{nasty}\nin two lines"}

    with serving(Brain(BLINK, [spoil])) as server:
        result = pipeline.generate(BLINK, BOARD, model=lab(server))
    assert result.passed
    assert result.emission.plan.splitlines() == ["a plan [2J  ", "in two lines"]
    for bad in nasty.replace("[2J", ""):
        assert bad not in str(result.proof.image.listing)


def test_a_home_that_cannot_be_written_is_no_hindrance(
    lab: Callable[..., RemoteModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    with serving(Brain(BLINK)) as server:
        model = lab(server)
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
        result = pipeline.generate(BLINK, BOARD, model=model)
    assert result.passed
    assert model.transcript_path is None
    assert len(result.transcript.splitlines()) == 3


def test_time_spent_asking_a_person_does_not_count() -> None:
    from fwgen.model.remote.budget import Budget

    now = [0.0]
    budget = Budget(Limits(timeout_s=10), clock=lambda: now[0])
    now[0] = 4
    with budget.paused():
        now[0] = 100
    assert budget.remaining_s == 6
