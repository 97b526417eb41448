"""A board that fwgen flashes and checks, for who starts from labgrid.

This module is for labgrid's environment; fwgen itself stays in its own, and is called as a tool::

    targets:
      main:
        resources:
          RemotePlace: { name: p1 }
        drivers:
          FwgenDriver: {}
          SerialDriver: {}
    tools:
      fwgen: /opt/fwgen/bin/fwgen
    imports:
      - fwgen.rig.labgrid.driver
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import attr
from labgrid.driver import Driver, ExecutionError
from labgrid.factory import target_factory
from labgrid.protocol import BootstrapProtocol
from labgrid.resource.common import NetworkResource
from labgrid.step import step
from labgrid.util.proxy import proxymanager

PASSED, FAILED, UNSURE = 0, 1, 3  # fwgen's exit codes; others are errors


@target_factory.reg_resource
@attr.s(eq=False)
class NetworkDebugProbe(NetworkResource):  # type: ignore[misc]
    """A debug probe behind a pyocd server.

    Args:
        host: where the server is
        port: its TCP port
        board: the board that hangs on it, by fwgen's name

    """

    port = attr.ib(default=5555, validator=attr.validators.instance_of(int))
    board = attr.ib(default="", validator=attr.validators.instance_of(str))


@target_factory.reg_resource
@attr.s(eq=False)
class NetworkBoardAnalyser(NetworkResource):  # type: ignore[misc]
    """The logic analyser of a virtual board, served over TCP.

    Args:
        host: where it is served
        port: its TCP port

    """

    port = attr.ib(default=6001, validator=attr.validators.instance_of(int))


@target_factory.reg_driver
@attr.s(eq=False)
class FwgenDriver(Driver, BootstrapProtocol):  # type: ignore[misc]
    """Flashes a firmware, and checks one against a contract, through fwgen.

    Args:
        board: the board, by fwgen's name; "" is what the probe's resource says
        image: a key of ``images``, for ``load`` without a file

    """

    bindings = {  # noqa: RUF012 - as labgrid has it
        "probe": {"NetworkDebugProbe"},
        "port": {"NetworkSerialPort", None},
        "analyser": {"NetworkBoardAnalyser", None},
    }
    board = attr.ib(default="", validator=attr.validators.instance_of(str))
    image = attr.ib(default="", validator=attr.validators.instance_of(str))

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        env = self.target.env
        self.tool = env.config.get_tool("fwgen") if env else "fwgen"

    @Driver.check_active  # type: ignore[untyped-decorator]
    @step(args=["filename"])  # type: ignore[untyped-decorator]
    def load(self, filename: str | Path | None = None) -> dict[str, Any]:
        """Put a firmware onto the board, read it back, and let it run; what was done."""
        if filename is None:
            if not self.image:
                raise ExecutionError("no firmware is named: load(filename), or image in the driver")
            filename = self.target.env.config.get_image_path(self.image)
        return self._ask("flash", str(filename))

    @Driver.check_active  # type: ignore[untyped-decorator]
    @step(args=["image", "contract"])  # type: ignore[untyped-decorator]
    def verify(self, image: str | Path, contract: str | Path) -> dict[str, Any]:
        """Flash, and hold what the board does against a contract; fwgen's report.

        ``report["outcome"]`` is "pass", "fail" or "unsure".
        """
        return self._ask("verify", str(image), "--contract", str(contract))

    @Driver.check_bound  # type: ignore[untyped-decorator]
    def get_export_vars(self) -> dict[str, str]:
        """What ``labgrid-client export`` tells."""
        return {"probe": self._probe(), "board": self.board or self.probe.board}

    def _probe(self) -> str:
        host, port = proxymanager.get_host_and_port(self.probe)
        return f"remote:{host}:{port}"

    def _ask(self, command: str, *arguments: str) -> dict[str, Any]:
        board = self.board or self.probe.board
        if not board:
            raise ExecutionError("nobody says which board it is: board, in the driver")
        with tempfile.TemporaryDirectory() as folder:
            rig = Path(folder, "rig.toml")
            rig.write_text(self._rig(board), encoding="utf-8")
            line = [self.tool, command, *arguments, "--json", "--board", board, "--rig", str(rig)]
            try:
                ran = subprocess.run(line, capture_output=True, text=True, check=False)
            except OSError as error:
                raise ExecutionError(
                    f"fwgen does not start: {error.strerror} ({self.tool}); "
                    "name it in the configuration: tools: fwgen: /path/to/fwgen"
                ) from None
        if ran.returncode not in (PASSED, FAILED, UNSURE):
            said = ran.stderr.strip() or ran.stdout.strip()
            raise ExecutionError(f"fwgen {command}: {said}", ran.stdout, ran.stderr)
        return dict(json.loads(ran.stdout))

    def _rig(self, board: str) -> str:
        """The place as a rig file."""
        port = "none"
        if self.port is not None:
            host, number = proxymanager.get_host_and_port(self.port)
            raw = self.port.protocol == "raw"
            port = (
                f"socket://{host}:{number}" if raw else f"rfc2217://{host}:{number}?ign_set_control"
            )
        lines = {"board": board, "probe": self._probe(), "port": port}
        if self.analyser is not None:
            lines["analyser"] = "{}:{}".format(*proxymanager.get_host_and_port(self.analyser))
        return "".join(f"{key} = {json.dumps(value)}\n" for key, value in lines.items())
