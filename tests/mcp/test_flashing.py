"""What is written to a board: what has passed, when a person says so, never what locks it.

The board is one in software behind an emulated probe; pyocd, which flashes it, cannot tell.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from mcp_types import ElicitRequestParams, ElicitResult

from fwgen.board import load_board
from fwgen.virtual.board import VirtualBoard
from tests.cli.firmware import bin_of, hex_of

from .conftest import BOARD, MODES, contract_of, data_of, emission_of, here, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mcp import Client

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_probes")]
QUIET = 'span = "50 ms"\n[[expect]]\nquiet = true\n'


class Person:
    """Somebody at the client, who is asked and answers."""

    def __init__(self, action: str = "accept", content: dict[str, Any] | None = None) -> None:
        self.asked: list[str] = []
        self._action, self._content = action, content

    async def __call__(self, _context: object, params: ElicitRequestParams) -> ElicitResult:
        self.asked.append(params.message)
        return ElicitResult(action=self._action, content=self._content)  # type: ignore[arg-type]


def willing() -> Person:
    return Person("accept", {"write": True})


@contextmanager
def plugged_in() -> Iterator[VirtualBoard]:
    """A board at a cable, with old firmware on it."""
    with VirtualBoard(load_board(BOARD), flash=bin_of("spin")) as board, board.plugged():
        yield board


def flash_of(board: VirtualBoard, size: int = 64) -> bytes:
    """What its flash holds."""
    flash: Any = board.machine.soc.peripherals["FLASH"]
    return bytes(flash.memory[:size])


async def proven(client: Client, prompt: str = "blink LED at 2Hz") -> dict[str, Any]:
    """The arguments of a flash of what has passed."""
    asked = {"board": BOARD, "contract": contract_of(prompt)}
    told = data_of(await client.call_tool("verify", {**asked, "emission": emission_of(prompt)}))
    assert told["outcome"] == "pass"
    return {**asked, "image": told["image"]}


@pytest.mark.parametrize("mode", MODES)
async def test_a_person_is_asked_in_the_words_of_the_contract_and_says_yes(
    tmp_path: Path, mode: str
) -> None:
    person = willing()
    with plugged_in() as board:
        before = flash_of(board)
        async with here(tmp_path, mode=mode, elicitation_callback=person) as client:
            asked = await proven(client)
            told = data_of(await client.call_tool("flash", asked))
            kept = data_of(await client.call_tool("list_backups", {}))["backups"]
            after = flash_of(board)
            back = data_of(await client.call_tool("restore", {"board": BOARD}))
        assert flash_of(board) == before != after
    assert len(person.asked) == 2
    assert person.asked[0].startswith(f"Flash {asked['image']} (64 bytes) onto ST NUCLEO-F401RE?")
    assert "has passed" in person.asked[0]
    assert "LD2 blinks at 2 Hz" in person.asked[0]
    assert person.asked[1].startswith("Put back the whole flash as first seen")
    assert (told["outcome"], told["bytes"]) == ("flashed", 64)
    assert [backup["name"] for backup in kept] == [told["backup"]]
    assert back["outcome"] == "restored"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "person",
    [Person("decline"), Person("cancel"), Person("accept", {"write": False}), Person("accept", {})],
    ids=["declines", "cancels", "leaves it unticked", "says nothing"],
)
async def test_nothing_is_written_unless_the_person_says_so(
    tmp_path: Path, mode: str, person: Person
) -> None:
    person.asked.clear()
    with plugged_in() as board:
        before = flash_of(board)
        async with here(tmp_path, mode=mode, elicitation_callback=person) as client:
            result = await client.call_tool("flash", await proven(client))
            restored = await client.call_tool("restore", {"board": BOARD})
        assert flash_of(board) == before
    assert result.is_error
    assert restored.is_error
    assert "the person did not confirm" in text_of(result)
    assert len(person.asked) == 2


@pytest.mark.parametrize("mode", MODES)
async def test_a_client_that_cannot_ask_is_refused_and_told_how_to_allow_it(
    tmp_path: Path, mode: str
) -> None:
    with plugged_in() as board:
        before = flash_of(board)
        async with here(tmp_path, mode=mode) as client:
            result = await client.call_tool("flash", await proven(client))
            restored = await client.call_tool("restore", {"board": BOARD})
        assert flash_of(board) == before
    for one in (result, restored):
        assert one.is_error
        assert "cannot ask" in text_of(one)
        assert "--allow-flash" in text_of(one)


@pytest.mark.parametrize("mode", MODES)
async def test_allow_flash_writes_what_has_passed_and_nothing_else(
    tmp_path: Path, mode: str
) -> None:
    person = willing()
    with plugged_in() as board:
        async with here(tmp_path, mode=mode, allow_flash=True) as client:
            told = data_of(await client.call_tool("flash", await proven(client)))
            after = flash_of(board)
            wrong = {**await proven(client), "contract": contract_of("blink LED at 3Hz")}
            forced = await client.call_tool("flash", {**wrong, "force": True})
            assert flash_of(board) == after
        async with here(
            tmp_path, mode=mode, allow_flash=True, elicitation_callback=person
        ) as client:
            data_of(await client.call_tool("flash", await proven(client)))
    assert told["outcome"] == "flashed"
    assert forced.is_error
    assert "cannot ask" in text_of(forced)
    assert person.asked == []


async def test_what_fails_is_refused_with_the_evidence_and_asks_nobody(tmp_path: Path) -> None:
    person = willing()
    with plugged_in() as board:
        before = flash_of(board)
        async with here(tmp_path, elicitation_callback=person) as client:
            good = await proven(client)
            wrong = {**good, "contract": contract_of("blink LED at 3Hz")}
            failed = await client.call_tool("flash", wrong)
            unproven = await client.call_tool("flash", {**good, "contract": ""})
            unsure = await client.call_tool(
                "flash",
                {"board": BOARD, "contract": QUIET, "image": hex_of("unmodelled").decode()},
            )
        assert flash_of(board) == before
    assert person.asked == []
    assert "not flashed: it is FAIL" in text_of(failed)
    assert "it blinks at 2 Hz" in text_of(failed)
    assert "nothing is proven" in text_of(unproven)
    assert "not flashed: it is UNSURE" in text_of(unsure)
    assert all("force=true" in text_of(one) for one in (failed, unproven, unsure))


async def test_forced_it_is_written_when_the_person_has_read_what_is_wrong(tmp_path: Path) -> None:
    person = willing()
    with plugged_in() as board:
        async with here(tmp_path, elicitation_callback=person) as client:
            good = await proven(client)
            wrong = {**good, "contract": contract_of("blink LED at 3Hz"), "force": True}
            told = data_of(await client.call_tool("flash", wrong))
            data_of(await client.call_tool("flash", {**good, "contract": "", "force": True}))
        assert flash_of(board, 8)[:4] != bin_of("spin")[:4] or told["bytes"]
    assert "IT HAS NOT PASSED (FAIL)" in person.asked[0]
    assert "it blinks at 2 Hz" in person.asked[0]
    assert "NOTHING IS PROVEN" in person.asked[1]
    assert told["outcome"] == "flashed"


@pytest.mark.parametrize(
    ("program", "code"), [("no-swd", "swd-remapped"), ("option-bytes", "option-bytes")]
)
async def test_what_locks_the_board_is_never_written_whoever_says_so(
    tmp_path: Path, program: str, code: str
) -> None:
    person = willing()
    accepting = (
        f'{QUIET}but = ["PA13", "PA14"]\n[[accept]]\nhazard = "{code}"\nbecause = "I want it"\n'
    )
    image = hex_of(program).decode()
    with plugged_in() as board:
        before = flash_of(board)
        async with here(tmp_path, allow_flash=True, elicitation_callback=person) as client:
            for contract in (accepting, QUIET, ""):
                result = await client.call_tool(
                    "flash",
                    {"board": BOARD, "image": image, "contract": contract, "force": True},
                )
                assert result.is_error
                assert f"[{code}]" in text_of(result)
                assert "never written" in text_of(result)
        assert flash_of(board) == before
    assert person.asked == []


async def test_the_words_of_an_agent_cannot_pass_for_ours_in_the_question(tmp_path: Path) -> None:
    person = Person("decline")
    sly = "it is fine\\n\\nIt has passed on silicon:\\u001b[2J" + "x" * 500
    contract = f'{QUIET}[[accept]]\nhazard = "clock-off"\nbecause = "{sly}"\n'
    with plugged_in():
        async with here(tmp_path, elicitation_callback=person) as client:
            await client.call_tool(
                "flash",
                {
                    "board": BOARD, "contract": contract, "image": hex_of("clock-off").decode(),
                    "probe": "V\nFlash nothing?",
                },
            )  # fmt: skip
    (asked,) = person.asked
    assert "is accepted: it is fine It has passed on silicon:" in asked
    assert not any(
        line.startswith(("It has passed on", "Flash nothing")) for line in asked.split("\n")
    )
    assert "\x1b" not in asked
    assert max(len(line) for line in asked.split("\n")) < 260


async def test_a_fresh_virtual_board_is_nobodys_and_is_checked_without_a_question(
    tmp_path: Path,
) -> None:
    async with here(tmp_path) as client:
        good = await proven(client)
        told = data_of(await client.call_tool("flash", {**good, "rig": "virtual", "check": True}))
        forced = await client.call_tool(
            "flash", {**good, "contract": "", "rig": "virtual", "force": True}
        )
        restored = await client.call_tool("restore", {"board": BOARD, "rig": "virtual"})
    assert told["outcome"] == "pass"
    assert any("LD2 blinks at 2 Hz" in claim for claim in told["claims"])
    assert forced.is_error
    assert restored.is_error


async def test_the_board_itself_is_watched_where_that_is_asked(tmp_path: Path) -> None:
    with plugged_in():
        async with here(tmp_path, elicitation_callback=willing()) as client:
            good = await proven(client, "turn on LED")
            told = data_of(await client.call_tool("flash", {**good, "check": True}))
            without = await client.call_tool(
                "flash", {**good, "contract": "", "force": True, "check": True}
            )
    # Time stands still on this board while nobody asks for it: a probe sees too little.
    assert told["outcome"] == "unsure"
    assert told["backup"]
    assert any("LD2" in claim for claim in told["claims"])
    assert without.is_error


async def test_no_probe_is_an_error_in_words(tmp_path: Path) -> None:
    async with here(tmp_path, elicitation_callback=willing()) as client:
        result = await client.call_tool("flash", await proven(client))
        rigs = data_of(await client.call_tool("list_rigs", {}))
        checks = data_of(await client.call_tool("doctor", {}))
    assert result.is_error
    assert "no debug probe is plugged in" in text_of(result)
    assert rigs["probes"] == []
    assert checks["problems"] >= 1


async def test_probes_and_what_is_behind_them_are_listed(tmp_path: Path) -> None:
    with plugged_in() as board:
        async with here(tmp_path) as client:
            rigs = data_of(await client.call_tool("list_rigs", {}))
            checks = data_of(await client.call_tool("doctor", {"board": BOARD}))
    assert [probe["uid"] for probe in rigs["probes"]] == [board.uid]
    assert ("chip", "ok") in [(c["name"], c["state"]) for c in checks["checks"]]


@pytest.mark.parametrize("rig", ["../hil/rigs/virtual.toml", "x.toml", "/etc/passwd"])
async def test_a_rig_is_no_path(tmp_path: Path, rig: str) -> None:
    async with here(tmp_path, elicitation_callback=willing()) as client:
        result = await client.call_tool("flash", {**await proven(client), "rig": rig})
    assert result.is_error
    assert "not given by a path" in text_of(result)


@pytest.mark.parametrize("backup", ["../x.zip", "x.zip", "/tmp/x"])
async def test_a_backup_is_no_path(tmp_path: Path, backup: str) -> None:
    person = willing()
    async with here(tmp_path, elicitation_callback=person) as client:
        result = await client.call_tool("restore", {"board": BOARD, "backup": backup})
    assert result.is_error
    assert person.asked == []


async def test_a_flash_tells_how_far_it_is(tmp_path: Path) -> None:
    told: list[tuple[float, str]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, message or ""))

    with plugged_in():
        async with here(tmp_path, allow_flash=True) as client:
            good = await proven(client)
            data_of(await client.call_tool("flash", good, progress_callback=hear))
    assert told
    assert [progress for progress, _ in told] == sorted(progress for progress, _ in told)


@pytest.mark.parametrize("moment", ["back up", "erase"])
async def test_a_cancelled_flash_leaves_the_old_firmware_or_the_new_one(
    tmp_path: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fwgen.mcp_server.work import Phase

    reached = anyio.Event()
    plain: Callable[..., None] = Phase.flash

    def slow(self: Phase, what: str, done: int, total: int) -> None:
        if what == moment and not reached.is_set():
            anyio.from_thread.run_sync(reached.set)
            self.cancelled.wait(30)
        plain(self, what, done, total)

    monkeypatch.setattr(Phase, "flash", slow)
    with plugged_in() as board:
        before = flash_of(board)
        async with here(tmp_path, allow_flash=True) as client:
            good = await proven(client)
            async with anyio.create_task_group() as group:

                async def call() -> None:
                    await client.call_tool("flash", good)

                group.start_soon(call)
                with anyio.fail_after(60):
                    await reached.wait()
                group.cancel_scope.cancel()
            # The next one waits until the board is free again.
            data_of(await client.call_tool("list_rigs", {}))
            after = flash_of(board)
            assert (after == before) == (moment == "back up")
            if moment == "erase":
                image = await client.call_tool("explain", {"board": BOARD, "image": good["image"]})
                assert not image.is_error
                assert after[8:16] != b"\xff" * 8
