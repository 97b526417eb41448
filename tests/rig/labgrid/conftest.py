from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from . import farm as farms

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .farm import Farm

MADE_UP = {"probe": 1, "console": 2}  # ports of a board that nobody reaches


@pytest.fixture(scope="session")
def labgrid() -> None:
    """Skips where labgrid is not installed."""
    if not (farms.ENVIRONMENT / "made").is_file():
        pytest.skip("labgrid is not installed: run .ci/farm")


@pytest.fixture(scope="session")
def farm(labgrid: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """Four virtual boards in a farm: places p1 to p4."""
    with farms.farm_of(tmp_path_factory.mktemp("farm"), 4) as made:
        yield made


@pytest.fixture(scope="session")
def lab(labgrid: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """A coordinator and an exporter, with no boards behind them; places of all kinds."""
    folder = tmp_path_factory.mktemp("lab")
    offered = {
        **{name: farms.resources(MADE_UP) for name in ("one", "two", "three")},
        "mute": {"NetworkDebugProbe": {"host": "127.0.0.1", "port": 1}},
        "blind": {"NetworkSerialPort": {"host": "127.0.0.1", "port": 2}},
        "usb": {"NetworkUSBDebugger": {"host": "attic", "busnum": 1}},
        "twin": {
            **farms.resources(MADE_UP),
            "other": {"cls": "NetworkSerialPort", "host": "127.0.0.1", "port": 3},
        },
        "raw": {
            **farms.resources(MADE_UP),
            "NetworkSerialPort": {"host": "127.0.0.1", "port": 2, "protocol": "raw"},
        },
    }
    places: dict[str, Any] = {name: {"match": [f"lab-1/{name}/*"]} for name in offered}
    places["one"]["tags"] = places["two"]["tags"] = {"kind": "pair"}
    places["empty"] = {}
    places["absent"] = {"match": ["lab-9/absent/*"]}
    with farms.coordinator(folder) as made, farms.exporter(made, "lab-1", offered):
        made.add_places(places)
        yield made


@pytest.fixture
def at(lab: Farm, monkeypatch: pytest.MonkeyPatch, data_folder: Path) -> Farm:
    """The lab, as whoever calls sees it: where it is, who he is."""
    for name, value in farms.COMPILED.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LG_COORDINATOR", lab.coordinator)
    monkeypatch.setenv("LG_HOSTNAME", "desk")
    monkeypatch.setenv("LG_USERNAME", "me")
    monkeypatch.setenv("FWGEN_LABGRID", str(farms.ENVIRONMENT))
    return lab
