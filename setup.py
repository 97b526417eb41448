"""What pyproject.toml cannot say.

boards/ and tasks/ are shipped inside the package, as fwgen/_boards and fwgen/_tasks, and so is of
docs/ and examples/ what ``fwgen mcp`` offers; the machine's block hook in C is built where there
is a compiler, and done without where there is none.
"""

from setuptools import Extension, find_packages, setup

setup(
    packages=[
        *find_packages(include=["fwgen", "fwgen.*"]),
        "fwgen._boards",
        "fwgen._docs",
        "fwgen._examples",
        "fwgen._tasks",
    ],
    package_dir={
        "fwgen._boards": "boards",
        "fwgen._docs": "docs",
        "fwgen._examples": "examples",
        "fwgen._tasks": "tasks",
    },
    ext_modules=[
        Extension(
            "fwgen.machine.native._blocks",
            [
                "fwgen/machine/native/access.c",
                "fwgen/machine/native/blocks.c",
                "fwgen/machine/native/ops.c",
                "fwgen/machine/native/pins.c",
                "fwgen/machine/native/port.c",
                "fwgen/machine/native/service.c",
                "fwgen/machine/native/streams.c",
                "fwgen/machine/native/timers.c",
            ],
            depends=[
                "fwgen/machine/native/clockwork.h",
                "fwgen/machine/native/ops.h",
                "fwgen/machine/native/service.h",
            ],
            optional=True,
        )
    ],
)
