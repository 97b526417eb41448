"""Whatever an endpoint does, there is an answer or a message that says what to do."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from fwgen.errors import ModelError
from fwgen.image.wire import SCHEMA
from fwgen.model.remote.budget import BudgetSpentError, Limits
from fwgen.model.remote.talk import Question

from .conftest import KEY
from .server import (
    Reply,
    chat,
    chat_whole,
    error,
    html,
    raw,
    responses,
    serving,
)

if TYPE_CHECKING:
    from .conftest import Asking
    from .server import Asked

GOOD = json.dumps({"plan": "p", "units": [], "vectors": []})
QUESTION = Question("talk", (("system", "be brief"), ("user", "hello")), "emission", SCHEMA)


def test_a_stream_is_put_together(asking: Asking) -> None:
    with serving(chat(GOOD)) as server:
        answer = asking(server.url).ask(QUESTION)
    assert (answer.text, answer.finish) == (GOOD, "stop")
    assert (answer.usage.read, answer.usage.written, answer.usage.counted) == (100, 50, True)
    body = server.bodies[0]
    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True}
    assert [m["role"] for m in body["messages"]] == ["system", "user"]
    assert body["response_format"]["json_schema"]["strict"] is True
    assert body["response_format"]["json_schema"]["schema"] == SCHEMA
    assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"
    assert "x-fwgen-talk" not in server.asked[0].headers


def test_responses_is_spoken_too(asking: Asking) -> None:
    with serving(responses(GOOD)) as server:
        answer = asking(server.url, transport="responses").ask(QUESTION)
    assert (answer.text, answer.finish, answer.usage.written) == (GOOD, "stop", 50)
    body = server.bodies[0]
    assert server.asked[0].path == "/v1/responses"
    assert body["store"] is False
    assert body["text"]["format"]["schema"] == SCHEMA
    assert body["max_output_tokens"] > 0


@pytest.mark.parametrize("transport", ["chat", "responses"])
def test_a_server_that_does_not_stream_is_understood(asking: Asking, transport: str) -> None:
    whole = chat_whole(GOOD)
    if transport == "responses":
        item = {"type": "message", "content": [{"type": "output_text", "text": GOOD}]}
        body = {"status": "completed", "output": [item], "usage": {"input_tokens": 1}}
        whole = Reply([json.dumps(body).encode()])
    with serving(whole) as server:
        answer = asking(server.url, transport=transport).ask(QUESTION)
    assert (answer.text, answer.finish) == (GOOD, "stop")


def test_content_in_parts_is_put_together(asking: Asking) -> None:
    parts = [{"type": "thinking", "thinking": []}, {"type": "text", "text": GOOD}]
    body = {"choices": [{"message": {"content": parts}, "finish_reason": "stop"}]}
    with serving(Reply([json.dumps(body).encode()])) as server:
        assert asking(server.url).ask(QUESTION).text == GOOD


def test_usage_that_nobody_tells_is_counted_here(asking: Asking) -> None:
    with serving(chat(GOOD, usage=None)) as server:
        answer = asking(server.url).ask(QUESTION)
    assert not answer.usage.counted
    assert answer.usage.written > 0


PASSING = {
    "429": error(429, "slow down"),
    "500": error(500, "oops"),
    "503 as a page": html(503, "Bad gateway"),
    "hung up": Reply(drop=True),
    "cut": chat(GOOD[:20], finish=None, done=False, usage=None),
    "cut within a chunk": Reply(chat(GOOD).pieces[:2], kind="text/event-stream", cut=True),
    "cut though it says done": chat(GOOD[:20], finish=None, usage=None),
    "empty": chat("", usage=None),
    "empty stream": raw(""),
    "error in the stream": raw('data: {"error": {"message": "GPU fell off"}}\n\n'),
    "garbled": raw("data: {not json\n\n"),
    "no choices": Reply([b'{"choices": null}']),
    "error with 200": Reply([b'{"error": {"message": "overloaded", "code": 502}}']),
    "no json": Reply([b"Internal trouble"]),
    "a list": Reply([b"[]"]),
}


@pytest.mark.parametrize("name", PASSING)
def test_what_may_pass_is_asked_again(asking: Asking, name: str) -> None:
    with serving(PASSING[name], PASSING[name], chat(GOOD)) as server:
        assert asking(server.url).ask(QUESTION).text == GOOD
        assert len(server.asked) == 3
    assert len(asking.pauses) == 2
    assert asking.pauses[1] > asking.pauses[0] > 0
    assert [a.note for a in asking.heard if "asking again" in a.note]


SAID = {
    "429": "too many requests: slow down, 5 times in a row",
    "500": "lab is in trouble (500): oops, 5 times",
    "503 as a page": "lab is in trouble (503), 5 times",
    "hung up": "the connection was lost",
    "cut": "cut off before its end, 5 times",
    "cut within a chunk": "the connection was lost",
    "cut though it says done": "cut off before its end",
    "empty": "the answer is empty, 5 times",
    "empty stream": "cut off before its end",
    "error in the stream": "broke off: GPU fell off",
    "garbled": "the stream is garbled",
    "no choices": "cut off before its end",
    "error with 200": "answers with an error: overloaded",
    "no json": "it begins with 'Internal trouble'",
    "a list": "no JSON object",
}


@pytest.mark.parametrize("name", PASSING)
def test_what_does_not_pass_is_told(asking: Asking, name: str) -> None:
    with serving(PASSING[name]) as server, pytest.raises(ModelError) as told:
        asking(server.url).ask(QUESTION)
    assert SAID[name] in told.value.message
    assert told.value.hint
    assert told.value.where == "lab/m"
    assert len(server.asked) == 5


FINAL = {
    "401": (error(401, f"Incorrect API key provided: {KEY}"), "does not accept the key", "set-key"),
    "403": (error(403, "not yours"), "does not accept the key", "set-key"),
    "402": (error(402, "no credit"), "wants to be paid", "account"),
    "quota": (error(429, "quota", code="insufficient_quota"), "wants to be paid", "account"),
    "no model": (error(404, "The model m does not exist"), "has no model 'm'", "fwgen models lab"),
    "no address": (error(404, "not found"), "no such address", "/v1"),
    "html": (html(), "a web page (Welcome to nginx!)", "/v1"),
    "html 404": (html(404, "Nope"), "a web page (Nope)", "/v1"),
    "elsewhere": (
        Reply([b""], status=307, headers={"location": "http://127.0.0.1:9/"}),
        "sends us elsewhere (307)", "base_url",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FINAL)
def test_what_will_not_pass_is_told_at_once(asking: Asking, name: str) -> None:
    reply, message, hint = FINAL[name]
    with serving(reply) as server, pytest.raises(ModelError) as told:
        asking(server.url).ask(QUESTION)
    assert message in told.value.message
    assert hint in (told.value.hint or "")
    assert KEY not in str(told.value)
    assert len(server.asked) == 1
    assert not asking.pauses


def test_nobody_there(asking: Asking) -> None:
    with pytest.raises(ModelError, match=r"cannot connect to http://127\.0\.0\.1:9/v1") as told:
        asking("http://127.0.0.1:9/v1").ask(QUESTION)
    assert told.value.hint == "is the server running?"


def test_the_server_says_how_long_to_wait(asking: Asking) -> None:
    again = error(429, "later", headers={"retry-after": "7"})
    soon = error(429, "later", headers={"retry-after-ms": "250"})
    with serving(again, soon, chat(GOOD)) as server:
        assert asking(server.url).ask(QUESTION).text == GOOD
    assert asking.pauses == [7.0, 0.25]


def test_a_wait_too_long_is_told_instead(asking: Asking) -> None:
    late = error(429, "later", headers={"retry-after": "300"})
    with serving(late) as server, pytest.raises(ModelError, match="asks to wait 300 s"):
        asking(server.url, limits=Limits(timeout_s=1000)).ask(QUESTION)
    assert not asking.pauses


def test_a_wait_beyond_the_deadline_is_told_instead(asking: Asking) -> None:
    late = error(429, "later", headers={"retry-after": "60"})
    with serving(late) as server, pytest.raises(ModelError, match="asks to wait 60 s"):
        asking(server.url, limits=Limits(timeout_s=5)).ask(QUESTION)


# ---------------------------------------------------------------------------- how it ends


def test_an_answer_cut_at_the_limit_says_so(asking: Asking) -> None:
    with serving(chat(GOOD[:20], finish="length")) as server:
        answer = asking(server.url).ask(QUESTION)
    assert answer.finish == "length"
    assert answer.why == "it was cut off after 50 tokens"


def test_a_server_that_calls_truncation_completed_is_not_believed(asking: Asking) -> None:
    with serving(responses(GOOD[:20], limit=50)) as server:
        assert asking(server.url, transport="responses").ask(QUESTION).finish == "length"
    with serving(responses(GOOD[:20], status="incomplete", reason="max_output_tokens")) as server:
        assert asking(server.url, transport="responses").ask(QUESTION).finish == "length"


def test_a_refusal_is_told_in_its_words(asking: Asking) -> None:
    for transport, reply in (
        ("chat", chat("", refusal="I won't.")),
        ("responses", responses("", refusal="I won't.")),
    ):
        with serving(reply) as server:
            answer = asking(server.url, transport=transport).ask(QUESTION)
        assert (answer.finish, answer.why) == ("refused", "I won't.")


def test_a_content_filter_is_a_refusal(asking: Asking) -> None:
    with serving(chat("{", finish="content_filter")) as server:
        assert asking(server.url).ask(QUESTION).finish == "refused"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"plan": "x"' + " \n" * 5000, "nothing but white space"),
        ('{"plan": "p", "units": [{"label": "a", "kind": "code", "lines": ['
         + '"nop ; bf00", ' * 500, "repeats itself: 'nop ; bf00'"),
        ('{"plan": "p", "units": [{"label": "a", "kind": "code", "lines": ['
         + '"nop ; bf00", "b x ; e000 ; J11 x", ' * 500, "repeats itself"),
        ('{"plan": "' + "la" * 20000, "longer than 8000"),
    ],
)  # fmt: skip
def test_an_answer_without_end_is_ended(asking: Asking, text: str, why: str) -> None:
    endless = chat(text, finish=None, hold=True)
    with serving(endless) as server:
        answer = asking(server.url).ask(QUESTION)
    assert answer.finish == "loop"
    assert why in answer.why


@pytest.mark.parametrize("at", [0, 3])
def test_the_deadline_ends_a_server_that_sleeps(asking: Asking, at: int) -> None:
    asleep = chat(GOOD, hold=True)
    asleep.pieces = asleep.pieces[:at]
    began = time.monotonic()
    with serving(asleep) as server, pytest.raises(BudgetSpentError, match=r"took more than 0\.6 s"):
        asking(server.url, limits=Limits(timeout_s=0.6)).ask(QUESTION)
    assert time.monotonic() - began < 5


def test_the_deadline_ends_a_server_that_trickles(asking: Asking) -> None:
    def trickle(_: Asked) -> Reply:
        def pieces() -> object:
            for piece in chat(GOOD * 200).pieces:
                time.sleep(0.02)
                yield piece

        return Reply(pieces(), kind="text/event-stream")  # type: ignore[arg-type]

    with serving(trickle) as server, pytest.raises(BudgetSpentError, match="--timeout") as told:
        asking(server.url, limits=Limits(timeout_s=0.5)).ask(QUESTION)
    assert "raise --timeout" in str(told.value)


# ---------------------------------------------------------------------------- ways of asking


def test_an_endpoint_is_asked_less_strictly_until_it_takes_it(asking: Asking) -> None:
    def plain(asked: Asked) -> Reply:
        if "response_format" in asked.body or "tools" in asked.body:
            return error(400, "response_format is not supported by this model")
        return chat(f"Here you are:\n```json\n{GOOD}\n```")

    with serving(plain) as server:
        endpoint = asking(server.url, memory=True)
        answer = endpoint.ask(QUESTION)
        tried = len(server.asked)
        endpoint.ask(QUESTION)
        assert len(server.asked) == tried + 1  # remembered within the run
        asking(server.url, memory=True).ask(QUESTION)
        assert len(server.asked) == tried + 2  # and beyond it
    assert GOOD in answer.text
    asked = [
        (body.get("response_format", {}).get("type"), "tools" in body) for body in server.bodies
    ]
    assert asked[:tried] == [
        ("json_schema", False),
        (None, True),
        ("json_object", False),
        ("json_object", False),
        (None, False),
    ]
    assert "schema" in server.bodies[2]["response_format"]
    assert "schema" not in server.bodies[3]["response_format"]


def test_a_tool_is_called_where_schemas_are_not_known(asking: Asking) -> None:
    def tools_only(asked: Asked) -> Reply:
        if "response_format" in asked.body:
            return error(400, "Unknown parameter: 'response_format'.", param="response_format")
        return chat(GOOD, tool=True, finish="tool_calls")

    with serving(tools_only) as server:
        answer = asking(server.url).ask(QUESTION)
    assert (answer.text, answer.finish) == (GOOD, "stop")
    assert server.bodies[-1]["tool_choice"]["function"]["name"] == "emission"


REJECTED = {
    "max_completion_tokens": ("max_completion_tokens", "Unsupported parameter, use 'max_tokens'"),
    "stream_options": ("stream_options", "Extra inputs are not permitted"),
    "seed": ("seed", "unknown field"),
}


@pytest.mark.parametrize("name", REJECTED)
def test_a_parameter_that_is_not_known_is_left_out(asking: Asking, name: str) -> None:
    param, said = REJECTED[name]

    def picky(asked: Asked) -> Reply:
        if name in asked.body:
            return error(400, f"{said}: {name}", param=param)
        return chat(GOOD)

    question = Question("t", QUESTION.messages, "emission", SCHEMA, seed=3)
    with serving(picky) as server:
        assert asking(server.url).ask(question).text == GOOD
    assert len(server.asked) == 2
    assert server.bodies[1]["response_format"]["type"] == "json_schema"  # no rung was lost
    if name == "max_completion_tokens":
        assert server.bodies[1]["max_tokens"] == server.bodies[0]["max_completion_tokens"]


def test_a_small_context_gets_no_limit(asking: Asking) -> None:
    def small(asked: Asked) -> Reply:
        if "max_tokens" in asked.body or "max_completion_tokens" in asked.body:
            said = (
                "This model's maximum context length is 8192 tokens. However, you requested 33000"
            )
            return error(400, said)
        return chat(GOOD)

    with serving(small) as server:
        assert asking(server.url).ask(QUESTION).text == GOOD


def test_a_prompt_too_long_is_told(asking: Asking) -> None:
    said = "prompt is too long: exceeds the context window"
    with serving(error(400, said)) as server, pytest.raises(ModelError) as told:
        asking(server.url).ask(QUESTION)
    assert "too long for m" in told.value.message
    assert "larger context" in (told.value.hint or "")


def test_chat_is_asked_where_responses_is_not_known(asking: Asking) -> None:
    def old(asked: Asked) -> Reply:
        if asked.path.endswith("/responses"):
            return error(404, "Not Found")
        return chat(GOOD)

    with serving(old) as server:
        endpoint = asking(server.url, transport="responses")
        assert endpoint.ask(QUESTION).text == GOOD
    assert [a.path for a in server.asked] == ["/v1/responses", "/v1/chat/completions"]
    assert endpoint.quirks.transport == "chat"


def test_what_no_way_of_asking_helps_is_told_once(asking: Asking) -> None:
    with serving(error(400, "your account is on fire")) as server:
        with pytest.raises(ModelError, match=r"rejects the request \(400\): your account is on"):
            asking(server.url).ask(QUESTION)
        assert len(server.asked) == 5


# ---------------------------------------------------------------------------- progress, secrets


def test_progress_is_told_while_it_comes(asking: Asking) -> None:
    lines = [f"movs r0, #{n} ; 20{n:02x}" for n in range(200)]
    whole = json.dumps(
        {"plan": "p", "units": [{"label": "a", "kind": "code", "lines": lines}], "vectors": []}
    )
    with serving(chat(whole)) as server:
        asking(server.url).ask(QUESTION)
    assert asking.heard
    assert all(a.talk == "talk" for a in asking.heard)


def test_the_key_is_nowhere_in_the_transcript(asking: Asking) -> None:
    with serving(chat(f"you sent {KEY}", finish="stop")) as server:
        asking(server.url).ask(QUESTION)
    kept = asking.file.read_text()
    assert "you sent" in "".join(json.loads(kept.splitlines()[1])["body"].split('"'))
    assert KEY not in kept
    assert "authorization" not in kept.casefold()
    assert asking.file.stat().st_mode & 0o077 == 0
