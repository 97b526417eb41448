"""What pyproject.toml cannot say: boards/ is shipped inside the package, as fwgen/_boards."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["fwgen", "fwgen.*"]), "fwgen._boards"],
    package_dir={"fwgen._boards": "boards"},
)
