"""Machine traces as a rig would see them: looked at now and then, at moments not quite known."""

from __future__ import annotations

import random
from dataclasses import replace

from fwgen.rig.looks import Looks
from fwgen.trace import Edge, Heard, SerialByte, Stimulated, Trace, Watched

US = 10**6


def through_a_rig(
    trace: Trace,
    *,
    every_ps: int,
    seed: int,
    pins: tuple[str, ...],
    hiccups: int = 0,
    port_blur_ps: int = 0,
    zero_ps: int = 0,
) -> Trace:
    """A trace of the same run by a bench that looks at ``pins`` every ``every_ps`` or so.

    Each look takes a fifth of that and sees the pin at a random moment within; looks come at
    random moments, too, and ``hiccups`` of them only after twenty times as long. Bytes come
    ``port_blur_ps`` early or late at the most. The bench's clock is off by up to ``zero_ps``.
    """
    chance = random.Random(seed)
    shift = chance.randint(-zero_ps, zero_ps)

    def here(t_ps: int) -> int:
        return max(0, t_ps + shift)

    span = trace.span_ps - zero_ps - 1
    late = set(chance.sample(range(1, max(2, span // every_ps)), k=hiccups)) if hiccups else set()
    looks = {pin: Looks(pin, trace.initial.get(pin), -zero_ps) for pin in pins}
    t, i, taken = 0, 0, every_ps // 5
    while t < span:
        away = every_ps * (20 if i in late else 1)
        t += chance.randint(away * 2 // 5, away * 3 // 5)
        i += 1
        for pin in pins:
            seen_at = chance.randint(t, t + taken)
            if seen_at - shift >= trace.span_ps:
                break
            looks[pin].look(t, t + taken, trace.level(pin, max(0, seen_at - shift)))
            t += taken
    events = [edge for pin in pins for edge in looks[pin].edges]
    told = []
    last: dict[tuple[str, str], int] = {}
    for event in trace.events:
        if isinstance(event, SerialByte):
            off = chance.randint(-port_blur_ps, port_blur_ps)
            # Bytes never overtake each other.
            key = event.port, event.direction
            end = last[key] = max(last.get(key, 0), here(event.t_ps) + off)
            start = max(0, end - (event.t_ps - event.start_ps))
            told.append(replace(event, t_ps=end, start_ps=start))
        elif isinstance(event, Stimulated):
            told.append(replace(event, t_ps=here(event.t_ps)))
        elif not isinstance(event, Edge) and hasattr(event, "pc"):
            told.append(event)
    ports = {event.port for event in trace.of(SerialByte)} | {"USART2"}
    watched = Watched(
        pins={pin: look.sampled() for pin, look in looks.items()},
        ports={port: Heard(port_blur_ps, 115_200) for port in sorted(ports)},
        zero_ps=zero_ps,
        core=True,
    )
    return Trace(
        "rig",
        trace.board,
        min(look.until_ps for look in looks.values()),
        tuple(sorted([*events, *told], key=lambda e: e.t_ps)),
        {pin: trace.initial.get(pin) for pin in pins},
        watched=watched,
    )
