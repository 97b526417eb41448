"""A loopback server that speaks the OpenAI API, with faults as the script has them."""

from __future__ import annotations

import json
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


@dataclass
class Reply:
    """What the server does with one request.

    ``cut``: the connection ends within the body, without the last chunk. ``hold``: after the
    pieces it waits until the server ends (a server that went to sleep).
    """

    pieces: Sequence[bytes] = ()
    status: int = 200
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    hold: bool = False
    drop: bool = False  # hang up before a word


@dataclass
class Asked:
    """One request that came."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str]


class Server:
    """Answers from a script, one reply a request; the last one again and again."""

    def __init__(self, script: Sequence[Reply] | Callable[[Asked], Reply]) -> None:
        self.asked: list[Asked] = []
        self._script = script
        self._lock = threading.Lock()
        self.ended = threading.Event()
        self.errors: list[BaseException | None] = []  # of the script itself
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                size = int(self.headers.get("content-length", 0))
                body = json.loads(self.rfile.read(size) or b"{}")
                owner.reply(self, Asked(self.path, body, dict(self.headers)))

            def do_GET(self) -> None:
                owner.reply(self, Asked(self.path, {}, dict(self.headers)))

            def log_message(self, *_: object) -> None: ...

        class Quiet(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                error = sys.exception() if hasattr(sys, "exception") else sys.exc_info()[1]
                if not isinstance(error, OSError):  # a client that hung up is none of ours
                    owner.errors.append(error)

        self._http = Quiet(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._http.block_on_close = False
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        self._thread.start()

    def reply(self, handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        with self._lock:
            number = len(self.asked)
            self.asked.append(asked)
        if callable(self._script):
            reply = self._script(asked)
        else:
            reply = self._script[min(number, len(self._script) - 1)]
        if reply.drop:
            handler.close_connection = True
            return
        try:
            handler.send_response(reply.status)
            handler.send_header("content-type", reply.kind)
            handler.send_header("transfer-encoding", "chunked")
            for name, value in reply.headers.items():
                handler.send_header(name, value)
            handler.end_headers()
            for piece in filter(None, reply.pieces):  # an empty chunk would end the body
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                handler.wfile.flush()
            if reply.hold:
                self.ended.wait(30)
            if reply.cut or reply.hold:
                handler.close_connection = True
                return
            handler.wfile.write(b"0\r\n\r\n")
        except OSError:  # the client has heard enough
            handler.close_connection = True

    def close(self) -> None:
        self.ended.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        if self.errors:
            raise AssertionError("the script of the server failed") from self.errors[0]

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [asked.body for asked in self.asked]


@contextmanager
def serving(*script: Reply | Callable[[Asked], Reply]) -> Iterator[Server]:
    """A server with this script, or with one function that answers everything."""
    first = script[0]
    server = Server(
        [r for r in script if isinstance(r, Reply)] if isinstance(first, Reply) else first
    )
    try:
        yield server
    finally:
        server.close()


# ---------------------------------------------------------------------------- chat


def _event(data: object, name: str = "") -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data)}\n\n".encode()


def chunks(text: str, piece: int = 16) -> list[str]:
    return [text[at : at + piece] for at in range(0, len(text), piece)]


def chat(
    text: str,
    *,
    finish: str | None = "stop",
    usage: tuple[int, int] | None = (100, 50),
    done: bool = True,
    refusal: str = "",
    reasoning: str = "",
    tool: bool = False,
    piece: int = 16,
    **more: Any,
) -> Reply:
    """A stream of Chat Completions."""

    def chunk(delta: dict[str, Any], end: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": end}
        return _event({"object": "chat.completion.chunk", "choices": [choice]})

    pieces = [chunk({"role": "assistant", "content": ""})]
    if reasoning:
        pieces.append(chunk({"reasoning_content": reasoning}))
    for part in chunks(text, piece):
        call = {"index": 0, "function": {"arguments": part}}
        pieces.append(chunk({"tool_calls": [call]} if tool else {"content": part}))
    if refusal:
        pieces.append(chunk({"refusal": refusal}))
    if finish:
        pieces.append(chunk({}, finish))
    if usage:
        read, written = usage
        told = {"prompt_tokens": read, "completion_tokens": written}
        pieces.append(_event({"choices": [], "usage": told}))
    if done:
        pieces.append(b"data: [DONE]\n\n")
    return Reply(pieces, kind="text/event-stream", **more)


def chat_whole(text: str, finish: str = "stop", **more: Any) -> Reply:
    """An answer in one piece."""
    message = {"role": "assistant", "content": text}
    body = {
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 50},
    }
    return Reply([json.dumps(body).encode()], **more)


# ---------------------------------------------------------------------------- responses


def responses(
    text: str,
    *,
    status: str = "completed",
    reason: str = "",
    usage: tuple[int, int] = (100, 50),
    limit: int = 0,
    refusal: str = "",
    deltas: bool = True,
    end: bool = True,
    **more: Any,
) -> Reply:
    """A stream of Responses."""
    pieces = [_event({"type": "response.created", "response": {"status": "in_progress"}})]
    if deltas:
        for part in chunks(text):
            pieces.append(_event({"type": "response.output_text.delta", "delta": part}))
    if refusal:
        pieces.append(_event({"type": "response.refusal.delta", "delta": refusal}))
    response: dict[str, Any] = {
        "status": status,
        "output": [{"type": "message", "content": [{"type": "output_text", "text": text}]}],
        "usage": {"input_tokens": usage[0], "output_tokens": usage[1]},
        "incomplete_details": {"reason": reason} if reason else None,
        "max_output_tokens": limit or None,
    }
    if status == "failed":
        response["error"] = {"code": "server_error", "message": "out of GPUs"}
    if end:
        pieces.append(_event({"type": f"response.{status}", "response": response}))
    return Reply(pieces, kind="text/event-stream", **more)


# ---------------------------------------------------------------------------- errors


def error(status: int, message: str, *, param: str = "", code: str = "", **more: Any) -> Reply:
    """An error as OpenAI words it."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    inner = {"message": message, "type": kind, "param": param or None, "code": code or None}
    return Reply([json.dumps({"error": inner}).encode()], status=status, **more)


def html(status: int = 200, title: str = "Welcome to nginx!") -> Reply:
    page = f"<!DOCTYPE html><html><head><title>{title}</title></head><body></body></html>"
    return Reply([page.encode()], status=status, kind="text/html; charset=utf-8")


def raw(text: str, kind: str = "text/event-stream", **more: Any) -> Reply:
    return Reply([text.encode()], kind=kind, **more)
