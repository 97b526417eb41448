"""AI models: what reads sentences and emits machine code.

A model is found by its name: "embedded"; "replay:FILE", the transcript of a remote one; an entry
point of the group ``fwgen.models``, whose object takes what follows the first "/"; or a remote
model, "provider/name" (docs/models.md).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fwgen.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    from fwgen.model.protocol import Model
    from fwgen.model.remote.model import RemoteModel

REPLAY = "replay:"


def find_model(name: str) -> Model:
    """The model that a name means.

    Raises InputError for one that is not known, cannot be asked for want of a key, or whose
    transcript is none.
    """
    if name == "embedded":
        from fwgen.model.embedded.model import EmbeddedModel

        return EmbeddedModel()
    if name.startswith(REPLAY):
        from fwgen.model.remote.model import RemoteModel

        return RemoteModel.replayed(Path(name.removeprefix(REPLAY)))
    from importlib.metadata import entry_points

    provider, _, rest = name.partition("/")
    known = entry_points(group="fwgen.models")
    for point in known:
        if point.name == provider:
            made: Model = point.load()(rest)
            return made
    from fwgen.model.remote.model import RemoteModel

    try:
        return RemoteModel.named(name)
    except InputError as error:
        hint = did_you_mean(name, ["embedded", "replay:FILE", *(p.name for p in known)])
        if hint is None or "no provider of that name" not in error.message:
            raise
        raise InputError(f"there is no model {name!r}", hint=hint) from None


def is_remote(model: object) -> TypeIs[RemoteModel]:
    """Whether a model is a remote one, or the transcript of one; imports it only then."""
    # Of the class: to look at a model's own budget would make it, with the limits of now.
    kind = type(model)
    return kind.__module__ == "fwgen.model.remote.model" and hasattr(kind, "budget")
