"""A server that others wrote, with a tiny model of random weights.

It is llama.cpp's own (by way of the xllamacpp package) or llama-cpp-python's. The model knows
nothing; what is proven is the protocol: our requests are taken, schema-constrained streams are
read, and nonsense ends in sentences. Skipped where neither is installed:

    python3 -m venv llama && llama/bin/pip install xllamacpp gguf
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

HERE = Path(__file__).parent
PYTHON = os.environ.get("FWGEN_LLAMA_PYTHON", sys.executable)
BLINK = "blink LED at 2 Hz"
SHORT = Limits(timeout_s=120, max_tokens=400)  # a token is a character here
LONG = Limits(timeout_s=120, max_tokens=3_500)  # as we count: the prompt, and a short answer

pytestmark = pytest.mark.xdist_group("llama")


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the server."""
    script = str(HERE / "llama_server.py")
    found = subprocess.run(
        [PYTHON, script], capture_output=True, text=True, check=False, timeout=120
    )
    if found.returncode:
        pytest.skip(f"{PYTHON} has {found.stderr.strip() or 'no such server'}")
    folder = tmp_path_factory.mktemp("llama")
    model = folder / "tiny.gguf"
    subprocess.run([PYTHON, str(HERE / "tiny_gguf.py"), str(model)], check=True, timeout=120)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [PYTHON, script, str(model), str(port)], stdout=log, stderr=subprocess.STDOUT
        )
    url = f"http://127.0.0.1:{port}/v1"
    try:
        deadline = time.monotonic() + 120
        while not _answers(url):
            assert server.poll() is None, (folder / "log").read_text()[-2000:]
            assert time.monotonic() < deadline, "it does not come up"
            time.sleep(0.2)
        yield url
    finally:
        server.terminate()
        server.wait(30)


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(f"{url}/models", timeout=5).close()
    except (urllib.error.URLError, OSError):
        return False
    return True


@pytest.mark.parametrize("transport", ["chat", "responses"])
def test_schema_constrained_answers_are_read(llama: str, asking: Asking, transport: str) -> None:
    messages = (("system", "Answer in JSON."), ("user", "blink"))
    for seed in (1, 2, 3):
        endpoint = asking(llama, transport=transport, limits=SHORT)
        answer = endpoint.ask(Question("t", messages, "emission", SCHEMA, seed))
        assert answer.finish in ("stop", "length", "loop")
        assert answer.usage.written > 0
        if transport == "responses":  # llama.cpp takes the schema there, and ignores it
            continue
        text = json_object(answer.text)
        if text is not None:
            assert set(json.loads(text)) == {"plan", "units", "vectors"}
        else:  # it was constrained, and cut
            assert answer.finish in ("length", "loop")
            assert answer.text.lstrip().startswith("{")
        assert endpoint.quirks.rung in ("json_schema", "tool", "json_schema_object")


def test_a_model_that_knows_nothing_ends_in_a_sentence(llama: str) -> None:
    change_settings({"providers.lab.base_url": llama})

    def ask(model: RemoteModel) -> str:
        with pytest.raises(FwgenError) as told:
            pipeline.generate(BLINK, BOARD, model=model, contract=contract_of(BLINK), attempts=2)
        model.close()
        return told.value.message

    model = RemoteModel.named("lab/tiny")
    model.options = Options(LONG)
    said = ask(model)
    assert said
    assert model.transcript_path is not None
    replay = RemoteModel.replayed(model.transcript_path)
    replay.options = Options(LONG)
    assert ask(replay) == said
