"""What pyproject.toml cannot say.

boards/ and tasks/ are shipped inside the package, as fwgen/_boards and fwgen/_tasks; the machine's
block hook in C is built where there is a compiler, and done without where there is none.
"""

from setuptools import Extension, find_packages, setup

setup(
    packages=[*find_packages(include=["fwgen", "fwgen.*"]), "fwgen._boards", "fwgen._tasks"],
    package_dir={"fwgen._boards": "boards", "fwgen._tasks": "tasks"},
    ext_modules=[
        Extension(
            "fwgen.machine.native._blocks",
            ["fwgen/machine/native/blocks.c"],
            optional=True,
        )
    ],
)
