"""A dask cluster as an executor: its scheduler distributes, we only ask (docs/score.md)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fwgen.errors import BenchError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor


@contextmanager
def cluster(address: str) -> Iterator[tuple[Executor, int]]:
    """An executor on the cluster whose scheduler is at ``address``, and how many cores it has.

    Raises InputError where dask is not installed, BenchError where there is no scheduler.
    """
    try:
        import distributed
    except ImportError:
        raise InputError(
            "dask's distributed is not installed", hint='python3 -m pip install "fwgen[dask]"'
        ) from None
    try:
        connect: Any = distributed.Client  # its own types say nothing
        client = connect(address, timeout=10, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise BenchError(f"no dask scheduler can be reached: {reason}", where=address) from None
    try:
        cores = sum(client.ncores().values())
        if not cores:
            raise BenchError(
                "the cluster has no workers yet", where=address,
                hint=f"dask worker {address}",
            )  # fmt: skip
        # A sample is no pure function: the same cell may be asked again.
        yield client.get_executor(pure=False, retries=0), cores
    finally:
        client.close()
