"""The embedded model behind the Model seam."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.errors import ModelError
from fwgen.model.embedded.behaviour import Program
from fwgen.model.protocol import Feedback, Reading

if TYPE_CHECKING:
    from fwgen.board.types import Board
    from fwgen.image.emission import Emission


class EmbeddedModel:
    """Reads with a grammar, composes proven blocks. No key, no network; same prompt, same bytes."""

    name = "embedded"
    trusted = True

    def read(self, prompt: str, board: Board) -> Reading:
        """Understand a sentence in full. Raises PromptError naming the words not understood."""
        from fwgen.model.embedded.read import read
        from fwgen.model.embedded.read.say_back import say_back
        from fwgen.model.embedded.specify import specify

        meaning = read(prompt, board)
        title = " ".join(prompt.split())
        return Reading(
            prompt=prompt,
            understood=say_back(meaning.program),
            assumed=tuple(meaning.assumptions),
            contract=specify(meaning.program, board, title),
            board=board,
            meaning=meaning.program,
        )

    def emit(self, reading: Reading, feedback: Feedback | None = None) -> Emission:
        """Compose the firmware. It has one answer: after feedback it has nothing more to give."""
        from fwgen.model.embedded.compose import compose

        if feedback is not None:
            raise ModelError(
                "the embedded model has one answer to a sentence, and it did not pass",
                hint="keep the output folder and report it: this is a bug",
            )
        assert isinstance(reading.meaning, Program)
        return compose(reading.meaning, reading.board)
