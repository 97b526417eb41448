"""One question, one answer: whatever the endpoint makes of it on the way.

What may come, and what becomes of it:

    cannot connect, connection lost, 408, 409, 429, 5xx    asked again, with growing pauses, or
        when ``Retry-After`` says; given up after a few times, or where the wait is too long
    a stream that is cut, an empty answer                  likewise
    400, 404, 422 about a parameter or the format          asked otherwise (``quirks``)
    401, 403, no such model, no money left, HTML           an error that says what to do
    the total deadline                                     the connection is ended, an error
    too long, refused, a loop                              an Answer that says so
"""

from __future__ import annotations

import email.utils
import json
import random
import re
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from fwgen.errors import ModelError
from fwgen.model.remote.budget import Usage
from fwgen.model.remote.chat import Chat
from fwgen.model.remote.quirks import Memory, Quirks, too_long
from fwgen.model.remote.responses import Responses
from fwgen.model.remote.scanner import Scanner
from fwgen.model.remote.talk import Answer, Heard, text
from fwgen.model.remote.tokens import count_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx2
    from openai import OpenAI

    from fwgen.model.remote.budget import Budget
    from fwgen.model.remote.keys import Secret
    from fwgen.model.remote.providers import Target
    from fwgen.model.remote.talk import Question, Transport

TRIES = 5
FIRST_PAUSE_S = 0.5
BUSY_PAUSE_S = 2.0  # the first one where a server says that it is asked too often
LONGEST_PAUSE_S = 20.0
LONGEST_WAIT_S = 120.0  # that a server may ask for
CONNECT_S = 15.0
_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
_TRANSPORTS: dict[str, Transport] = {"chat": Chat(), "responses": Responses()}


@dataclass(frozen=True, slots=True)
class Arriving:
    """How far an answer is."""

    talk: str
    characters: int = 0
    units: int = 0
    lines: int = 0
    code_bytes: int = 0
    tokens: int = 0  # written so far, roughly
    seconds: float = 0.0  # since the first of it came
    note: str = ""  # what else goes on: "waiting 2 s: too many requests"


class _PassingError(Exception):
    """Something that may be over when it is asked again."""

    def __init__(
        self, said: str, wait_s: float | None = None, hint: str = "", *, busy: bool = False
    ) -> None:
        super().__init__(said)
        self.said, self.wait_s, self.hint, self.busy = said, wait_s, hint, busy


class _RejectedError(Exception):
    """The endpoint does not take the request as it is."""

    def __init__(self, status: int, said: str, parameter: str, error: ModelError) -> None:
        super().__init__(said)
        self.status, self.said, self.parameter, self.error = status, said, parameter, error


