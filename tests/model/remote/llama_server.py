"""Starts a server that others wrote, for a GGUF: llama.cpp's own, or llama-cpp-python's.

python llama_server.py FILE PORT        # needs xllamacpp, or llama-cpp-python[server]
python llama_server.py                  # only tells which of the two it would be
"""

from __future__ import annotations

import sys
import threading
from importlib.util import find_spec


def available() -> str:
    """The package that has the server, or ""."""
    return next((name for name in ("xllamacpp", "llama_cpp") if find_spec(name)), "")


def main() -> None:
    name = available()
    if not name or not find_spec("gguf"):
        sys.exit(f"no {'xllamacpp and no llama_cpp' if not name else 'gguf'}")
    if len(sys.argv) < 3:
        print(name)  # noqa: T201
        return
    path, port = sys.argv[1], int(sys.argv[2])
    if name == "xllamacpp":
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path, params.port, params.hostnames = path, port, ["127.0.0.1"]
        params.n_ctx, params.n_parallel, params.warmup = 16384, 1, False
        _server = xllamacpp.Server(params)
        threading.Event().wait()
    else:
        sys.argv[1:] = ["--model", path, "--port", str(port), "--n_ctx", "16384",
                        "--chat_format", "chatml"]  # fmt: skip
        from llama_cpp.server.__main__ import main as serve

        serve()


if __name__ == "__main__":
    main()
