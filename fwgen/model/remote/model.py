"""A remote model behind the Model seam: ``--model provider/name`` and ``--model replay:FILE``.

    model = RemoteModel.named("xai/grok-4")
    model = RemoteModel.replayed(Path("out/transcript.jsonl"))

Nothing is asked, and ``openai`` is not imported, before ``read`` or ``emit`` is called.
"""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fwgen.errors import InputError, ModelError
from fwgen.model.protocol import Reading
from fwgen.model.remote.budget import Budget, Limits
from fwgen.model.remote.emissions import Emitting
from fwgen.model.remote.keys import NO_KEY, find_key
from fwgen.model.remote.providers import Provider, Target, find_target, missing_key
from fwgen.model.remote.quirks import Memory, Quirks
from fwgen.model.remote.settings import Price, Settings, folder, load_settings
from fwgen.model.remote.transcript import Recorder, load_transcript

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.board.types import Board
    from fwgen.contract import Contract
    from fwgen.image.emission import Emission
    from fwgen.model.protocol import Feedback
    from fwgen.model.remote.endpoint import Arriving, Endpoint
    from fwgen.model.remote.talk import Answer, Question
    from fwgen.model.remote.transcript import Transcript

MOST_KEPT = 200  # transcripts in the state folder


@dataclass(frozen=True, slots=True)
class Options:
    """How a remote model is to be asked.

    ``pure``: every byte is the model's own, no proven blocks of ours.
    ``transcript`` is the file that it is written to as it grows (None: one in the user's state
    folder). ``watch`` hears how far each answer is.
    """

    limits: Limits = field(default_factory=Limits)
    pure: bool = False
    transcript: Path | None = None
    watch: Callable[[Arriving], None] = lambda arriving: None


