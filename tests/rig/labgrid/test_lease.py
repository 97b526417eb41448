"""A place is borrowed from labgrid's own coordinator and given back; obstacles are sentences."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from fwgen.errors import RigError
from fwgen.rig.labgrid.lease import borrowed, parse_place

from . import farm as farms

if TYPE_CHECKING:
    from pathlib import Path

    from .farm import Farm

HOLD = """
import sys
from fwgen.rig.labgrid.lease import borrowed, parse_place
with borrowed(parse_place(sys.argv[1])) as place:
    print(place.place, flush=True)
    sys.stdin.read()
"""


def who(lab: Farm) -> str:
    """Who has what, as labgrid tells it."""
    return str(lab.client("who").stdout)


def test_a_place_is_ours_until_we_leave_and_has_what_a_rig_needs(at: Farm) -> None:
    with borrowed(parse_place("labgrid:one")) as place:
        assert place.probe == "remote:127.0.0.1:1"
        assert place.port == "rfc2217://127.0.0.1:2?ign_set_control"
        assert (place.place, place.board, place.kept) == ("one", "nucleo-f401", False)
        assert "one" in who(at)
    assert "one" not in who(at)
    assert "main: name=one" not in at.client("reservations").stdout


def test_a_place_that_its_user_acquired_is_used_and_stays_his(at: Farm) -> None:
    assert at.client("-p", "one", "acquire", user="me").returncode == 0
    try:
        with borrowed(parse_place("labgrid:one")) as place:
            assert place.kept
        assert "one" in who(at)
    finally:
        at.client("-p", "one", "release", user="me")


def test_what_somebody_else_has_is_named_with_him_and_waited_for_when_asked(at: Farm) -> None:
    assert at.client("-p", "one", "acquire", user="ada").returncode == 0
    with pytest.raises(RigError, match="the place one is in use by desk/ada") as error:
        borrowed(parse_place("labgrid:one")).__enter__()
    assert "labgrid:one,wait=10min" in str(error.value.hint)
    said: list[str] = []

    def hear(words: str) -> None:
        said.append(words)
        threading.Thread(target=at.client, args=("-p", "one", "release", "--kick")).start()

    with borrowed(parse_place("labgrid:one,wait=60s"), hear) as place:
        assert place.place == "one"
    assert said == ["waiting for one: one is with desk/ada"]


def test_any_place_with_the_tags_will_do_and_the_queue_gives_each_to_one(at: Farm) -> None:
    wanted = parse_place("labgrid:kind=pair")
    with ExitStack() as held:
        first, second = (held.enter_context(borrowed(wanted)) for _ in range(2))
        assert {first.place, second.place} == {"one", "two"}
        with pytest.raises(RigError, match="all 2 places with kind=pair are in use"):
            borrowed(wanted).__enter__()
        with pytest.raises(RigError, match=r"still after 0\.5 s"):
            borrowed(parse_place("labgrid:kind=pair,wait=500ms")).__enter__()


def test_two_of_the_same_user_do_not_share_a_place(at: Farm) -> None:
    with (
        borrowed(parse_place("labgrid:one")),
        pytest.raises(RigError, match="in use by another fwgen of yours"),
    ):
        borrowed(parse_place("labgrid:one")).__enter__()


def test_a_fwgen_that_is_killed_leaves_nothing_acquired(at: Farm) -> None:
    line = [sys.executable, "-c", HOLD, "labgrid:two"]
    with subprocess.Popen(
        line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=farms.ROOT
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "two\n"
        os.kill(holder.pid, signal.SIGKILL)
    with borrowed(parse_place("labgrid:two,wait=30s")) as place:
        assert not place.kept


def test_who_stops_waiting_leaves_the_queue(at: Farm) -> None:
    assert at.client("-p", "two", "acquire", user="ada").returncode == 0
    try:
        line = [sys.executable, "-c", HOLD, "labgrid:two,wait=1min"]
        with subprocess.Popen(line, stdin=subprocess.PIPE, cwd=farms.ROOT) as waiting:
            for _ in range(100):
                if "name=two" in at.client("reservations").stdout:
                    break
            else:
                pytest.fail("nobody waits")
            os.kill(waiting.pid, signal.SIGKILL)
        for _ in range(30):
            if "name=two" not in at.client("reservations").stdout:
                return
        pytest.fail("the reservation stays")
    finally:
        at.client("-p", "two", "release", user="ada")


@pytest.mark.parametrize(
    ("wanted", "words", "cure"),
    [
        ("thre", "labgrid has no place 'thre'", "did you mean three?"),
        ("kind=odd", "labgrid has no place with kind=odd", "two: kind=pair"),
        ("empty", "the place empty is made of nothing", "add-match"),
        ("absent", "nobody exports what the place absent is made of: lab-9/absent/*", "exporter"),
        ("blind", "the place blind has no debug probe that is served", "NetworkSerialPort"),
        ("usb", "the place usb has no debug probe that is served", 'on attic, let "pyocd server"'),
        ("twin", "has 2 of NetworkSerialPort, and I do not guess", "add-named-match"),
    ],
)
def test_a_place_that_is_no_rig_is_told_with_the_cure(
    at: Farm, wanted: str, words: str, cure: str
) -> None:
    with pytest.raises(RigError) as error:
        borrowed(parse_place(f"labgrid:{wanted}")).__enter__()
    assert words in str(error.value)
    assert cure in str(error.value.hint)


def test_a_place_that_is_no_rig_is_given_back(at: Farm) -> None:
    with pytest.raises(RigError, match="has no debug probe"):
        borrowed(parse_place("labgrid:blind")).__enter__()
    assert "blind" not in who(at)


def test_a_place_without_a_serial_port_and_one_with_a_raw_one(at: Farm) -> None:
    with borrowed(parse_place("labgrid:mute")) as place:
        assert (place.port, place.board) == ("", "")
    with borrowed(parse_place("labgrid:raw")) as place:
        assert place.port == "socket://127.0.0.1:2"


def test_what_an_exporter_took_away_is_missed_by_name(at: Farm, tmp_path: Path) -> None:
    passing = farms.Farm(tmp_path, at.coordinator)
    passing.add_places({"gone": {"match": ["passing/gone/*"]}})
    with farms.exporter(passing, "passing", {"gone": farms.resources({"probe": 1, "console": 2})}):
        assert at.client("-p", "gone", "acquire").returncode == 0
    with pytest.raises(RigError, match="of the place gone is not there now") as error:
        borrowed(parse_place("labgrid:gone")).__enter__()
    assert "labgrid-exporter passing" in str(error.value.hint)


def test_an_exporter_behind_ssh_that_does_not_lead_there(at: Farm, tmp_path: Path) -> None:
    isolated = farms.Farm(tmp_path, at.coordinator)
    isolated.add_places({"far": {"match": ["far-1/far/*"]}})
    (tmp_path / "bin").mkdir()
    ssh = tmp_path / "bin" / "ssh"
    ssh.write_text("#!/bin/sh\necho 'ssh: connect to host far: No route to host' >&2\nexit 255\n")
    ssh.chmod(0o755)
    path = os.environ["PATH"]
    offered = {"far": farms.resources({"probe": 1, "console": 2})}
    with (
        farms.exporter(isolated, "far-1", offered, "--isolated"),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{path}")
        with pytest.raises(
            RigError,
            match=r"ssh does not lead to 127\.0\.0\.1 .*: ssh: connect to host far: No route",
        ):
            borrowed(parse_place("labgrid:far")).__enter__()
    assert "far" not in who(at)


def test_a_coordinator_that_is_not_there(at: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LG_COORDINATOR", "127.0.0.1:9")
    with pytest.raises(RigError, match="labgrid's coordinator cannot be reached") as error:
        borrowed(parse_place("labgrid:one")).__enter__()
    assert error.value.where == "127.0.0.1:9"
