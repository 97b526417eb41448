"""A server that others wrote: llama-cpp-python's, with a tiny model of random weights.

It knows nothing; what is proven is the protocol: our requests are taken, its schema-constrained
streams are read, and nonsense ends in sentences. Skipped where it is not installed:

    python3 -m venv llama && llama/bin/pip install "llama-cpp-python[server]" gguf
    FWGEN_LLAMA_PYTHON=llama/bin/python uv run pytest tests/model/remote/test_llama_server.py -rs
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fwgen import pipeline
from fwgen.errors import FwgenError
from fwgen.image.wire import SCHEMA
from fwgen.model.remote.answers import json_object
from fwgen.model.remote.budget import Limits
from fwgen.model.remote.model import Options, RemoteModel
from fwgen.model.remote.settings import change_settings
from fwgen.model.remote.talk import Question

from .brain import BOARD, contract_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Asking

PYTHON = os.environ.get("FWGEN_LLAMA_PYTHON", sys.executable)
TINY = Path(__file__).with_name("tiny_gguf.py")


def _why_not() -> str:
    ran = subprocess.run(
        [PYTHON, "-c", "import llama_cpp.server.app, gguf"], capture_output=True, check=False,
        text=True, timeout=120,
    )  # fmt: skip
    last = ran.stderr.strip().splitlines()[-1:] or ["it does not run"]
    return "" if ran.returncode == 0 else last[0]


pytestmark = [pytest.mark.xdist_group("llama")]


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the server."""
    if why := _why_not():
        pytest.skip(f"llama-cpp-python's server and gguf are not in {PYTHON}: {why}")
    folder = tmp_path_factory.mktemp("llama")
    model = folder / "tiny.gguf"
    subprocess.run([PYTHON, str(TINY), str(model)], check=True, timeout=120)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [PYTHON, "-m", "llama_cpp.server", "--model", str(model), "--port", str(port),
             "--n_ctx", "16384", "--n_threads", "2", "--chat_format", "chatml"],
            stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}/v1"
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            assert server.poll() is None, (folder / "log").read_text()[-2000:]
            try:
                urllib.request.urlopen(f"{url}/models", timeout=2).close()
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        yield url
    finally:
        server.terminate()
        server.wait(30)


def test_schema_constrained_answers_are_read(llama: str, asking: Asking) -> None:
    messages = (("system", "Answer in JSON."), ("user", "blink"))
    endpoint = asking(llama, limits=Limits(timeout_s=120, max_tokens=4000))
    sound = 0
    for seed in range(5):
        answer = endpoint.ask(Question("t", messages, "emission", SCHEMA, seed))
        assert answer.finish in ("stop", "length", "loop")
        text = json_object(answer.text)
        if text is not None:
            assert set(json.loads(text)) == {"plan", "units", "vectors"}
            sound += 1
        else:
            assert answer.finish != "stop"
            assert answer.text.lstrip().startswith("{")  # it was constrained, and cut
    assert endpoint.quirks.rung in ("json_schema", "tool", "json_schema_object")
    kept = asking.file.read_text()
    assert '"status": 200' in kept


def test_a_model_that_knows_nothing_ends_in_a_sentence(llama: str) -> None:
    change_settings({"providers.lab.base_url": llama})
    model = RemoteModel.named("lab/tiny")
    model.options = Options(Limits(timeout_s=120, max_tokens=60000))
    with pytest.raises(FwgenError) as told:
        pipeline.generate(
            "blink LED at 2 Hz", BOARD, model=model, contract=contract_of("blink LED at 2 Hz"),
            attempts=2,
        )  # fmt: skip
    assert told.value.message
    model.close()
    path = model.transcript_path
    assert path is not None
    again = RemoteModel.replayed(path)
    with pytest.raises(FwgenError) as replayed:
        pipeline.generate(
            "blink LED at 2 Hz", BOARD, model=again, contract=contract_of("blink LED at 2 Hz"),
            attempts=2,
        )  # fmt: skip
    assert replayed.value.message == told.value.message
