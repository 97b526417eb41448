"""The line: prompt, contract, emission, image, trace, verdict.

    reading  = model.read(prompt, board)
    emission = model.emit(reading)
    image    = link(emission, board)
    trace    = bench.run(image, contract.stimuli, contract.span_ps)
    verdict  = judge(contract, trace, board)

    confirmed = confirm(proof, rig)     on a real board, where there is one

and again with feedback, while it fails and the model has more to give. ``observe`` hears each
stage as it is reached, so that a person can watch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fwgen.errors import BoardError, ContractError, ModelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.bench import Bench
    from fwgen.board.types import Board
    from fwgen.contract import Contract
    from fwgen.image.emission import Emission
    from fwgen.image.types import Image
    from fwgen.model.protocol import Model, Reading
    from fwgen.trace import Trace
    from fwgen.verdict import Outcome, Verdict
    from fwgen.verdict.both import Joint
    from fwgen.verdict.compare import Difference

ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Proof:
    """What was seen of an image, and what that is worth."""

    board: Board
    contract: Contract
    image: Image
    trace: Trace
    verdict: Verdict

    @property
    def passed(self) -> bool:
        """Whether everything was seen as asked."""
        return self.verdict.passed


@dataclass(frozen=True, slots=True)
class Result:
    """A generated firmware: what was read, what was emitted, and its proof."""

    reading: Reading
    model: str
    emission: Emission
    proof: Proof
    attempts: int

    @property
    def passed(self) -> bool:
        """Whether the firmware does what the prompt says."""
        return self.proof.passed


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A firmware on both benches: what the machine saw, then what the board did.

    ``differences`` are where the two departed from each other, whatever the contract asks.
    """

    machine: Proof
    rig: Proof
    differences: tuple[Difference, ...]

    @property
    def claims(self) -> tuple[Joint, ...]:
        """Each claim with both findings, and what they come to."""
        from fwgen.verdict.both import joint

        return joint(self.machine.verdict, self.rig.verdict)

    @property
    def outcome(self) -> Outcome:
        """What both benches together say."""
        from fwgen.verdict.both import outcome_of

        return outcome_of(self.claims)

    @property
    def passed(self) -> bool:
        """Whether everything was seen as asked, on both."""
        return self.outcome.exit_code == 0


def generate(
    prompt: str,
    board: Board | str,
    *,
    model: Model | str = "embedded",
    contract: Contract | Path | str | None = None,
    attempts: int = ATTEMPTS,
    bench: Bench | None = None,
    observe: Callable[[Reading | Emission | Image | Proof], None] = lambda stage: None,
) -> Result:
    """Make a firmware for a sentence and prove it.

    ``board``: a Board, the name of one, or a path to its TOML. ``contract`` (a Contract or a
    TOML file) overrules the one that the model reads out of the prompt. ``bench`` defaults to the
    machine. A firmware that fails is a Result, not an error: look at ``result.passed``.

    Raises PromptError, BoardError, ContractError, EmissionError (the last attempt's), ModelError.
    """
    from fwgen.image.link import link
    from fwgen.model.protocol import Feedback

    board = find_board(board)
    chosen = _find_model(model)
    reading = read(prompt, board, model=chosen, contract=contract)
    observe(reading)
    result: Result | None = None
    feedback: Feedback | None = None
    for attempt in range(1, max(1, attempts) + 1):
        try:
            emission = chosen.emit(reading, feedback)
        except ModelError:
            if result is None:
                raise
            break  # it has nothing more to give: the last try stands
        observe(emission)
        image = link(emission, board)
        observe(image)
        proof = prove(image, board, reading.contract, bench=bench)
        observe(proof)
        result = Result(reading, chosen.name, emission, proof, attempt)
        if proof.passed:
            break
        problems = tuple(f.text for f in proof.verdict.all if f.outcome.exit_code)
        feedback = Feedback(emission, problems)
    assert result is not None
    return result


