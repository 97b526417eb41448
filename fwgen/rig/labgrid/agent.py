"""Borrows a place of labgrid's, for as long as its standard input is open.

labgrid's own Python runs this file, in an environment without fwgen: it imports labgrid and the
standard library. One order comes in as a line of JSON, answers go out as lines of JSON::

    <- {"coordinator": "host:20408", "place": "p1", "tags": {}, "wait_s": 0}
    -> {"event": "waiting", "for": "p1", "holders": {"p1": "host/user"}}      when it has to
    -> {"event": "have", "place": "p1", "kept": false, "tags": {}, "resources": [...]}
    <- {"output": "b1", "on": true}                          as often as wanted
    -> {"event": "set"}                                      or {"event": "not set", "why": ...}
    <- end of input
    -> {"event": "released"}

or {"event": "error", "why": ..., ...} at any point; ``lease`` makes sentences of these.
A place that this user had acquired before is used as it is, and left to him: ``kept``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CONNECT_S = 10.0  # for the coordinator to answer
FIRST_POLL_S, LONGEST_POLL_S = 0.1, 2.0  # between two questions about a reservation
CLOSE_S = 5.0  # for saying goodbye


class Refused(Exception):  # noqa: N818 - what happened, not an error of ours
    """It cannot be done; ``facts`` say why."""

    def __init__(self, why: str, **facts: Any) -> None:
        super().__init__(why)
        self.facts = {"why": why, **facts}


def say(event: str, **facts: Any) -> None:
    """One line to who started us."""
    print(json.dumps({"event": event, **facts}), flush=True)  # noqa: T201 - it is the protocol


class Agent:
    """A session with the coordinator, and what was borrowed through it."""

    def __init__(self, session: Any, order: dict[str, Any]) -> None:
        from labgrid.remote.generated import labgrid_coordinator_pb2 as messages

        self.session, self.stub, self.messages = session, session.stub, messages
        self.order = order
        self._outputs: dict[str, Any] = {}
        self.me = f"{session.gethostname()}/{session.getuser()}"

    # ------------------------------------------------------------------ choosing

    @contextlib.asynccontextmanager
    async def borrowed(self) -> AsyncIterator[tuple[Any, bool]]:
        """The place, and whether it was ours before."""
        named = self._named() if self.order["place"] else None
        if named is not None and self._is_ours(named):
            yield named, True
            return
        filters = {"name": named.name} if named is not None else self.order["tags"]
        places = [named] if named is not None else self._with_tags(filters)
        async with self._reserved(filters, places) as name:
            place = self.session.places[name]
            self._check_complete(place)
            try:
                await self._acquire(place)
            except asyncio.CancelledError:  # it may have been done already
                await self._release(place)
                raise
            try:
                yield place, False
            finally:
                await self._release(place)

    def _is_ours(self, place: Any) -> bool:
        return bool(place.acquired) and (place.acquired == self.me or self.me in place.allowed)

    def _named(self) -> Any:
        name = self.order["place"]
        places = self.session.places
        if name in places:
            return places[name]
        user = self.session.getuser()
        found = [p for p in places.values() if {name, f"{user}:{name}"} & set(p.aliases)]
        if len(found) != 1:
            raise Refused("no such place", place=name, places=sorted(places))
        return found[0]

    def _with_tags(self, tags: dict[str, str]) -> list[Any]:
        places = self.session.places
        found = [
            p for p in places.values() if tags.items() <= {**p.tags, "name": p.name}.items()
        ]  # fmt: skip
        if not found:
            known = {name: dict(place.tags) for name, place in sorted(places.items())}
            raise Refused("no place has the tags", tags=tags, places=known)
        return found

    # ------------------------------------------------------------------ reserving, acquiring

    @contextlib.asynccontextmanager
    async def _reserved(self, filters: dict[str, str], places: list[Any]) -> AsyncIterator[str]:
        """A place that the coordinator's queue has given us."""
        from labgrid.remote.common import Reservation

        kind = self.messages.Reservation.Filter
        request = self.messages.CreateReservationRequest(
            filters={"main": kind(filter=filters)}, prio=0.0
        )
        made = Reservation.from_pb2((await self.stub.CreateReservation(request)).reservation)
        try:
            yield await self._allocated(made.token, places)
        finally:
            with contextlib.suppress(Exception):  # it expires by itself
                await self.stub.CancelReservation(
                    self.messages.CancelReservationRequest(token=made.token)
                )

    async def _allocated(self, token: str, places: list[Any]) -> str:
        from labgrid.remote.common import Reservation, ReservationState

        deadline = time.monotonic() + self.order["wait_s"]
        pause, told = FIRST_POLL_S, False
        while True:
            request = self.messages.PollReservationRequest(token=token)
            state = Reservation.from_pb2((await self.stub.PollReservation(request)).reservation)
            if state.state is ReservationState.allocated:
                return str(state.allocations["main"][0])
            if state.state is not ReservationState.waiting:
                raise Refused("reservation lost", state=state.state.name)
            if time.monotonic() >= deadline:
                raise Refused("taken", holders=self._holders(places))
            if not told:
                say("waiting", holders=self._holders(places))
                told = True
            await asyncio.sleep(min(pause, max(0.01, deadline - time.monotonic())))
            pause = min(2 * pause, LONGEST_POLL_S)

    def _holders(self, places: list[Any]) -> dict[str, str]:
        """Who has what we want, by place; "" for one that is reserved and not yet acquired."""
        return {p.name: p.acquired or "" for p in places}

    def _check_complete(self, place: Any) -> None:
        """All that the place is made of is exported by somebody."""
        paths = [path for path, _ in self._all_resources()]
        missing = place.unmatched(paths)
        if not place.matches:
            raise Refused("empty", place=place.name)
        if missing:
            raise Refused("not exported", place=place.name, match=repr(missing))

    async def _acquire(self, place: Any) -> None:
        import grpc

        try:
            await self.stub.AcquirePlace(self.messages.AcquirePlaceRequest(placename=place.name))
        except grpc.aio.AioRpcError as error:
            others = {
                "/".join(path): resource.acquired
                for path, resource in self._all_resources()
                if resource.acquired and place.getmatch(path) is not None
            }
            raise Refused(
                "not acquired", place=place.name, said=error.details(), others=others
            ) from error
        await self.session.sync_with_coordinator()

    async def _release(self, place: Any) -> None:
        request = self.messages.ReleasePlaceRequest(placename=place.name, fromuser=self.me)
        await self.stub.ReleasePlace(request)

    # ------------------------------------------------------------------ what is in it

    def _all_resources(self) -> list[tuple[tuple[str, str, str, str], Any]]:
        found = []
        for exporter, groups in sorted(self.session.resources.items()):
            for group, resources in sorted(groups.items()):
                for name, entry in sorted(resources.items()):
                    if "cls" in entry.data:  # else it is gone
                        found.append(((exporter, group, entry.cls, name), entry))
        return found

    def contents(self, place: Any) -> list[dict[str, Any]]:
        """The place's resources, with the address at which each is reached from here."""
        there = dict(self._all_resources())
        found = []
        for path in map(tuple, place.acquired_resources):
            entry = there.get(path)
            if entry is None or not entry.avail:
                raise Refused("gone", place=place.name, resource="/".join(path), exporter=path[0])
            match = place.getmatch(path)
            params = {key: value for key, value in entry.params.items() if key != "extra"}
            described = {"name": match.rename or path[3], "cls": entry.cls, "params": params}
            if isinstance(params.get("host"), str) and isinstance(params.get("port"), int):
                described["address"] = self._address(entry)
            found.append(described)
        return found

    def switch(self, place: Any, output: str, *, on: bool) -> None:
        """Set a digital output of the place, through labgrid's own driver; it may take a while."""
        if output not in self._outputs:
            self._outputs[output] = self._driver(place, output)
        self._outputs[output].set(on)

    def _driver(self, place: Any, output: str) -> Any:
        """The driver of a resource that is a digital output, made for it alone."""
        from labgrid import Target
        from labgrid.factory import target_factory

        there = dict(self._all_resources())
        found = {}
        for path in map(tuple, place.acquired_resources):
            entry = there.get(path)
            if entry is not None and (driver := _output_driver(entry.cls)):
                match = place.getmatch(path)
                found[match.rename or path[3]] = (entry, driver)
        if output not in found:
            raise Refused("no output", place=place.name, output=output, outputs=sorted(found))
        entry, driver = found[output]
        target = Target(f"{place.name} {output}")
        resource = target_factory.make_resource(target, entry.cls, output, dict(entry.args))
        resource.avail, resource.extra = entry.avail, entry.extra
        made = target_factory.make_driver(target, driver, None, {})
        target.activate(made)
        return made

    def _address(self, entry: Any) -> list[Any]:
        """Host and port; through ssh where the exporter says that it takes that."""
        from labgrid.resource.common import NetworkResource
        from labgrid.util.proxy import proxymanager

        resource = NetworkResource(None, None, host=entry.params["host"])
        resource.extra = entry.extra
        try:
            return list(
                proxymanager.get_host_and_port(resource, default_port=entry.params["port"])
            )  # fmt: skip
        except Exception as error:
            raise Refused(
                "no tunnel", host=entry.params["host"], proxy=entry.extra.get("proxy", ""),
                said=what_ssh_said(str(error)),
            ) from error  # fmt: skip


