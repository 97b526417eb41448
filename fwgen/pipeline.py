"""The line: prompt, contract, emission, image, trace, verdict.

    reading  = model.read(prompt, board)
    emission = model.emit(reading)
    image    = link(emission, board)
    trace    = bench.run(image, contract.stimuli, contract.span_ps)
    verdict  = judge(contract, trace, board)

    confirmed = confirm(proof, rig)     on a real board, where there is one

and again with feedback, while it fails and the model has more to give. ``observe`` hears each
stage as it is reached, so that a person can watch. What a model emits that nobody vouches for runs
in a worker process (``fwgen.machine.confined``).
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fwgen.errors import (
    BenchError,
    BoardError,
    ContractError,
    EmissionError,
    InputError,
    ModelError,
    PromptError,
)
from fwgen.units import show_duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.bench import Bench
    from fwgen.board.types import Board
    from fwgen.contract import Contract, Expectation
    from fwgen.image.emission import Emission
    from fwgen.image.problems import UnsoundEmissionError
    from fwgen.image.types import Image
    from fwgen.machine.confined import ConfinedMachine
    from fwgen.model.protocol import Feedback, Model, Reading
    from fwgen.thumb.cycles import Pace
    from fwgen.trace import Event, Hazard, Trace
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

    @property
    def locks(self) -> Hazard | None:
        """The first hazard that may lock the board, accepted or not; None when there is none."""
        from fwgen.hazards import REGISTER
        from fwgen.trace import Hazard

        locking = {code for code, kind in REGISTER.items() if kind.locks}
        return next((h for h in self.trace.of(Hazard) if h.code in locking), None)


@dataclass(frozen=True, slots=True)
class Result:
    """A generated firmware: what was read, what was emitted, and its proof.

    ``attempts`` counts all emissions, of all samples; ``stopped`` says why there were no more
    where the firmware does not pass. ``transcript`` is what a remote model was asked and answered.
    """

    reading: Reading
    model: str
    emission: Emission
    proof: Proof
    attempts: int
    stopped: str = ""
    transcript: bytes = b""

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
    samples: int = 1,
    bench: Bench | None = None,
    confirm: Callable[[Reading], None] = lambda reading: None,
    observe: Callable[[Reading | Emission | UnsoundEmissionError | Image | Proof], None] = (
        lambda stage: None
    ),
) -> Result:
    """Make a firmware for a sentence and prove it.

    ``board``: a Board, the name of one, or a path to its TOML. ``contract`` (a Contract or a
    TOML file) overrules the one that the model reads out of the prompt. ``samples`` conversations
    go on side by side, each with its ``attempts``, and the best is kept: the smallest that passes,
    and of these the least awake. ``bench`` defaults to the machine. ``confirm`` is called before
    anything is emitted, and may raise. A firmware that fails is a Result, not an error: look at
    ``result.passed``; of several that fail the best is kept.

    Raises PromptError, BoardError, ContractError, EmissionError (of the last attempt, where none
    held together), ModelError.
    """
    board = find_board(board)
    chosen = _find_model(model)
    conversations = _conversations(chosen, samples)
    reading = read(prompt, board, model=chosen, contract=contract)
    observe(reading)
    confirm(reading)
    if samples == 1:
        result = _tried(conversations[0], reading, max(1, attempts), bench, observe)
    else:
        result = _best_of(conversations, reading, max(1, attempts), bench)
        for stage in (result.emission, result.proof.image, result.proof):
            observe(stage)
    transcript = getattr(chosen, "transcript", None)
    return replace(result, transcript=transcript()) if transcript is not None else result


def _conversations(model: Model, samples: int) -> list[Model]:
    """The model in so many conversations. Raises InputError for one that has no more than one."""
    from fwgen.model.protocol import Samples

    if samples == 1:
        return [model]
    if not isinstance(model, Samples):
        raise InputError(
            f"the {model.name} model gives one answer, not {samples}", hint="leave --samples out"
        )
    return [model.sample(number) for number in range(1, samples + 1)]


def _best_of(
    conversations: list[Model], reading: Reading, attempts: int, bench: Bench | None
) -> Result:
    """Several conversations side by side; the best of what they give."""
    import threading

    results: list[Result] = []
    errors: list[Exception] = []

    def run(model: Model) -> None:
        try:
            results.append(_tried(model, reading, attempts, bench, lambda stage: None))
        except Exception as error:  # noqa: BLE001 - told below, in the thread that waits
            errors.append(error)

    # Daemons: after a Ctrl-C nobody waits for an answer that is still on its way.
    threads = [threading.Thread(target=run, args=(one,), daemon=True) for one in conversations]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    worse = [e for e in errors if not isinstance(e, (ModelError, EmissionError, BenchError))]
    if worse or not results:
        raise (worse or errors)[0]
    best = min(results, key=lambda result: _rank(result.proof))
    return replace(best, attempts=sum(result.attempts for result in results))


def _rank(proof: Proof) -> tuple[int, ...]:
    """Less is better: passes, claims that fail, bytes of flash, cycles awake, a late departure."""
    bad = [finding for finding in proof.verdict.all if finding.outcome.exit_code]
    first = proof.verdict.first_departure
    late = -first.t_ps if first is not None else 0
    if proof.passed:
        return (0, 0, proof.image.flash_used, proof.trace.awake_cycles)
    return (proof.verdict.exit_code, len(bad), late, proof.image.flash_used)


def _tried(
    model: Model,
    reading: Reading,
    attempts: int,
    bench: Bench | None,
    observe: Callable[[Reading | Emission | UnsoundEmissionError | Image | Proof], None],
) -> Result:
    """One conversation, until it passes or there is no more to try; the best attempt."""
    from fwgen.image.link import link
    from fwgen.image.problems import UnsoundEmissionError
    from fwgen.model.protocol import Feedback

    best: Result | None = None
    feedback: Feedback | None = None
    unsound: EmissionError | BenchError | None = None
    stopped = ""
    attempt = 0
    with _confined(model, reading.board, reading.contract, bench) as confined:
        while attempt < attempts:
            emission: Emission | None = None
            try:
                emission = model.emit(reading, feedback)
                attempt += 1
                observe(emission)
                image = link(emission, reading.board)
                observe(image)
                proof = _prove(image, reading, bench, confined)
            except ModelError as error:
                stopped = error.message
                if best is None and unsound is None:
                    raise
                break  # it has nothing more to give: the best try stands
            except UnsoundEmissionError as error:
                attempt += emission is None
                unsound = error
                observe(error)
                told = tuple(map(str, error.problems))
                feedback = Feedback(emission, told, unsound=error.problems)
                continue
            except BenchError as error:
                if confined is None:
                    raise
                unsound = error
                feedback = Feedback(emission, (error.message,))
                continue
            observe(proof)
            if best is None or _rank(proof) < _rank(best.proof):
                best = Result(reading, model.name, emission, proof, attempt)
            if proof.passed:
                break
            feedback = feedback_on(emission, proof, confined)
    if best is None:
        assert unsound is not None
        if stopped:
            unsound.hint = f"{unsound.hint}; {stopped}" if unsound.hint else stopped
        raise unsound
    if not best.passed and not stopped:
        stopped = "that was the limit of attempts"
    return replace(best, attempts=attempt, stopped="" if best.passed else stopped)


def _confined(
    model: Model, board: Board, contract: Contract, bench: Bench | None
) -> ConfinedMachine | nullcontext[None]:
    """A worker for a model that nobody vouches for."""
    if bench is not None or getattr(model, "trusted", False):
        return nullcontext()
    from fwgen.contract.subjects import on_bench
    from fwgen.machine.confined import ConfinedMachine

    confined = ConfinedMachine(on_bench(board, contract))
    confined.start()  # it is up before the model has answered
    return confined


def _prove(
    image: Image, reading: Reading, bench: Bench | None, confined: ConfinedMachine | None
) -> Proof:
    return prove(image, reading.board, reading.contract, bench=bench, confined=confined)


def feedback_on(
    emission: Emission | None, proof: Proof, confined: ConfinedMachine | None
) -> Feedback:
    """What was seen of a firmware that does not pass; ``emission`` is None for a file's."""
    from fwgen.model.protocol import Feedback

    look = None
    first = proof.verdict.first_departure
    if confined is not None:
        at_ps = min(first.t_ps if first is not None else proof.trace.span_ps, proof.trace.span_ps)
        try:
            look = confined.look(proof.image, proof.contract.stimuli, at_ps)
        except BenchError:
            look = None  # it ran once and does not again: what was seen must do
    return Feedback(
        emission,
        tuple(f.text for f in proof.verdict.all if f.outcome.exit_code),
        image=proof.image,
        trace=proof.trace,
        verdict=proof.verdict,
        look=look,
    )