def read(
    prompt: str,
    board: Board | str,
    *,
    model: Model | str = "embedded",
    contract: Contract | Path | str | None = None,
) -> Reading:
    """Understand a sentence and state its contract; make nothing.

    Arguments and errors as in ``generate``.
    """
    board = find_board(board)
    reading = _find_model(model).read(prompt, board)
    if contract is not None:
        reading = replace(reading, contract=_find_contract(contract, board))
    return reading


def verify(
    image: Image | Path | str,
    board: Board | str,
    contract: Contract | Path | str,
    *,
    bench: Bench | None = None,
) -> Proof:
    """Hold any firmware (.hex, .bin, .elf; ours or a compiler's) against a contract.

    Raises ImageError, BoardError, ContractError.
    """
    from fwgen.image.load import load_image
    from fwgen.image.types import Image

    board = find_board(board)
    asked = _find_contract(contract, board)
    loaded = image if isinstance(image, Image) else load_image(image, board)
    return prove(loaded, board, asked, bench=bench)


def prove(image: Image, board: Board, contract: Contract, *, bench: Bench | None = None) -> Proof:
    """Run an image on a bench with the contract's stimuli, and judge what was seen.

    What passes in the machine runs once more, where everything that nothing defines is otherwise:
    the RAM's contents at power-on, what floating inputs read, how contacts chatter. When it fails
    then, it passed by luck: the Proof is that of the second run, with a Hazard that says so.
    """
    from fwgen.machine.machine import Machine
    from fwgen.verdict import judge

    trace = (bench or Machine(board)).run(image, contract.stimuli, contract.span_ps)
    proof = Proof(board, contract, image, trace, judge(contract, trace, board))
    if bench is not None or not proof.passed:
        return proof
    trace = Machine(board, chance=1).run(image, contract.stimuli, contract.span_ps)
    verdict = judge(contract, trace, board)
    if verdict.passed:
        return proof
    trace = _by_luck(trace, verdict)
    return Proof(board, contract, image, trace, judge(contract, trace, board))


def confirm(proof: Proof, rig: Bench) -> Confirmed:
    """Run on a rig what the machine has run, judge it by the same contract, and compare.

    Raises BenchError when the rig cannot do its work.
    """
    from fwgen.verdict import judge
    from fwgen.verdict.compare import differences

    contract, board = proof.contract, proof.board
    trace = rig.run(proof.image, contract.stimuli, contract.span_ps)
    verdict = judge(contract, trace, board, beside=proof.trace)
    seen = Proof(board, contract, proof.image, trace, verdict)
    return Confirmed(proof, seen, differences(contract, proof.trace, trace, board))


def _by_luck(trace: Trace, verdict: Verdict) -> Trace:
    """A trace that failed where another one passed, with the Hazard that this is."""
    from fwgen.trace import Hazard

    first = verdict.first_departure
    at_ps = min(first.t_ps, trace.span_ps) if first is not None else 0
    hazard = Hazard(
        at_ps, "by-luck", "error",
        "it passes or fails by what RAM holds at power-on, what a floating input reads, or how "
        "a contact chatters",
        0, cure="set every variable before it is read, pull every input, debounce every contact",
    )  # fmt: skip
    events = sorted((*trace.events, hazard), key=lambda event: event.t_ps)
    return replace(trace, events=tuple(events))


def find_board(board: Board | str) -> Board:
    """A Board, from itself, a name or a path. Raises BoardError."""
    from fwgen.board import load_board
    from fwgen.board.types import Board

    if isinstance(board, Board):
        return board
    if not board:
        raise BoardError("no board was named", hint='"fwgen boards" lists them')
    return load_board(board)


def _find_model(model: Model | str) -> Model:
    from fwgen.model import find_model

    return find_model(model) if isinstance(model, str) else model


def _find_contract(contract: Contract | Path | str, board: Board) -> Contract:
    from fwgen.contract import Contract, check_contract, load_contract

    if isinstance(contract, Contract):
        check_contract(contract, board)
        return contract
    path = Path(contract)
    if not path.is_file():
        raise ContractError("there is no such contract file", where=str(contract))
    return load_contract(path, board)
