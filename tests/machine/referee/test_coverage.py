"""No encoding that the core has is left out of the comparison with QEMU."""

from __future__ import annotations

from .coverage import forms_of_core, places


def test_every_encoding_of_the_core_is_drawn_somewhere() -> None:
    left_out = [form.texts[0] for form in forms_of_core() if form not in places()]
    assert not left_out
