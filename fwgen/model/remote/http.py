"""HTTP with a memory: what the ``openai`` client sends and gets, kept or played back.

Both clients are what ``openai`` itself would use but for ``send``. Which talk a request belongs
to travels in a header of our own, which is taken off before anything leaves.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpx2
from openai import DefaultHttpxClient

from fwgen.model.remote.transcript import HEADERS, body_of, canonical

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwgen.model.remote.transcript import Exchange, Recorder, Transcript

TALK = "x-fwgen-talk"
_PIECE = 4096


class _Tee(httpx2.SyncByteStream):
    """A body that is kept while it is read, once, however it ends."""

    def __init__(self, stream: Any, exchange: Exchange, recorder: Recorder) -> None:
        self._stream, self._exchange, self._recorder = stream, exchange, recorder
        self._open = True

    def __iter__(self) -> Iterator[bytes]:
        try:
            for piece in self._stream:
                self._exchange.body += piece
                yield piece
        except GeneratorExit:
            self._end("stopped", "")
            raise
        except httpx2.HTTPError as error:
            self._end(type(error).__name__, str(error))
            raise
        self._end("", "")

    def close(self) -> None:
        self._stream.close()
        self._end("stopped", "")

    def _end(self, broke: str, said: str) -> None:
        if self._open:
            self._open = False
            self._exchange.broke, self._exchange.said = broke, said
            self._recorder.close(self._exchange)


class RecordingClient(DefaultHttpxClient):
    """Sends, and keeps every request with its answer."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(follow_redirects=False)
        self._recorder = recorder

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Send a request; its answer is kept while it is read."""
        talk = request.headers.pop(TALK, "")
        whole = not options.pop("stream", False)
        exchange = self._recorder.open(talk, request.url.path, request.read().decode())
        try:
            response = super().send(request, stream=True, **options)
        except BaseException as error:  # a Ctrl-C, too
            exchange.broke, exchange.said = type(error).__name__, str(error)
            self._recorder.close(exchange)
            raise
        exchange.status = response.status_code
        exchange.headers = {k: response.headers[k] for k in HEADERS if k in response.headers}
        response.stream = _Tee(response.stream, exchange, self._recorder)
        if whole:
            try:
                response.read()
            except BaseException:
                response.close()
                raise
        return response


class _Played(httpx2.SyncByteStream):
    """A recorded body, and the way in which it broke off."""

    def __init__(self, entry: dict[str, Any], request: httpx2.Request) -> None:
        self._entry, self._request = entry, request

    def __iter__(self) -> Iterator[bytes]:
        body = body_of(self._entry)
        for at in range(0, len(body), _PIECE):
            yield body[at : at + _PIECE]
        raise_broken(self._entry, self._request)


class ReplayingClient(DefaultHttpxClient):
    """Answers from a transcript. Nothing leaves this process."""

    def __init__(self, transcript: Transcript, recorder: Recorder) -> None:
        super().__init__(transport=httpx2.MockTransport(self._answer))
        self.strayed = 0  # requests that were not those of the transcript
        self._transcript, self._recorder = transcript, recorder
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        talk = request.headers.pop(TALK, "")
        with self._lock:
            self._counts[talk] = number = self._counts.get(talk, 0) + 1
        entry = self._transcript.answer(talk, number)
        exchange = self._recorder.open(talk, request.url.path, request.read().decode())
        exchange.status, exchange.headers = entry["status"], dict(entry["headers"])
        exchange.body += body_of(entry)
        exchange.broke, exchange.said = entry.get("broke", ""), entry.get("said", "")
        if canonical(exchange.data()["request"]) != canonical(entry.get("request")):
            self.strayed += 1
        self._recorder.close(exchange)
        if not entry["status"]:
            raise_broken(entry, request)
        return httpx2.Response(
            entry["status"], headers=entry["headers"], stream=_Played(entry, request)
        )


def raise_broken(entry: dict[str, Any], request: httpx2.Request) -> None:
    """Fail as a recorded exchange failed; does nothing for one that ended by itself."""
    name, said = entry.get("broke", ""), entry.get("said", "")
    if name in ("", "stopped"):
        return
    kind = getattr(httpx2, name, None)
    if isinstance(kind, type) and issubclass(kind, httpx2.TransportError):
        raise kind(said, request=request)
    raise httpx2.ReadError(said or name, request=request)


def hang_up(response: httpx2.Response) -> None:
    """End a connection from another thread: whoever waits for its next byte wakes at once."""
    stream = response.extensions.get("network_stream")
    held = stream.get_extra_info("socket") if stream is not None else None
    if held is None:
        return
    # A second handle on the same connection: the first one's TLS is left alone.
    with suppress(OSError, ValueError), socket.socket(fileno=socket.dup(held.fileno())) as twin:
        twin.shutdown(socket.SHUT_RDWR)
