"""Settings for every test: property tests judge behaviour, not the speed of a busy machine."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("fwgen", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "fwgen")