class Endpoint:
    """A model at a provider, ready to be asked. Safe among threads."""

    def __init__(
        self,
        target: Target,
        key: Secret,
        http: httpx2.Client,
        budget: Budget,
        *,
        memory: Memory | None = None,
        quirks: Quirks | None = None,
        pause: Callable[[float], None] = time.sleep,
        watch: Callable[[Arriving], None] = lambda arriving: None,
    ) -> None:
        from openai import OpenAI

        self.target, self.budget = target, budget
        self.watch = watch
        self._key, self._pause = key, pause
        self._memory = memory
        known = memory.recall(target.provider.base_url, target.model) if memory else None
        self.quirks = quirks or known or Quirks(target.provider.transport)
        self._client: OpenAI = OpenAI(
            api_key=key.reveal(),
            base_url=target.provider.base_url,
            http_client=http,
            max_retries=0,
            default_headers={"accept-encoding": "identity"},
        )

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def ask(self, question: Question) -> Answer:
        """Ask until there is an answer.

        Raises ModelError (BudgetSpentError where the budget ends it) when there will be none.
        """
        failures, first = 0, None
        quirks = self.quirks
        while True:
            limit = self.budget.check(count_tokens(question.text))
            try:
                answer = self._once(question, quirks, limit)
            except _RejectedError as rejected:
                first = first or rejected.error
                other = quirks.after(rejected.status, rejected.said, rejected.parameter)
                if other is None:
                    raise first from None
                quirks = other
                continue
            except _PassingError as passing:
                failures += 1
                self._wait(question.talk, passing, failures)
                continue
            self._learn(quirks)
            self.budget.spend(answer.usage)
            return answer

    def _learn(self, quirks: Quirks) -> None:
        if quirks != self.quirks or self._memory is not None:
            self.quirks = quirks
            if self._memory is not None:
                self._memory.keep(self.target.provider.base_url, self.target.model, quirks)

    def _wait(self, talk: str, passing: _PassingError, failures: int) -> None:
        wait_s = passing.wait_s
        if wait_s is None:
            spread = random.uniform(0.75, 1.25)
            first_s = BUSY_PAUSE_S if passing.busy else FIRST_PAUSE_S
            wait_s = min(first_s * 2 ** (failures - 1), LONGEST_PAUSE_S) * spread
        left = self.budget.remaining_s
        if failures >= TRIES:
            times = f", {failures} times in a row" if failures > 1 else ""
            raise self._error(f"{passing.said}{times}", passing.hint or "try again later")
        if wait_s > LONGEST_WAIT_S or (left is not None and wait_s > left):
            raise self._error(
                f"{passing.said}, and asks to wait {wait_s:.0f} s",
                passing.hint or "try again later",
            )
        self.watch(Arriving(talk, note=f"{passing.said}: asking again in {wait_s:.1f} s"))
        self._pause(wait_s)

    def _error(self, message: str, hint: str = "") -> ModelError:
        said = self._key.hide(message)
        return ModelError(said, where=self.target.name, hint=self._key.hide(hint) or None)

    # ------------------------------------------------------------------ one request

    def _once(self, question: Question, quirks: Quirks, limit: int) -> Answer:
        import httpx2
        import openai

        from fwgen.model.remote.http import TALK, hang_up

        transport = _TRANSPORTS[quirks.transport]
        parameters = transport.parameters(question, self.target.model, quirks, limit)
        left = self.budget.remaining_s
        timeout = httpx2.Timeout(left, connect=min(CONNECT_S, left or CONNECT_S))
        late = threading.Event()
        watchdog: threading.Timer | None = None
        try:
            response, raw = transport.send(self._client, parameters, {TALK: question.talk}, timeout)
            if left is not None:

                def bark() -> None:
                    late.set()
                    hang_up(response)

                watchdog = threading.Timer(max(self.budget.remaining_s or 0, 0.01), bark)
                watchdog.daemon = True
                watchdog.start()
            try:
                return self._hear(question, transport, response, raw, quirks, limit)
            finally:
                response.close()
        except openai.APITimeoutError:
            if (self.budget.remaining_s or 1) <= 1:
                raise self.budget.too_late() from None
            raise _PassingError(f"{self.target.provider.host} does not answer") from None
        except openai.APIConnectionError as error:
            if late.is_set():
                raise self.budget.too_late() from None
            raise self._lost(error) from None
        except openai.APIStatusError as error:
            raise self._refused(error) from None
        except openai.APIError as error:  # in the middle of a stream
            raise self._in_stream(error) from None
        except (httpx2.TransportError, httpx2.StreamError) as error:
            if late.is_set():
                raise self.budget.too_late() from None
            raise _PassingError(f"the connection was lost ({type(error).__name__})") from None
        finally:
            if watchdog is not None:
                watchdog.cancel()

    def _hear(
        self,
        question: Question,
        transport: Transport,
        response: httpx2.Response,
        raw: Any,
        quirks: Quirks,
        limit: int,
    ) -> Answer:
        heard, scanner = Heard(), Scanner()
        kind = response.headers.get("content-type", "").partition(";")[0].strip().casefold()
        loop = None
        if quirks.streams and kind in ("text/event-stream", ""):
            for added in self._stream(transport, raw, heard, question.talk, scanner):
                loop = scanner.feed(added)
                if loop is not None:
                    break
        else:
            data = self._document(response, kind)
            transport.whole(data, heard)
            loop = scanner.feed("".join(heard.pieces))
        answer = "".join(heard.pieces)
        usage = heard.usage or Usage(
            count_tokens(question.text), count_tokens(answer), counted=False
        )
        if loop is not None:
            return Answer(answer, "loop", usage, loop.reason)
        return self._ended(heard, answer, usage, scanner)

    def _ended(self, heard: Heard, answer: str, usage: Usage, scanner: Scanner) -> Answer:
        finish = heard.finish
        if heard.refusal or finish == "content_filter":
            why = " ".join(heard.refusal.split()) or "its content filter says no"
            return Answer(answer, "refused", usage, self._key.hide(why))
        if finish is None and not scanner.complete:
            raise _PassingError("the answer was cut off before its end")
        if finish is not None and finish.startswith("failed"):
            raise _PassingError(f"the answer {finish}")
        if finish == "length":
            return Answer(answer, "length", usage, f"it was cut off after {usage.written} tokens")
        if not answer.strip():
            raise _PassingError(
                "the answer is empty" + (" but for its reasoning" if heard.reasoning else "")
            )
        return Answer(answer, "stop", usage)

    def _stream(
        self, transport: Transport, raw: Any, heard: Heard, talk: str, scanner: Scanner
    ) -> Iterator[str]:
        from openai import Stream

        # Plain data, not openai's classes: what a server makes up must not stop us.
        stream = raw.parse(to=Stream[object])
        began, told, tokens = 0.0, 0.0, 0
        try:
            for event in stream:
                if not isinstance(event, dict):
                    continue
                self._check(event)
                added = transport.hear(event, heard)
                now = time.monotonic()
                if added:
                    began = began or now
                    tokens += 1
                    yield added
                if now - told > 0.1:
                    told = now
                    note = "thinking" if heard.reasoning and not heard.pieces else ""
                    self.watch(
                        Arriving(
                            talk, scanner.characters, scanner.units, scanner.lines,
                            scanner.code_bytes, tokens, now - began if began else 0.0, note,
                        )
                    )  # fmt: skip
        except ValueError as error:
            raise _PassingError(f"the stream is garbled ({error})"[:120]) from None
        finally:
            stream.close()

    def _check(self, event: dict[str, Any]) -> None:
        """An error that came as an event of a stream of Responses."""
        if event.get("type") == "error":
            said = text(event, "message") or text(event, "error", "message") or "an error"
            raise _PassingError(self._key.hide(f"the endpoint broke off: {said}"))

    def _document(self, response: httpx2.Response, kind: str) -> dict[str, Any]:
        body = response.read()
        if kind == "text/html" or body.lstrip()[:1] == b"<":
            raise self._html(body)
        try:
            data = json.loads(body)
        except ValueError:
            start = body[:40].decode(errors="replace")
            raise _PassingError(f"the answer is no JSON: it begins with {start!r}") from None
        if not isinstance(data, dict):
            raise _PassingError("the answer is no JSON object")
        if error := data.get("error"):
            said = text(error, "message") if isinstance(error, dict) else str(error)
            code = error.get("code") if isinstance(error, dict) else None
            if code in (400, 422) or text(data, "error", "type") == "invalid_request_error":
                raise _RejectedError(
                    400, said, text(data, "error", "param"), self._error(f"it says: {said}")
                )
            raise _PassingError(self._key.hide(f"it answers with an error: {said}"))
        return cast("dict[str, Any]", data)

    # ------------------------------------------------------------------ what can be wrong

    def _html(self, body: bytes) -> ModelError:
        title = re.search(rb"<title[^>]*>([^<]{1,80})", body, re.IGNORECASE)
        named = f" ({_sentence(title[1].decode(errors='replace'))})" if title else ""
        provider = self.target.provider
        return self._error(
            f"{provider.host} answers with a web page{named}, not with JSON",
            f"is providers.{provider.name}.base_url the address of the API? it usually ends in /v1",
        )

    def _lost(self, error: Exception) -> _PassingError:
        provider = self.target.provider
        cause = error.__cause__
        reason = f" ({cause})" if cause is not None and str(cause) else ""
        import httpx2

        if isinstance(cause, (httpx2.ReadError, httpx2.RemoteProtocolError)):
            return _PassingError(f"the connection was lost{reason}")
        if isinstance(cause, httpx2.UnsupportedProtocol):
            raise self._error(f"{provider.host} is no address that can be asked") from None
        hint = "is the server running?" if provider.key != "needed" else "is there a network?"
        return _PassingError(f"cannot connect to {provider.host}{reason}", hint=hint)

    def _in_stream(self, error: Any) -> Exception:
        said = _sentence(error.message)
        code = str(getattr(error, "code", "") or "")
        if code in ("400", "422") or getattr(error, "type", "") == "invalid_request_error":
            return _RejectedError(400, said, error.param or "", self._error(f"it says: {said}"))
        return _PassingError(self._key.hide(f"the endpoint broke off: {said}"))

    def _refused(self, error: Any) -> Exception:
        """What a status of 300 or more means."""
        status: int = error.status_code
        body = error.response.content
        kind = error.response.headers.get("content-type", "")
        name = self.target.provider.name
        if "html" in kind and status not in _AGAIN:
            return self._html(body)
        said = _sentence(_message(error.body) or error.message)
        if status in (401, 403):
            return self._error(
                f"{name} does not accept the key, which came from {self._key.source}: {said}",
                f"fwgen config set-key {name}",
            )
        if status == 402 or error.code in ("insufficient_quota", "billing_hard_limit_reached"):
            return self._error(f"{name} wants to be paid first: {said}", "look at your account")
        if status in _AGAIN and not (status == 500 and _about_request(said)):
            busy = "too many requests" if status == 429 else f"{name} is in trouble ({status})"
            more = "" if "html" in kind or not said else f": {said[:160]}"
            return _PassingError(
                self._key.hide(f"{busy}{more}"), _retry_after(error.response), busy=status == 429
            )
        if too_long(said):
            hint = "use a model with a larger context"
            error_made = self._error(
                f"the prompt is too long for {self.target.model}: {said}", hint
            )
        elif status == 404 and "model" in said.casefold():
            error_made = self._error(
                f"{name} has no model {self.target.model!r}: {said}",
                f'"fwgen models {name}" lists them',
            )
        elif status == 404:
            error_made = self._error(
                f"{self.target.provider.host} has no such address: {said}",
                f"is providers.{name}.base_url right? it usually ends in /v1",
            )
        elif 300 <= status < 400:
            return self._error(
                f"{self.target.provider.host} sends us elsewhere ({status}), which is not followed",
                f"set providers.{name}.base_url to the address of the API itself",
            )
        else:
            error_made = self._error(f"{name} rejects the request ({status}): {said}")
        return _RejectedError(status, said, error.param or "", error_made)