def what_ssh_said(text: str) -> str:
    """What labgrid quotes is all that it ran; the last line of what came of it tells most."""
    quoted = [found for found in re.findall(r"b'((?:[^'\\]|\\.)*)'", text) if found]
    lines = quoted[-1].replace("\\r", "").split("\\n") if quoted else [text]
    said = [line.strip() for line in lines if line.strip()]
    return " ".join(said[-1].split()) if said else "it fails"


def _output_driver(resource: str) -> str | None:
    """Labgrid's driver that makes a digital output of nothing but such a resource."""
    import labgrid.driver  # noqa: F401 - that it knows its drivers
    from labgrid.factory import target_factory
    from labgrid.protocol import DigitalOutputProtocol

    for name, driver in sorted(target_factory.drivers.items()):
        if not issubclass(driver, DigitalOutputProtocol) or len(driver.bindings) != 1:
            continue
        (bound,) = driver.bindings.values()
        kinds = bound if isinstance(bound, set) else {bound}
        if resource in {kind if isinstance(kind, str) else kind.__name__ for kind in kinds if kind}:
            return str(name)
    return None


async def until_told(lines: asyncio.StreamReader, orders: asyncio.Queue[dict[str, Any]]) -> None:
    """Until who started us closes our input, or is gone; what he orders until then is queued."""
    while line := await lines.readline():
        with contextlib.suppress(ValueError):
            orders.put_nowait(json.loads(line))


