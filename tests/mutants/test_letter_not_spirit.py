"""Firmware that meets a contract's words by doing something else must fail all the same."""

from __future__ import annotations

from fwgen import pipeline
from fwgen.board import load_board
from fwgen.contract import Contract, Replies, Says, Send
from tests.machine.core.firmware import firmware
from tests.mutants.test_silicon_is_not_kind import END, uart

BOARD = load_board("nucleo-f401")
MS, SECOND = 10**9, 10**12
CHATTER = (
    uart(send="")
    + "again: movs r4, #65\nw1: ldr r1, [r3, #0]\nlsls r1, r1, #24\nbpl w1\nstr r4, [r3, #4]\n"
    "movs r4, #10\nw2: ldr r1, [r3, #0]\nlsls r1, r1, #24\nbpl w2\nstr r4, [r3, #4]\n"
    "ldr r5, =100000\nw3: subs r5, #1\nbne w3\nb again\n"
)


def verdict(text, expectations, stimuli):
    contract = Contract("", BOARD.name, SECOND, stimuli, expectations)
    return pipeline.prove(firmware(f"start: {text}{END}"), BOARD, contract).verdict


def test_who_talks_all_the_time_does_not_reply():
    asked = (Send("console", 500 * MS, b"?"),)
    reply = Replies("console", "?", "A", within_ps=100 * MS)
    found = verdict(CHATTER, (reply,), asked)
    assert not found.passed
    assert "had not been sent" in found.findings[0].text


def test_what_a_says_expects_is_no_unasked_reply():
    asked = (Send("console", 500 * MS, b"?"),)
    reply = Replies("console", "?", "A", within_ps=100 * MS)
    found = verdict(CHATTER, (reply, Says("console", "A")), asked)
    assert found.passed, [f.text for f in found.all]
