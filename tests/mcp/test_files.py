"""What the server may read and write: its folder and the client's roots; the output folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp_types import ErrorData, ListRootsResult, Root

from fwgen.board import load_board
from fwgen.board.registers import boards_folder
from fwgen.errors import InputError
from fwgen.image.load import load_image
from fwgen.image.write import write_elf
from fwgen.mcp_server.workshop import IMAGES, Settings, Shelf, Workshop
from tests.cli.firmware import bin_of, hex_of

from .conftest import BOARD, MODES, contract_of, data_of, emission_of, here, text_of

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder with firmware, a contract and a board; beside it what is nobody's business."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "spin.hex").write_bytes(hex_of("spin"))
    (folder / "spin.bin").write_bytes(bin_of("spin"))
    (folder / "c.toml").write_text(contract_of())
    board = boards_folder() / f"{BOARD}.toml"
    (folder / "mine.toml").write_text(board.read_text())
    (tmp_path / "secret.hex").write_bytes(hex_of("spin"))
    (tmp_path / "secret.toml").write_text('password = "12345"\n')
    return folder


async def test_files_of_the_working_folder_are_read_by_relative_and_whole_name(work: Path) -> None:
    async with here(work) as client:
        ids = set()
        for name in ("spin.hex", "spin.bin", str(work / "spin.hex")):
            told = await client.call_tool("explain", {"board": BOARD, "image": name})
            ids.add(data_of(told)["image"])
        says = await client.call_tool("check_contract", {"contract": "c.toml", "board": BOARD})
        own = await client.call_tool("check_contract", {"contract": "c.toml", "board": "mine.toml"})
    assert len(ids) == 1  # the same bytes, the same name
    assert not says.is_error
    assert own.is_error  # it is for nucleo-f401: the file was read
    assert "this contract is for 'nucleo-f401'" in text_of(own)


async def test_an_elf_file_of_the_working_folder_is_read_by_any_name(work: Path) -> None:
    image = load_image(work / "spin.hex", load_board(BOARD))
    (work / "release").mkdir()
    write_elf(image, work / "release" / "app")  # as cargo leaves it
    write_elf(image, work.parent / "app")
    (work / "notes").write_bytes(b"ELF")
    async with here(work) as client:
        found, outside, no_elf = [
            await client.call_tool("explain", {"board": BOARD, "image": name})
            for name in ("release/app", "../app", "notes")
        ]
    assert not found.is_error
    assert outside.is_error
    assert no_elf.is_error


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "name", ["../secret.hex", "{up}/secret.hex", "link.hex", "../{here}/../secret.hex", "spin.toml"]
)
async def test_nothing_outside_is_read(work: Path, mode: str, name: str) -> None:
    (work / "link.hex").symlink_to(work.parent / "secret.hex")
    async with here(work, mode=mode) as client:
        result = await client.call_tool(
            "explain", {"board": BOARD, "image": name.format(up=work.parent, here=work.name)}
        )
    assert result.is_error


@pytest.mark.parametrize("argument", ["contract", "board"])
async def test_no_line_of_a_file_outside_comes_back_in_an_error(work: Path, argument: str) -> None:
    (work / "sly.toml").write_text('chip = "../secret.toml"\n')
    asked = {"contract": contract_of(), "board": BOARD}
    async with here(work) as client:
        for name in ("../secret.toml", str(work.parent / "secret.toml"), "sly.toml"):
            result = await client.call_tool("check_contract", {**asked, argument: name})
            assert result.is_error
            assert "12345" not in text_of(result)
            assert "password" not in text_of(result)


@pytest.mark.parametrize("mode", MODES)
async def test_the_clients_roots_are_read_where_it_has_any(work: Path, mode: str) -> None:
    asked = 0

    async def roots(_context: object) -> ListRootsResult:
        nonlocal asked
        asked += 1
        return ListRootsResult(roots=[Root(uri=work.parent.as_uri())])  # type: ignore[arg-type]

    outside = {"board": BOARD, "image": str(work.parent / "secret.hex")}
    async with here(work, mode=mode, list_roots_callback=roots) as client:
        data_of(await client.call_tool("explain", {"board": BOARD, "image": "spin.hex"}))
        assert asked == 0  # a file of the working folder needs no question
        data_of(await client.call_tool("explain", outside))
        assert asked == 1
        beyond = await client.call_tool("explain", {**outside, "image": "/etc/passwd.hex"})
    assert beyond.is_error
    assert str(work.parent) in text_of(beyond)


@pytest.mark.parametrize("mode", MODES)
async def test_a_client_that_only_says_it_has_roots_has_none(work: Path, mode: str) -> None:
    async def roots(_context: object) -> ErrorData:
        return ErrorData(code=-32601, message="Method not found")

    outside = {"board": BOARD, "image": str(work.parent / "secret.hex")}
    async with here(work, mode=mode, list_roots_callback=roots) as client:
        data_of(await client.call_tool("explain", {"board": BOARD, "image": "spin.hex"}))
        if mode == "legacy":  # later ones answer in the call itself, or end it
            result = await client.call_tool("explain", outside)
            assert result.is_error
            assert "outside of the folders" in text_of(result)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(
        st.sampled_from(["..", ".", "work", "secret.hex", "spin.hex", "/", "link.hex", "a", ""]),
        max_size=6,
    )
)
def test_whatever_the_path_only_what_lies_inside_is_read(work: Path, parts: list[str]) -> None:
    if not (work / "link.hex").is_symlink():
        (work / "link.hex").symlink_to(work.parent / "secret.hex")
    shop = Workshop(Settings(work))
    try:
        found = shop.readable("/".join(parts), IMAGES, (), "firmware")
    except InputError:
        return
    assert found.resolve().is_relative_to(work.resolve())


async def test_a_result_is_written_below_the_output_folder_and_nowhere_else(work: Path) -> None:
    asked = {"board": BOARD, "contract": contract_of()}
    async with here(work) as client:
        told = data_of(await client.call_tool("verify", {**asked, "emission": emission_of()}))
        asked["image"] = told["image"]
        saved = data_of(await client.call_tool("save", asked))
        again = data_of(await client.call_tool("save", asked))
        named = data_of(await client.call_tool("save", {**asked, "name": "mine-1"}))
        for name in ("../x", "/tmp/x", "a/b", "..", ".", "x\0y", "a" * 200, ".hidden"):
            assert (await client.call_tool("save", {**asked, "name": name})).is_error
        other = data_of(
            await client.call_tool(
                "verify", {**asked, "image": "", "emission": emission_of("blink LED at 1Hz")}
            )
        )
        taken = await client.call_tool("save", {**asked, "image": other["image"], "name": "mine-1"})
        failed = data_of(
            await client.call_tool("save", {**asked, "image": other["image"], "name": "bad"})
        )
    folder = Path(saved["folder"])
    assert folder == work / "fwgen-out" / "blink-led-at-2hz-nucleo-f401"
    assert saved == again
    assert {path.name for path in folder.iterdir()} == set(saved["files"])
    assert {"firmware.hex", "firmware.elf", "contract.toml", "report.json"} <= set(saved["files"])
    assert json.loads((folder / "report.json").read_text())["outcome"] == "pass"
    assert taken.is_error
    assert "another result" in text_of(taken)
    assert failed["outcome"] == "fail"
    assert "FAILED.txt" in failed["files"]
    written = {path.name for path in (work / "fwgen-out").iterdir()}
    assert (
        written
        == {folder.name, "mine-1", "bad"}
        == {folder.name, Path(named["folder"]).name, "bad"}
    )


async def test_a_link_in_the_output_folder_leads_nowhere(work: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (work / "fwgen-out").mkdir()
    (work / "fwgen-out" / "sly").symlink_to(elsewhere)
    asked = {"board": BOARD, "contract": contract_of()}
    async with here(work) as client:
        told = data_of(await client.call_tool("verify", {**asked, "emission": emission_of()}))
        result = await client.call_tool("save", {**asked, "image": told["image"], "name": "sly"})
    assert result.is_error
    assert list(elsewhere.iterdir()) == []


async def test_what_is_a_file_already_is_not_saved_again(work: Path) -> None:
    async with here(work) as client:
        result = await client.call_tool(
            "save", {"board": BOARD, "contract": contract_of(), "image": "spin.hex"}
        )
    assert result.is_error


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 40)), max_size=30))
def test_a_shelf_keeps_the_last_things_and_never_too_many(things: list[tuple[int, int]]) -> None:
    shelf: Shelf[int] = Shelf("thing", 3, 50)
    kept: dict[str, int] = {}
    for name, weight in things:
        shelf.put(str(name), weight, weight)
        kept.pop(str(name), None)
        kept[str(name)] = weight
        while len(kept) > 1 and (len(kept) > 3 or sum(kept.values()) > 50):
            del kept[next(iter(kept))]
    for name in map(str, range(6)):
        assert shelf.find(name) == kept.get(name)
    check: Callable[[str], int] = shelf.get
    if "0" not in kept:
        with pytest.raises(InputError, match="make it again"):
            check("0")
