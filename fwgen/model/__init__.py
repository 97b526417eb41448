"""AI models: what reads sentences and emits machine code.

A model is found by its name: "embedded", or an entry point of the group ``fwgen.models`` whose
object takes what follows the first "/" ("replay/FILE") and gives a Model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from fwgen.model.protocol import Model


def find_model(name: str) -> Model:
    """The model that a name means. Raises InputError for one that is not installed."""
    if name == "embedded":
        from fwgen.model.embedded.model import EmbeddedModel

        return EmbeddedModel()
    from importlib.metadata import entry_points

    provider, _, rest = name.partition("/")
    known = entry_points(group="fwgen.models")
    for point in known:
        if point.name == provider:
            made: Model = point.load()(rest)
            return made
    names = ["embedded", *(point.name for point in known)]
    raise InputError(
        f"there is no model {name!r}",
        hint=did_you_mean(provider, names) or f"installed: {', '.join(names)}",
    )