async def work(lines: asyncio.StreamReader) -> None:
    """Obey the order that comes in."""
    try:
        import grpc
        from labgrid.remote.client import ClientSession
        from labgrid.util.proxy import proxymanager
    except ImportError as error:
        raise Refused("no labgrid", said=str(error), python=sys.executable) from error
    order = json.loads(await lines.readline())
    coordinator = order["coordinator"]
    try:
        address = proxymanager.get_grpc_address(coordinator, default_port=20408)
    except Exception as error:
        raise Refused("no address", coordinator=coordinator, said=str(error)) from error
    session = ClientSession(address, asyncio.get_running_loop())
    try:
        try:
            await asyncio.wait_for(session.start(), CONNECT_S)
        except Exception as error:
            raise Refused("unreachable", coordinator=address) from error
        agent = Agent(session, order)
        orders: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        asking = asyncio.ensure_future(until_told(lines, orders))
        try:
            await _serve(agent, asking, orders)
        except grpc.aio.AioRpcError as error:
            why = "unreachable" if error.code() is grpc.StatusCode.UNAVAILABLE else "server"
            raise Refused(why, coordinator=address, said=error.details()) from error
        finally:
            asking.cancel()
    finally:
        with contextlib.suppress(Exception):
            await asyncio.wait_for(session.stop(), CLOSE_S)
        with contextlib.suppress(Exception):
            await asyncio.wait_for(session.close(), CLOSE_S)


async def _serve(
    agent: Agent, asking: asyncio.Future[None], orders: asyncio.Queue[dict[str, Any]]
) -> None:
    """Borrow, tell, wait, give back; who is no longer there to be told ends the waiting, too."""
    holding = agent.borrowed()
    entering = asyncio.ensure_future(holding.__aenter__())
    await asyncio.wait((entering, asking), return_when=asyncio.FIRST_COMPLETED)
    if not entering.done():
        entering.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await entering
        return
    place, kept = await entering
    try:
        resources = agent.contents(place)
        say("have", place=place.name, kept=kept, tags=dict(place.tags), resources=resources)
        obeying = asyncio.ensure_future(_obey(agent, place, orders))
        await asking
        obeying.cancel()
        await asyncio.wait((obeying,))  # an output that is being set will have been
    finally:
        await holding.__aexit__(None, None, None)
    say("released")


async def _obey(agent: Agent, place: Any, orders: asyncio.Queue[dict[str, Any]]) -> None:
    """Set outputs as they are asked for, one after the other."""
    while True:
        order = await orders.get()
        setting = asyncio.to_thread(agent.switch, place, order["output"], on=bool(order["on"]))
        try:
            await asyncio.shield(setting)
        except Refused as refused:
            say("not set", **refused.facts)
        except Exception as error:  # noqa: BLE001 - whatever a driver raises is told
            say("not set", why="output", output=order["output"], said=str(error))
        else:
            say("set")


async def main() -> int:
    """Obey, and tell what stood in the way."""
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
    )
    try:
        await work(lines)
    except Refused as refused:
        say("error", **refused.facts)
        return 1
    return 0


if __name__ == "__main__":
    logging.disable(logging.ERROR)  # what went wrong is told in the protocol
    sys.exit(asyncio.run(main()))
