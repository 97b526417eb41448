"""How many places of a coordinator were acquired at once, at most. labgrid's own Python runs this.

``python held.py COORDINATOR`` says "watching", and at the end of its input the number.
"""

from __future__ import annotations

import asyncio
import sys

from labgrid.remote.client import ClientSession

LOOK_S = 0.05


async def main(coordinator: str) -> None:
    loop = asyncio.get_running_loop()
    session = ClientSession(coordinator, loop)
    await session.start()
    ended = loop.run_in_executor(None, sys.stdin.read)
    print("watching", flush=True)  # noqa: T201
    most = 0
    while not ended.done():
        held = sum(bool(place.acquired) for place in session.places.values())
        most = max(most, held)
        await asyncio.wait((ended,), timeout=LOOK_S)
    print(most, flush=True)  # noqa: T201
    await session.stop()
    await session.close()


asyncio.run(main(sys.argv[1]))