def read(
    prompt: str,
    board: Board | str,
    *,
    model: Model | str = "embedded",
    contract: Contract | Path | str | None = None,
) -> Reading:
    """Understand a sentence and state its contract; make nothing.

    What a remote model understood is held against the embedded reader where that understands the
    sentence, too: ``reading.doubts``. Arguments and errors as in ``generate``.
    """
    from fwgen.model.protocol import TakesContract

    board = find_board(board)
    chosen = _find_model(model)
    given = None if contract is None else _find_contract(contract, board)
    if given is not None and isinstance(chosen, TakesContract):
        return chosen.take(prompt, board, given)
    reading = chosen.read(prompt, board)
    if given is not None:
        return replace(reading, contract=given)
    if not getattr(chosen, "trusted", False):
        reading = replace(reading, doubts=_doubts(reading))
    return reading


def _doubts(reading: Reading) -> tuple[str, ...]:
    """Where the embedded reader understands the sentence otherwise than a contract says.

    Its own firmware is run against the contract: what departs is a disagreement, in figures.
    What it would ask for of a subject that the contract says nothing about is one, too.
    """
    from fwgen.contract import say
    from fwgen.image.link import link
    from fwgen.model.embedded.model import EmbeddedModel

    board = reading.board
    embedded = EmbeddedModel()
    try:
        other = embedded.read(reading.prompt, board)
        image = link(embedded.emit(other), board)
    except (PromptError, ModelError):
        return ()  # it does not understand it, or cannot do it: no second opinion
    verdict = prove(image, board, reading.contract).verdict
    found = [
        f"asked: {finding.claim}; as the embedded reader has it: {finding.text}"
        for finding in verdict.findings
        if finding.outcome.exit_code
    ]
    asked = {(type(e), _about(e, board)) for e in reading.contract.expectations}
    about = {what for _, what in asked if what}
    found += [
        f"not asked: {say(e, board)}"
        for e in other.contract.expectations
        if (type(e), _about(e, board)) not in asked and _about(e, board) not in about
    ]
    return tuple(found)


