"""Tells a coordinator of places, all in one session. labgrid's own Python runs this.

``python places.py COORDINATOR`` reads {"place": {"match": PATTERN, "tags": {...}}} from its input.
"""

from __future__ import annotations

import asyncio
import json
import sys

from labgrid.remote.client import ClientSession
from labgrid.remote.generated import labgrid_coordinator_pb2 as messages


async def main(coordinator: str) -> None:
    session = ClientSession(coordinator, asyncio.get_running_loop())
    await session.start()
    for name, place in json.load(sys.stdin).items():
        await session.stub.AddPlace(messages.AddPlaceRequest(name=name))
        for pattern in place.get("match", []):
            await session.stub.AddPlaceMatch(
                messages.AddPlaceMatchRequest(placename=name, pattern=pattern)
            )
        await session.stub.SetPlaceTags(
            messages.SetPlaceTagsRequest(placename=name, tags=place.get("tags", {}))
        )
    await session.stop()
    await session.close()


asyncio.run(main(sys.argv[1]))
