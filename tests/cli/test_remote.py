"""``fwgen PROMPT --model ...`` from end to end, against a server on the loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.model.remote.brain import Brain, contract_answer, contract_of, replaced
from tests.model.remote.server import Reply, Server, chat, error, serving

from .conftest import BOARD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.model.remote.server import Asked

    from .conftest import Ran

    Call = Callable[..., Ran]

BLINK = "blink LED at 2 Hz"
KEY = "sk-never-to-be-seen-0123456789"
WRONG = replaced('"CLK / 2 - 1"', '"CLK / 4 - 1"')


@pytest.fixture
def lab(
    fwgen: Call, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Callable[[Asked], Reply]], Server]]:
    """Starts a server and makes it the provider "lab", which wants a key."""
    monkeypatch.setenv("LAB_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "*")
    servers: list[Server] = []

    def start(brain: Callable[[Asked], Reply]) -> Server:
        server = Server(brain)
        servers.append(server)
        assert fwgen("config", "set", "providers.lab.base_url", server.url).code == 0
        fwgen("config", "set", "providers.lab.key_env", "LAB_KEY")
        fwgen("config", "set", "providers.lab.key", "needed")
        return server

    yield start
    for server in servers:
        server.close()


def test_a_remote_model_makes_firmware(fwgen: Call, lab: Callable[..., Server]) -> None:
    lab(Brain(BLINK, [WRONG]))
    ran = fwgen(BLINK, "-b", BOARD, "-m", "lab/m", "--yes", "-o", "out", "-v")
    assert ran.code == 0, ran.said
    assert "lab/m model" in ran.said
    assert "attempt 1" in ran.said
    assert "PASS" in ran.said
    assert "system prompt 2" in ran.said
    assert "3 answers: 300 tokens read, 150 written" in ran.said
    report = json.loads(Path("out/report.json").read_text())
    assert (report["model"], report["attempts"], report["stopped"]) == ("lab/m", 2, "")
    assert "transcript.jsonl" in report["files"]
    assert not Path("out/FAILED.txt").exists()


def test_the_page_about_reports_names_what_only_remote_models_have(
    fwgen: Call, lab: Callable[..., Server]
) -> None:
    page = (Path(__file__).parents[2] / "docs/report.md").read_text(encoding="utf-8")
    lab(Brain(BLINK))
    assert fwgen(BLINK, "-b", BOARD, "-m", "lab/m", "-y", "-o", "remote").code == 0
    assert fwgen(BLINK, "-b", BOARD, "-o", "embedded").code == 0
    remote, embedded = (
        json.loads(Path(name, "report.json").read_text()) for name in ("remote", "embedded")
    )
    assert set(remote) - set(embedded) == {"doubts", "stopped", "blocks"}
    for key in ("`doubts[]`", "`stopped`", "`blocks[]`"):
        assert f"| {key}" in page.partition("A remote model's firmware")[2]


def test_a_transcript_gives_the_same_files_byte_for_byte(
    fwgen: Call, lab: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = lab(Brain(BLINK, [WRONG]))
    assert fwgen(BLINK, "-b", BOARD, "-m", "lab/m", "-y", "-o", "one").code == 0
    server.close()
    monkeypatch.delenv("LAB_KEY")
    ran = fwgen(BLINK, "-b", BOARD, "-m", "replay:one/transcript.jsonl", "-o", "two")
    assert ran.code == 0, ran.said
    names = {path.name for path in Path("one").iterdir()}
    assert names == {path.name for path in Path("two").iterdir()}
    for name in names:
        assert Path("one", name).read_bytes() == Path("two", name).read_bytes(), name


def test_the_best_failing_attempt_is_marked(fwgen: Call, lab: Callable[..., Server]) -> None:
    brain = Brain(BLINK, [WRONG] * 9)
    lab(brain)
    ran = fwgen(BLINK, "-b", BOARD, "-m", "lab/m", "-y", "-o", "out")
    assert ran.code == 1
    assert "FAIL" in ran.said
    assert "again and again" in ran.said
    said = Path("out/FAILED.txt").read_text()
    assert said.startswith("FAIL: this firmware does not do what was asked.")
    assert "blinks at 4 Hz" in said
    assert "flash" not in [line.split()[0] for line in ran.out.splitlines() if line.split()]
    refused = fwgen("flash", "out/firmware.hex", "-b", BOARD, "--rig", "virtual")
    assert refused.code == 2
    assert "does not do what was asked" in refused.said
    assert "--force" in refused.said
    brain.damages.clear()
    assert fwgen(BLINK, "-b", BOARD, "-m", "lab/m", "-y", "-o", "out").code == 0
    assert not Path("out/FAILED.txt").exists()  # the mark of the last one is gone


def test_nothing_shows_the_key(fwgen: Call, lab: Callable[..., Server], tmp_path: Path) -> None:
    brain = Brain(BLINK)
    server = lab(lambda asked: brain(asked) if len(server.asked) < 3 else error(401, f"bad {KEY}"))
    said = fwgen(BLINK, "-b", BOARD, "-m", "lab/m", "-y", "-o", "out", "-v").said
    said += fwgen(BLINK, "-b", BOARD, "-m", "lab/m", "-y", "-o", "out2").said
    said += fwgen("models").said + fwgen("models", "lab").said + fwgen("config").said
    assert "does not accept the key, which came from the environment (LAB_KEY)" in said
    assert KEY not in said
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".jsonl" for path in kept)
    assert not [path for path in kept if KEY.encode() in path.read_bytes()]


def test_somebody_must_say_yes(fwgen: Call, lab: Callable[..., Server]) -> None:
    server = lab(Brain(BLINK))
    for more in ((), ("--json",)):
        ran = fwgen(BLINK, "-b", BOARD, "-m", "lab/m", *more)
        assert ran.code == 2
        assert "add --yes" in ran.said
    assert not server.asked
    Path("c.toml").write_text(fwgen_contract())
    assert fwgen(BLINK, "-b", BOARD, "-m", "lab/m", "-c", "c.toml", "-o", "out").code == 0
    assert len(server.asked) == 1


def fwgen_contract() -> str:
    from fwgen.contract import dump_contract

    return dump_contract(contract_of(BLINK))


@pytest.mark.parametrize(("answer", "code", "asked"), [("y\n", 0, 2), ("n\n", 2, 1), ("", 2, 1)])
def test_a_person_is_asked(
    fwgen: Call, lab: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, answer: str,
    code: int, asked: int,
) -> None:  # fmt: skip
    import io

    monkeypatch.setattr("fwgen.cli.asking._somebody", lambda: True)
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    server = lab(Brain(BLINK))
    ran = fwgen(BLINK, "-b", BOARD, "-m", "lab/m", "-o", "out")
    assert ran.code == code, ran.said
    assert "Is this what must be seen? [y/N]" in ran.said
    assert len(server.asked) == asked
    assert Path("out").exists() == (code == 0)


def test_a_dry_run_asks_for_the_contract_only(fwgen: Call, lab: Callable[..., Server]) -> None:
    other = contract_answer(contract_of("blink LED at 3 Hz"))
    server = lab(lambda _: chat(other))
    ran = fwgen(BLINK, "-b", BOARD, "-m", "lab/m", "--dry-run")
    assert ran.code == 0
    assert "doubts" in ran.said
    assert "2 Hz" in ran.said.partition("doubts")[2]
    assert len(server.asked) == 1
    data = json.loads(fwgen(BLINK, "-b", BOARD, "-m", "lab/m", "--dry-run", "--json").out)
    assert len(data["doubts"]) == 1


def test_an_error_says_where_everything_is_kept(fwgen: Call, lab: Callable[..., Server]) -> None:
    lab(lambda _: chat("", refusal="I would rather not."))
    ran = fwgen(BLINK, "-b", BOARD, "-m", "lab/m", "-y")
    assert ran.code == 2
    assert "I would rather not." in ran.said
    path = ran.said.replace(" ", "").partition("answeredisin")[2]
    assert path.endswith(".jsonl")
    assert not Path("fwgen-out").exists()


def test_limits_of_cost_need_a_price(fwgen: Call, lab: Callable[..., Server]) -> None:
    server = lab(Brain(BLINK))
    ran = fwgen(BLINK, "-b", BOARD, "-m", "lab/m", "-y", "--max-cost", "0.5")
    assert ran.code == 2
    assert "price of lab/m" in ran.said
    assert [asked.path for asked in server.asked] == ["/v1/models"]  # which might have told it
    fwgen("config", "set", "prices.lab/m.input", "3")
    fwgen("config", "set", "prices.lab/m.output", "15")
    ran = fwgen(BLINK, "-b", BOARD, "-m", "lab/m", "-y", "--max-cost", "0.5", "-v")
    assert ran.code == 0
    assert "$0.0021" in ran.said


def test_samples_are_taken_side_by_side(fwgen: Call, lab: Callable[..., Server]) -> None:
    lab(Brain(BLINK))
    ran = fwgen(BLINK, "-b", BOARD, "-m", "lab/m", "-y", "--samples", "3", "-o", "out")
    assert ran.code == 0
    assert json.loads(Path("out/report.json").read_text())["attempts"] == 3
    ran = fwgen(BLINK, "-b", BOARD, "--samples", "3")
    assert ran.code == 2
    assert "gives one answer" in ran.said


def test_which_model_is_used_without_naming_one(
    fwgen: Call, monkeypatch: pytest.MonkeyPatch, lab: Callable[..., Server]
) -> None:
    ran = fwgen(BLINK, "-b", BOARD, "-o", "a")
    assert "embedded model" in ran.said
    assert "at hand" not in ran.said
    monkeypatch.setenv("XAI_API_KEY", KEY)
    ran = fwgen(BLINK, "-b", BOARD, "-o", "a")
    assert "embedded model" in ran.said
    assert "xai/grok-4 is at hand, too: --model xai/grok-4" in ran.said
    ran = fwgen("make coffee", "-b", BOARD)
    assert ran.code == 2
    assert "--model xai/grok-4 --yes" in ran.said

    poem = "let there be light, twice a second"
    server = lab(Brain(BLINK))
    monkeypatch.setenv("XAI_BASE_URL", server.url)
    fwgen("config", "set", "prices.xai/grok-4.input", "3")
    fwgen("config", "set", "prices.xai/grok-4.output", "15")
    ran = fwgen(poem, "-b", BOARD, "-y", "-o", "b")
    assert ran.code == 0, ran.said
    assert "xai/grok-4: about $0.041 for the contract and one attempt" in ran.said
    fwgen("config", "set", "model", "lab/m")
    ran = fwgen(BLINK, "-b", BOARD, "-y", "-o", "c")
    assert "lab/m model" in ran.said
    assert "what it costs is not known here" in ran.said


def test_who_is_asked_is_said_before_it_is(fwgen: Call, lab: Callable[..., Server]) -> None:
    lab(lambda _: error(401, "no"))
    fwgen("config", "set", "model", "lab/m")
    ran = fwgen(BLINK, "-b", BOARD, "-y")
    assert ran.code == 2
    assert "lab/m model" in ran.out
    assert "what it costs is not known here" in " ".join(ran.out.split())


def test_models_are_listed_with_reasons(fwgen: Call, lab: Callable[..., Server]) -> None:
    listing = Reply([b'{"data": [{"id": "one"}, {"id": "two"}]}'])
    server = lab(lambda _: listing)
    ran = fwgen("models")
    assert "2 models at http://127.0.0.1" in ran.said
    assert "no key: set XAI_API_KEY" in ran.said
    ran = fwgen("models", "lab")
    assert ran.code == 0
    assert "lab/one" in ran.out
    assert server.asked[0].path == "/v1/models"
    price = '"pricing": {"prompt": "0.000003", "completion": "0.000015"}'
    listing.pieces = [f'{{"data": [{{"id": "one", {price}}}, {{"id": "two"}}]}}'.encode()]
    said = fwgen("models", "lab").said
    assert "lab/one $3 read, $15 written, for a million tokens lab/two" in said
    data = json.loads(fwgen("models", "--json").out)
    found = {p["name"]: p for p in data["providers"]}
    assert found["lab"]["models"] == ["one", "two"]
    assert not found["openai"]["reachable"]


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (error(401, "no"), "does not accept the key"),
        (Reply([b"<html>"], kind="text/html"), "not as the OpenAI API does"),
        (Reply([b"[]"]), "not as the OpenAI API does"),
        (error(500, "no"), "status 500"),
        (Reply(drop=True), "nothing answers at"),
    ],
)
def test_why_a_provider_cannot_be_asked(
    fwgen: Call, lab: Callable[..., Server], reply: Reply, said: str
) -> None:
    lab(lambda _: reply)
    ran = fwgen("models", "lab")
    assert ran.code == 2
    assert said in ran.said


def test_the_first_model_of_a_provider_is_taken_where_none_is_named(
    fwgen: Call, lab: Callable[..., Server]
) -> None:
    brain = Brain(BLINK)
    listing = Reply([b'{"data": [{"id": "one"}, {"id": "two"}]}'])
    server = lab(lambda asked: listing if asked.path == "/v1/models" else brain(asked))
    ran = fwgen(BLINK, "-b", BOARD, "-m", "lab", "-y", "-o", "out")
    assert ran.code == 0, ran.said
    assert {asked.body.get("model") for asked in server.asked} == {None, "one"}


def test_a_key_is_kept_and_not_shown(fwgen: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO(f"{KEY}\n"))
    ran = fwgen("config", "set-key", "xai")
    assert ran.code == 0
    assert "the key for xai is kept in" in ran.said
    assert KEY not in ran.said
    assert "from" in fwgen("config").said
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    assert "is gone from" in fwgen("config", "set-key", "xai").said
    assert fwgen("config", "set-key", "nobody").code == 2


def test_openai_is_imported_only_when_it_is_asked(tmp_path: Path) -> None:
    """With a key at hand, a prompt that the embedded model understands stays with it."""
    environment = {**os.environ, "XAI_API_KEY": KEY, "XDG_CONFIG_HOME": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "fwgen", BLINK, "-b", BOARD, "-o", "out"],
        capture_output=True, text=True, check=True, timeout=60, env=environment,
    )  # fmt: skip
    assert "at hand, too" in ran.stdout
    assert "openai" not in ran.stderr
    assert "httpx2" not in ran.stderr


def test_ctrl_c_ends_a_talk_and_keeps_what_was_said(tmp_path: Path) -> None:
    import signal
    import time

    asleep = chat("{}", hold=True)
    asleep.pieces = asleep.pieces[:1]
    config = tmp_path / ".home" / "config"
    with serving(asleep) as server:
        environment = {
            **os.environ, "XDG_CONFIG_HOME": str(config), "OPENAI_BASE_URL": server.url,
            "OPENAI_API_KEY": KEY, "XDG_STATE_HOME": str(tmp_path / "state"), "NO_PROXY": "*",
        }  # fmt: skip
        with subprocess.Popen(
            [sys.executable, "-m", "fwgen", BLINK, "-b", BOARD, "-m", "gpt-x", "-y"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        ) as child:  # fmt: skip
            deadline = time.monotonic() + 60
            while not server.asked and time.monotonic() < deadline:
                time.sleep(0.02)
            time.sleep(0.3)
            child.send_signal(signal.SIGINT)
            _, err = child.communicate(timeout=30)
    assert child.returncode == 130, err
    kept = list((tmp_path / "state").rglob("*.jsonl"))
    assert len(kept) == 1
    assert len(kept[0].read_text().splitlines()) == 2


def test_progress_tells_units_bytes_speed_and_cost() -> None:
    from fractions import Fraction

    from fwgen.cli.asking import Progress
    from fwgen.model.remote.endpoint import Arriving
    from fwgen.model.remote.model import RemoteModel
    from fwgen.model.remote.providers import Provider, Target
    from fwgen.model.remote.settings import Price

    said: list[str] = []

    class Status:
        def update(self, text: object) -> None:
            said.append(str(text))

    price = Price(Fraction(3, 10**6), Fraction(15, 10**6))
    model = RemoteModel(Target(Provider("lab", "Lab", "http://x/v1"), "m"), price)
    progress = Progress(Status(), model)  # type: ignore[arg-type]
    progress(Arriving("sample 1", 400, 3, 30, 58, 200, 4.0))
    progress(Arriving("sample 2", note="thinking"))
    assert said == [
        "sample 1: 200 tokens, 3 units, 58 bytes of code, 50 tokens/s, $0.0030",
        "sample 1: 200 tokens, 3 units, 58 bytes of code, 50 tokens/s, $0.0030; sample 2: thinking",
    ]