def _about(expectation: object, board: Board) -> str:
    """The pin or port that an expectation is about, whatever it calls it; "" for all of them."""
    for name in ("subject", "port"):
        if (said := getattr(expectation, name, None)) is not None:
            pin = board.find_pin(said)
            console = board.console.uart if board.console is not None else ""
            return pin.name if pin else console if said == "console" else str(said)
    return ""


def verify(
    image: Image | Path | str,
    board: Board | str,
    contract: Contract | Path | str,
    *,
    bench: Bench | None = None,
    cycles: Pace | None = None,
) -> Proof:
    """Hold any firmware (.hex, .bin, .elf; ours or a compiler's) against a contract.

    ``bench`` and ``cycles`` as in ``prove``.
    Raises ImageError, BoardError, ContractError.
    """
    from fwgen.image.load import load_image
    from fwgen.image.types import Image

    board = find_board(board)
    asked = _find_contract(contract, board)
    loaded = image if isinstance(image, Image) else load_image(image, board)
    return prove(loaded, board, asked, bench=bench, cycles=cycles)


def prove(
    image: Image,
    board: Board,
    contract: Contract,
    *,
    bench: Bench | None = None,
    confined: ConfinedMachine | None = None,
    cycles: Pace | None = None,
) -> Proof:
    """Run an image on a bench with the contract's stimuli, and judge what was seen.

    ``confined`` is the machine in a worker, for an image that nobody vouches for.

    What passes in the machine runs once more, where everything that nothing defines is otherwise:
    the RAM's contents at power-on, what floating inputs read, how contacts chatter; and each
    instruction takes the most cycles that the manual allows. When it fails by the former, it
    passed by luck: the Proof is that of the other run, with a Hazard that says so. When it fails
    by the latter, it is UNSURE. Where counted instructions move a pin (the note counted-time), it
    runs with the fewest cycles, too. ``cycles`` asks for one run, with these cycle counts alone.
    """
    from fwgen.contract.subjects import on_bench
    from fwgen.machine.machine import Machine
    from fwgen.verdict import judge

    wired = on_bench(board, contract)
    if bench is not None:
        trace = bench.run(image, contract.stimuli, contract.span_ps)
        return Proof(board, contract, image, trace, judge(contract, trace, board))
    if confined is not None:
        confined.board = wired

    def run(chance: int, pace: Pace) -> Proof:
        stimuli, span_ps = contract.stimuli, contract.span_ps
        if confined is not None:
            trace = confined.run_by_chance(chance, image, stimuli, span_ps, pace)
        else:
            trace = Machine(wired, chance=chance, pace=pace).run(image, stimuli, span_ps)
        return Proof(board, contract, image, trace, judge(contract, trace, board))

    return run(0, cycles) if cycles is not None else _proved(run)


def _proved(run: Callable[[int, Pace], Proof]) -> Proof:
    """A proof by the machine, wherever it runs; ``run`` takes chance and pace."""
    from fwgen.trace import Hazard
    from fwgen.verdict import judge

    proof = run(0, "typical")
    if not proof.passed:
        return proof
    other = run(1, "most")
    if not other.passed:
        again = run(1, "typical")
        if again.passed:
            return _at_an_end(proof, other, "most")
        trace = _by_luck(again.trace, again.verdict)
        return replace(again, trace=trace, verdict=judge(again.contract, trace, again.board))
    if any(hazard.code == "counted-time" for hazard in proof.trace.of(Hazard)):
        least = run(0, "least")
        if not least.passed:
            return _at_an_end(proof, least, "least")
    return proof