def _about_request(said: str) -> bool:
    """Whether a server error is about what was asked: servers that fail on a schema say 500."""
    return any(word in said.casefold() for word in ("schema", "grammar", "response_format"))


def _message(body: object) -> str:
    """The message in an error's body, wherever it stands."""
    if isinstance(body, dict):
        for key in ("message", "detail", "error"):
            inner = body.get(key)
            if isinstance(inner, str):
                return inner
            if isinstance(inner, (dict, list)):
                return _message(inner) or json.dumps(inner)[:300]
    if isinstance(body, list) and body:
        return "; ".join(filter(None, (_message(one) or text(one, "msg") for one in body)))
    return body if isinstance(body, str) else ""


def _sentence(said: str) -> str:
    """A server's message in one line of sane length."""
    line = " ".join("".join(c if c.isprintable() else " " for c in str(said)).split())
    return line if len(line) <= 400 else f"{line[:397]}..."


def _retry_after(response: httpx2.Response) -> float | None:
    """Seconds that a server asks to wait, or None."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = response.headers.get(name, "")
        try:
            return max(0.0, float(value) * unit)
        except ValueError:
            pass
        if value and name == "retry-after":
            when = email.utils.parsedate_tz(value)
            if when is not None:
                return max(0.0, email.utils.mktime_tz(when) - time.time())
    return None


def with_model(target: Target, model: str) -> Target:
    """The same provider, another model."""
    return replace(target, model=model)