class RemoteModel:
    """A model behind an OpenAI-compatible endpoint, or the transcript of one."""

    trusted = False

    def __init__(
        self,
        target: Target,
        price: Price | None = None,
        *,
        transcript: Transcript | None = None,
        options: Options | None = None,
    ) -> None:
        self.target, self.price = target, price
        self.options = options or Options()
        self._transcript = transcript
        self._endpoint: Endpoint | None = None
        self._recorder: Recorder | None = None
        self._budget: Budget | None = None
        self._samples: dict[int, Emitting] = {}
        self._asked: dict[str, str] = {}

    @classmethod
    def named(cls, name: str, settings: Settings | None = None) -> RemoteModel:
        """The model that ``--model NAME`` means.

        Raises InputError for a name that means none, and where a key is needed and there is none.
        """
        settings = settings or load_settings()
        target = find_target(name, settings)
        why = missing_key(target.provider)
        if why is not None:
            raise InputError(f"{target.provider.title} cannot be asked: {why}", where=target.name)
        return cls(target, settings.prices.get(target.name))

    @classmethod
    def replayed(cls, path: Path) -> RemoteModel:
        """The model whose transcript this is; it answers as it did then, and nobody is asked.

        Raises InputError for what is no transcript.
        """
        transcript = load_transcript(path)
        header = transcript.header
        name, _, model = str(header.get("model", "")).partition("/")
        provider = Provider(name or "replay", name, "http://replay.invalid/v1", key="none")
        price = header.get("price")
        known = Price(*(Fraction(str(p)) for p in price)) if isinstance(price, list) else None
        return cls(Target(provider, model), known, transcript=transcript)

    # ------------------------------------------------------------------ the seam

    @property
    def name(self) -> str:
        """As the user names it; a transcript has the name of the model that it is of."""
        return self.target.name

    @property
    def is_replay(self) -> bool:
        """Whether it plays back a transcript."""
        return self._transcript is not None

    @property
    def budget(self) -> Budget:
        """The limits, and what was spent of them so far."""
        if self._budget is None:
            limits = self.options.limits
            if self.is_replay:  # time does not pass there
                limits = replace(limits, timeout_s=None)
            self._budget = Budget(limits, self.price, model=self.name)
        return self._budget

    def read(self, prompt: str, board: Board) -> Reading:
        """Have the request turned into a contract, in a conversation of its own."""
        from fwgen.model.remote.contracts import agree

        self._open(prompt, board)
        return agree(prompt, board, self._ask)

    def take(self, prompt: str, board: Board, contract: Contract) -> Reading:
        """A Reading of a contract that is there already; nobody is asked."""
        from fwgen.contract import describe

        self._open(prompt, board)
        return Reading(prompt, tuple(describe(contract, board)), contract, board)

    def emit(self, reading: Reading, feedback: Feedback | None = None) -> Emission:
        """Have firmware emitted for a contract, or mended."""
        return self._emit(1, reading, feedback)

    def sample(self, number: int) -> _Sample:
        """The model in a conversation of its own."""
        return _Sample(self, number)

    def _emit(self, number: int, reading: Reading, feedback: Feedback | None) -> Emission:
        self._open(reading.prompt, reading.board)
        if number not in self._samples:
            self._samples[number] = Emitting(number, self._ask, pure=self.options.pure)
        emitting = self._samples[number]
        return emitting.emit(reading, feedback)

    def _ask(self, question: Question) -> Answer:
        assert self._endpoint is not None
        return self._endpoint.ask(question)

    # ------------------------------------------------------------------ what it leaves

    def transcript(self) -> bytes:
        """Everything that was asked and answered so far, as ``replay:`` takes it."""
        return self._recorder.dump() if self._recorder is not None else b""

    @property
    def transcript_path(self) -> Path | None:
        """The file that the transcript is written to as it grows, or None."""
        return self._recorder.path if self._recorder is not None else None

    def close(self) -> None:
        """Give the connections back."""
        if self._endpoint is not None:
            self._endpoint.close()

    # ------------------------------------------------------------------ opening

    def _open(self, prompt: str, board: Board) -> None:
        asked = {"prompt": prompt, "board": board.name}
        if self._endpoint is not None:
            if asked != self._asked:
                raise ModelError("one RemoteModel serves one request: make another")
            return
        self._asked = asked
        if self._transcript is not None:
            self._open_replay(self._transcript, asked)
        else:
            self._open_live(asked)

    def _open_replay(self, transcript: Transcript, asked: dict[str, str]) -> None:
        from fwgen.model.remote.endpoint import Endpoint
        from fwgen.model.remote.http import ReplayingClient

        header = transcript.header
        for key, now in asked.items():
            then = header.get(key)
            if then != now:
                raise InputError(
                    f"this transcript is of the {key} {str(then)[:80]!r}, not of {now[:80]!r}",
                    hint="replay it with the prompt and the board that it was made with",
                )
        self._recorder = Recorder({k: v for k, v in header.items() if k != "fwgen_transcript"})
        known = dict(header.get("quirks") or {})
        try:
            quirks = Quirks(**{**known, "dropped": tuple(known.get("dropped", ()))})
        except TypeError:
            raise InputError("the transcript's header is damaged") from None
        self._endpoint = Endpoint(
            self.target, NO_KEY, ReplayingClient(transcript, self._recorder), self.budget,
            quirks=quirks, pause=lambda _: None, watch=self.options.watch,
        )  # fmt: skip

    def _open_live(self, asked: dict[str, str]) -> None:
        from fwgen.model.remote.endpoint import Endpoint
        from fwgen.model.remote.http import RecordingClient

        budget = self.budget  # it may refuse its limits: before anything is asked
        key = find_key(self.target.provider) or NO_KEY
        if not self.target.model:
            self._choose(key.reveal())
        memory = Memory()
        known = memory.recall(self.target.provider.base_url, self.target.model)
        quirks = known or Quirks(self.target.provider.transport)
        price = [str(self.price.input), str(self.price.output)] if self.price else None
        header: dict[str, Any] = {
            "model": self.name, **asked, "quirks": asdict(quirks), "price": price,
        }  # fmt: skip
        path = self.options.transcript or _new_path(self.name)
        self._recorder = Recorder(header, path, key.hide)
        self._endpoint = Endpoint(
            self.target, key, RecordingClient(self._recorder), budget,
            memory=memory, quirks=quirks, watch=self.options.watch,
        )  # fmt: skip

    def look_up_price(self) -> None:
        """Ask the provider for the price, where nobody said it; most do not tell."""
        if self.price is None and not self.is_replay:
            from fwgen.model.remote.reach import reach

            self.price = dict(reach(self.target.provider).prices).get(self.target.model)

    def _choose(self, key: str) -> None:
        """The first model that the provider lists, where none was named."""
        from fwgen.model.remote.reach import reach

        found = reach(self.target.provider)
        if not found.models:
            raise ModelError(
                f"{self.target.provider.title}: {found.said}", where=self.target.name,
                hint=f"name one: --model {self.target.provider.name}/NAME",
            )  # fmt: skip
        self.target = Target(self.target.provider, found.models[0])


@dataclass(frozen=True, slots=True)
class _Sample:
    """One of several conversations with a model."""

    model: RemoteModel
    number: int

    trusted = False

    @property
    def name(self) -> str:
        return self.model.name

    def read(self, prompt: str, board: Board) -> Reading:
        return self.model.read(prompt, board)

    def emit(self, reading: Reading, feedback: Feedback | None = None) -> Emission:
        return self.model._emit(self.number, reading, feedback)


def _new_path(name: str) -> Path:
    """A new file for a transcript; the oldest of many are removed."""
    where = folder("state") / "transcripts"
    kept = sorted(where.glob("*.jsonl")) if where.is_dir() else []
    for old in kept[: max(0, len(kept) - MOST_KEPT + 1)]:
        old.unlink(missing_ok=True)
    safe = "".join(c if c.isalnum() or c in ".-" else "-" for c in name)[:60]
    stamp = time.strftime("%Y%m%d-%H%M%S")
    return where / f"{stamp}-{os.getpid()}-{safe}.jsonl"