def _at_an_end(proof: Proof, end: Proof, pace: Pace) -> Proof:
    """A proof that holds with the typical cycle counts alone."""
    from fwgen.verdict.ends import between

    return replace(end, verdict=between(proof.verdict, end.verdict, pace, proof.board.chip.core))


def refuse_locking(proof: Proof) -> None:
    """Refuse to flash what may lock the board, also where the contract accepts it.

    Raises InputError.
    """
    hazard = proof.locks
    if hazard is not None:
        raise InputError(
            f"not flashed: {hazard.message} [{hazard.code}]",
            hint=f"it may lock you out of the board; {hazard.cure}; "
            "--force flashes it all the same",
        )


def confirm(proof: Proof, rig: Bench, *, force: bool = False) -> Confirmed:
    """Run on a rig what the machine has run, judge it by the same contract, and compare.

    Where a person did what was to be done at a time, it was done at another one: then the machine
    runs once more, with what was done when it was done, and the contract's times are counted from
    there (``fwgen.contract.retime``). Raises BenchError when the rig cannot do its work, and
    InputError for what may lock the board (``refuse_locking``), unless ``force``.
    """
    from fwgen.trace import ByHand

    if not force:
        refuse_locking(proof)
    contract = proof.contract
    trace = rig.run(proof.image, contract.stimuli, contract.span_ps)
    if any(trace.of(ByHand)):
        try:
            proof = _as_done(proof, trace)
        except ContractError as error:
            trace = _not_as_asked(trace, contract, error.message)
    return _confirmed(proof, trace)


def _confirmed(proof: Proof, trace: Trace) -> Confirmed:
    from fwgen.verdict import judge
    from fwgen.verdict.compare import differences

    contract, board = proof.contract, proof.board
    verdict = judge(contract, trace, board, beside=proof.trace)
    seen = Proof(board, contract, proof.image, trace, verdict)
    return Confirmed(proof, seen, differences(contract, proof.trace, trace, board))


def _as_done(proof: Proof, trace: Trace) -> Proof:
    """The proof in the machine, with what a person did to the board done when they did it.

    Of the two readings of each time (from what was done, from reset) those count that the machine
    bears out: what holds there must hold on the board. Raises ContractError, with the reason, when
    the contract has no meaning with the presses that there were.
    """
    from fwgen.contract.retime import readings
    from fwgen.contract.subjects import on_bench
    from fwgen.machine.machine import Machine
    from fwgen.trace import ByHand, NotDone
    from fwgen.verdict import Outcome, judge

    left = next(trace.of(NotDone), None)
    if left is not None:
        raise ContractError(f"{left.what} at {show_duration(left.t_ps)} was not done: {left.why}")
    contract, both = readings(proof.contract, list(trace.of(ByHand)))
    wired = on_bench(proof.board, contract)
    seen = Machine(wired).run(proof.image, contract.stimuli, contract.span_ps)
    kept: list[Expectation] = []
    for ways in both:
        asked = replace(contract, expectations=ways)
        findings = judge(asked, seen, proof.board).findings
        borne = [f.expectation for f in findings if f.outcome is Outcome.PASS and f.expectation]
        if not borne:
            raise ContractError(
                "its times do not go with presses by hand: pressed so, in the machine "
                f"{findings[0].text}"
            )
        kept += borne
    return prove(proof.image, proof.board, replace(contract, expectations=tuple(kept)))


def _not_as_asked(trace: Trace, contract: Contract, why: str) -> Trace:
    """A trace in which what a person did at another time counts as not done."""
    from fwgen.trace import ByHand, NotDone, Stimulated

    since = min(act.asked_ps for act in trace.of(ByHand))
    told = {(e.subject, e.t_ps) for e in trace.of(NotDone)}
    events: list[Event] = [
        e
        for e in trace.events
        if not (isinstance(e, ByHand) or (isinstance(e, Stimulated) and e.t_ps >= since))
    ]
    events += [
        NotDone(s.at_ps, s.subject, "what was asked", why)
        for s in contract.stimuli
        if s.at_ps >= since and (s.subject, s.at_ps) not in told and s.at_ps < trace.span_ps
    ]
    return replace(trace, events=tuple(sorted(events, key=lambda event: event.t_ps)))


def _by_luck(trace: Trace, verdict: Verdict) -> Trace:
    """A trace that failed where another one passed, with the Hazard that this is."""
    from fwgen.trace import Hazard

    first = verdict.first_departure
    at_ps = min(first.t_ps, trace.span_ps) if first is not None else 0
    said = (
        "it passes or fails by what RAM holds at power-on, what a floating input reads, or how "
        "a contact chatters"
    )
    hazard = Hazard.of("by-luck", said, at_ps)
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
