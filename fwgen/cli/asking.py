"""What the command line adds to a remote model: which one, its limits, its progress, a yes."""

from __future__ import annotations

import sys
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from fwgen.errors import EmissionError, InputError, ModelError, PromptError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console
    from rich.status import Status

    from fwgen.board.types import Board
    from fwgen.model.protocol import Model, Reading
    from fwgen.model.remote.endpoint import Arriving
    from fwgen.model.remote.model import RemoteModel


@dataclass(frozen=True, slots=True)
class Wishes:
    """The options of a prompt that are about a remote model."""

    max_tokens: int | None = None
    max_cost: float | None = None
    timeout_s: float | None = None
    pure: bool = False
    yes: bool = False
    verbose: bool = False


def choose(named: str, wishes: Wishes, prompt: str, board: Board) -> tuple[Model, tuple[str, ...]]:
    """The model to use, and what to say about the choice.

    ``named``, or what the configuration says; without either the embedded model, and where that
    does not understand the prompt the remote model whose key is at hand. Raises InputError, and
    PromptError where nobody understands it.
    """
    from fwgen.model import find_model

    said: tuple[str, ...] = ()
    name = named
    if not name:
        name, said = _unnamed(wishes, prompt, board)
    model = find_model(name)
    if name == "embedded":
        return model, said
    from fwgen.model.remote.model import Options, RemoteModel

    if not isinstance(model, RemoteModel):
        return model, said
    from fwgen.model.remote.budget import TIMEOUT_S, Limits

    cost = None if wishes.max_cost is None else Fraction(str(wishes.max_cost))
    limits = Limits(wishes.max_tokens, cost, wishes.timeout_s or TIMEOUT_S)
    model.options = Options(limits, pure=wishes.pure)
    if cost is not None:
        model.look_up_price()
    model.budget.check()  # a limit of cost without a price is told before anything is asked
    return model, said


def _unnamed(wishes: Wishes, prompt: str, board: Board) -> tuple[str, tuple[str, ...]]:
    from fwgen.model.remote.providers import offered
    from fwgen.model.remote.settings import load_settings

    settings = load_settings()
    if settings.model:
        if settings.model == "embedded":
            return "embedded", ()
        return settings.model, (_price_words(settings.model),)
    other = offered(settings)
    if other is None:
        return "embedded", ()
    from fwgen.model.embedded.read import read

    try:
        read(prompt, board)
    except PromptError as error:
        if not wishes.yes and not _somebody():
            also = f"{other.name} could be asked: --model {other.name} --yes"
            hint = f"{error.hint}; {also}" if error.hint else also
            raise PromptError(
                error.message, words=error.words, where=error.where, hint=hint
            ) from None
        return other.name, (
            "the embedded model does not understand this; another one is asked",
            _price_words(other.name),
        )
    return "embedded", (f"{other.name} is at hand, too: --model {other.name}",)


def _price_words(name: str) -> str:
    """What asking a model may cost."""
    from fwgen.model.remote.settings import load_settings

    price = load_settings().prices.get(name)
    if price is None:
        return f"{name}: what it costs is not known here (fwgen config set prices.{name}.input ...)"
    once = price.of(2 * _READ, _WRITTEN)
    return f"{name}: about ${float(once):.3f} for the contract and one attempt, without reasoning"


_READ, _WRITTEN = 3000, 1500  # tokens: prompts as measured (docs/models.md), an answer as seen


def check_yes(model: Model, wishes: Wishes, *, contract: bool, json: bool) -> None:
    """Refuse, before anything is asked, what somebody would have to say yes to.

    Raises InputError.
    """
    if getattr(model, "trusted", False) or contract or wishes.yes:
        return
    if getattr(model, "is_replay", False) or (not json and _somebody()):
        return
    raise InputError(
        "a contract that a model states must be looked at, and there is nobody to ask",
        hint="add --yes to take it as it is, or give one with --contract FILE",
    )


def _somebody() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def confirm(
    console: Console, status: Status, model: Model, wishes: Wishes, *, contract: bool
) -> Callable[[Reading], None]:
    """What asks a person whether the contract is what was meant."""
    from fwgen.model import is_remote

    def ask(reading: Reading) -> None:
        if getattr(model, "trusted", False) or getattr(model, "is_replay", False):
            return
        if contract or wishes.yes:
            return
        waiting = model.budget.paused() if is_remote(model) else nullcontext()
        status.stop()
        with waiting:
            console.print("\n Is this what must be seen? [y/N] ", end="", markup=False)
            answer = sys.stdin.readline().strip().casefold()
        status.start()
        if answer not in ("y", "yes"):
            raise InputError(
                "nothing was emitted: the contract was not confirmed",
                hint="say the prompt otherwise, or write the contract yourself and give it with "
                "--contract (--dry-run --json prints this one)",
            )

    return ask


class Progress:
    """One line for how far the answers of a model are."""

    def __init__(self, status: Status, model: RemoteModel) -> None:
        self._status, self._model = status, model
        self._talks: dict[str, Arriving] = {}

    def __call__(self, arriving: Arriving) -> None:
        """Hear how far one answer is."""
        from rich.text import Text

        self._talks[arriving.talk] = arriving
        self._status.update(Text("; ".join(self._words(a) for a in self._talks.values())))

    def _words(self, arriving: Arriving) -> str:
        if arriving.note:
            return f"{arriving.talk}: {arriving.note}"
        parts = [f"{arriving.talk}: {arriving.tokens} tokens"]
        if arriving.code_bytes:
            parts.append(f"{arriving.units} units, {arriving.code_bytes} bytes of code")
        if arriving.seconds > 0.5:
            parts.append(f"{arriving.tokens / arriving.seconds:.0f} tokens/s")
        price, cost = self._model.price, self._model.budget.cost
        if price is not None and cost is not None:
            parts.append(f"${float(cost + price.of(0, arriving.tokens)):.4f}")
        return ", ".join(parts)


def watch_remote(model: Model, status: Status) -> bool:
    """Show how far the answers of a remote model are; whether it is one."""
    from fwgen.model import is_remote

    if is_remote(model):
        model.options = replace(model.options, watch=Progress(status, model))
    return is_remote(model)


@contextmanager
def told_where(model: Model) -> Iterator[None]:
    """Errors of a remote model say where all that was asked and answered is kept."""
    from fwgen.model import is_remote

    try:
        yield
    except (ModelError, EmissionError) as error:
        path = model.transcript_path if is_remote(model) else None
        if path is not None and path.exists():
            kept = f"what was asked and answered is in {path}"
            error.hint = f"{error.hint}; {kept}" if error.hint else kept
        raise
    finally:
        if is_remote(model):
            model.close()


def spent_words(model: Model, reading: Reading) -> tuple[str, ...]:
    """What a remote model was sent and took, for --verbose."""
    from fwgen.model import is_remote

    if not is_remote(model):
        return ()
    from fwgen.model.remote.emissions import prompt_of
    from fwgen.model.remote.tokens import METHOD, count_tokens

    system, task = prompt_of(reading, pure=model.options.pure)
    sizes = f"{count_tokens(system)} tokens, the task {count_tokens(task)} ({METHOD})"
    kept = model.transcript_path
    return (
        f"system prompt {sizes}",
        model.budget.said(),
        *((f"transcript {kept}",) if kept is not None else ()),
    )
