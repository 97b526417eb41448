"""The counter of a timer with its comparators: a pure state that jumps, not ticks.

Time is counted in two units: *ticks* of the prescaler's input (CK_PSC) and *clocks* of the
counter (CK_CNT), one for each PSC + 1 ticks. Between two update events the counter runs in legs:
straight runs up or down that end in a turn. Any number of clocks is passed leg by leg, whole
periods at once, so a jump costs the same however long it is.

Source: RM0368 §12.3.1-12.3.3 (TIM1), §13.3.1-13.3.2 (TIM2-5), §12.3.9-12.3.10 (compare and PWM).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FOREVER = 1 << 80  # more clocks than any run has
UIF = 1  # SR.UIF; SR.CCxIF of channel index i is CC1IF << i
CC1IF = 2

FROZEN, ACTIVE, INACTIVE, TOGGLE, FORCE_LOW, FORCE_HIGH, PWM1, PWM2 = range(8)  # OCxM
DOWNWARD, UPWARD, EITHER = 1, 2, 3  # as CMS counts them: which matches raise a flag


class Counter:
    """CNT, prescaler, repetition counter and comparators, with shadow and preload registers.

    Names ending in ``_next`` are preload registers; the plain ones are the shadows that act.
    ``flags`` collects UIF and CCxIF; ``updates`` counts update events (also those that URS keeps
    from UIF); ``stopped`` tells that one-pulse mode ended the count.
    """

    __slots__ = (
        "arr", "arr_next", "ccr", "ccr_next", "centre", "clear_held", "cleared", "cnt", "down",
        "fast", "flags", "mask", "matched", "mode", "opm", "outputs", "pre", "psc", "psc_next",
        "rcr", "ref", "rep", "stopped", "udis", "updates", "urs",
    )  # fmt: skip

    def __init__(self, width: int, channels: int) -> None:
        self.mask = (1 << width) - 1
        self.cnt = self.pre = 0
        self.down = False
        self.psc = self.psc_next = 0
        self.arr = self.arr_next = self.mask
        self.rcr = self.rep = 0
        self.centre = 0  # CMS
        self.opm = self.udis = self.urs = False
        self.ccr, self.ccr_next = [0] * channels, [0] * channels
        self.mode, self.ref = [FROZEN] * channels, [0] * channels
        self.outputs = tuple(range(channels))  # channels that compare (the others capture)
        self.flags = self.updates = self.matched = 0
        self.stopped = False
        self.cleared = self.fast = 0  # channels (bits) whose OCxREF is forced until the update
        self.clear_held = False  # ETRF is high: an update does not let go of ``cleared``

    def copy(self) -> Counter:
        """A counter in the same state, to look ahead with."""
        twin = object.__new__(Counter)
        for name in self.__slots__:
            value = getattr(self, name)
            setattr(twin, name, value.copy() if isinstance(value, list) else value)
        return twin

    @property
    def settled(self) -> bool:
        """Whether an update event would load nothing new, and let go of no OCxREF."""
        if self.fast or (self.cleared and not self.clear_held):
            return False
        return self.psc == self.psc_next and self.arr == self.arr_next and self.ccr == self.ccr_next

    # ------------------------------------------------------------------ what software does

    def normalise(self) -> None:
        """Turn at the ends: in centre-aligned mode the counter never stands before a turn."""
        if self.centre and self.arr:
            if self.down and self.cnt == 0:
                self.down = False
            elif not self.down and self.cnt == self.arr:
                self.down = True

    def reinitialise(self) -> None:
        """UG, or a slave's reset: the prescaler clears, the counter starts again, and updates.

        §12.4.6: the counter is cleared in centre-aligned mode or when counting up, else it takes
        the auto-reload value.
        """
        self.update(by_counter=False)
        self.pre = 0
        if self.centre:
            self.down = False
        self.cnt = self.arr if self.down else 0
        self._touch_value()

    def clear(self, channels: int, *, held: bool) -> None:
        """OCxCE: ETRF is high (``held``) or low; ``channels`` (bits) listen to it. §12.3.13."""
        self.clear_held = held
        self.cleared &= channels
        if held:
            self.cleared |= channels
            for i in self.outputs:
                if channels >> i & 1:
                    self.ref[i] = 0

    # ------------------------------------------------------------------ time passes

    def advance(self, ticks: int) -> None:
        """Let ``ticks`` of CK_PSC pass. Stops where one-pulse mode stops."""
        while ticks > 0 and not self.stopped:
            total = self.pre + ticks
            clocks, rest = divmod(total, self.psc + 1)
            bound = FOREVER if self.settled and not self.opm else self.clocks_to_update()
            if clocks < bound:
                self._run(clocks)
                self.pre = rest
                return
            ticks = total - bound * (self.psc + 1)
            self._run(bound)
            self.pre = 0

    def ticks_for(self, clocks: int) -> int:
        """Ticks of CK_PSC until ``clocks`` more of CK_CNT have come."""
        return clocks * (self.psc + 1) - self.pre

    def _run(self, clocks: int) -> None:
        while clocks and self.arr:  # "the counter is blocked while the auto-reload value is null"
            length, event = self._leg(self.cnt, self.down)
            if clocks < length:
                self._sweep(clocks)
                self.cnt += -clocks if self.down else clocks
                return
            self._sweep(length - 1)
            self._turn(event)
            clocks -= length
            period = 2 * self.arr if self.centre else self.arr + 1
            if clocks > period:
                periods = (clocks - 1) // period  # the last turn is made in person
                self._skip(periods)
                clocks -= periods * period

    def _leg(self, cnt: int, down: bool) -> tuple[int, bool]:
        """Clocks to the end of this leg, and whether it ends in an overflow or underflow.

        A counter above its auto-reload value runs on to the end of its width, and wraps silently.
        """
        if self.centre:
            if down:
                return cnt, True
            if cnt < self.arr:
                return self.arr - cnt, True
        elif down:
            return cnt + 1, True
        elif cnt <= self.arr:
            return self.arr - cnt + 1, True
        return self.mask + 1 - cnt, False

    def _sweep(self, clocks: int) -> None:
        """Pass values without a turn, and note who is hit."""
        if clocks <= 0:
            return
        if self.down:
            low, high, way = self.cnt - clocks, self.cnt - 1, DOWNWARD
        else:
            low, high, way = self.cnt + 1, self.cnt + clocks, UPWARD
        for i in self.outputs:
            if low <= self.ccr[i] <= high:
                self._hit(i, 1, way)

    def _turn(self, event: bool) -> None:
        """The clock that ends a leg. Shadows load first, so that the next leg is as expected."""
        if event:
            if not self.centre or not self.down:
                # "When the contents of CCR1 are greater than the contents of ARR, CC1IF goes high
                # on the counter overflow (up, up/down) or underflow (down)" (§12.4.5).
                for i in self.outputs:
                    if self.ccr[i] > self.arr:
                        self._flag(i)
            if self.rep:
                self.rep -= 1
            else:
                self.update(by_counter=True)
        if self.centre and event:
            self.cnt = 0 if self.down else self.arr
            self.down = not self.down
        else:
            self.cnt = self.arr if self.down else 0
        self._touch_value()

    def update(self, *, by_counter: bool) -> None:
        """An update event: preloads act, the repetition counter reloads, UIF rises."""
        self.rep = self.rcr
        if self.udis:
            return
        self.psc, self.arr = self.psc_next, self.arr_next
        self.ccr[:] = self.ccr_next
        self.fast = 0
        if not self.clear_held:
            self.cleared = 0
        self.updates += 1
        if by_counter or not self.urs:
            self.flags |= UIF
        if self.opm:
            self.stopped = True

    def _skip(self, periods: int) -> None:
        """Whole periods at once: only from the start of a leg, and with settled shadows."""
        turns = periods * (2 if self.centre else 1)
        if turns > self.rep:
            beyond = turns - self.rep - 1
            self.rep = self.rcr - beyond % (self.rcr + 1)
            if not self.udis:
                self.updates += 1 + beyond // (self.rcr + 1)
                self.flags |= UIF
        else:
            self.rep -= turns
        for i in self.outputs:
            if self.ccr[i] > self.arr:
                self._flag(i)
            elif self.centre and 0 < self.ccr[i] < self.arr:
                self._hit(i, periods, UPWARD)
                self._hit(i, periods, DOWNWARD)
            else:
                self._hit(i, periods, EITHER)

    def _touch_value(self) -> None:
        for i in self.outputs:
            if self.ccr[i] == self.cnt:
                self._hit(i, 1, EITHER)

    def _flag(self, i: int) -> None:
        self.flags |= CC1IF << i
        self.matched |= CC1IF << i

    def _hit(self, i: int, times: int, way: int) -> None:
        # CMS: flags only when counting down (1), up (2), both (3). At the ends both ways meet.
        if not self.centre or self.centre & way:
            self._flag(i)
        if self.cleared >> i & 1:
            return
        mode = self.mode[i]
        if mode == TOGGLE:
            self.ref[i] ^= times & 1
        elif mode in (ACTIVE, INACTIVE):
            self.ref[i] = int(mode == ACTIVE)

    # ------------------------------------------------------------------ what it gives

    def reference(self, i: int) -> int:
        """OCxREF of channel index ``i``."""
        mode = self.mode[i]
        if self.cleared >> i & 1 and mode not in (FORCE_LOW, FORCE_HIGH):
            return 0
        if self.fast >> i & 1 and mode >= PWM1:  # as if the comparison had matched
            return int((mode == PWM2) != self.down)
        return self._reference(i, self.cnt, self.down, self.ref[i])

    def _reference(self, i: int, cnt: int, down: bool, latched: int) -> int:
        mode = self.mode[i]
        if mode >= PWM1:
            active = cnt <= self.ccr[i] if down else cnt < self.ccr[i]
            return active ^ (mode == PWM2)
        if mode >= FORCE_LOW:
            return mode - FORCE_LOW
        return latched

    # ------------------------------------------------------------------ looking ahead

    def clocks_to_event(self) -> int:
        """Clocks to the next overflow or underflow."""
        if not self.arr:
            return FOREVER
        length, event = self._leg(self.cnt, self.down)
        if not event:
            length += self.arr if self.centre else self.arr + 1
        return length

    def clocks_to_update(self) -> int:
        """Clocks to the next update event by counting; FOREVER when there will be none."""
        if self.udis or not self.arr:
            return FOREVER
        return self.clocks_to_event() + self.rep * (self.arr if self.centre else self.arr + 1)

    def _points(self, c: int) -> Iterator[tuple[int, int, bool, int, bool]]:
        """Where a comparator with value ``c`` may change its mind.

        Gives (clocks from now, CNT, down, way of the match or 0, flag for a value beyond ARR), for
        some legs ahead, as if no preload were waiting.
        """
        if not self.arr:
            return
        clocks, cnt, down = 0, self.cnt, self.down
        for _ in range(9):
            length, event = self._leg(cnt, down)
            steps = cnt - c if down else c - cnt
            if 0 < steps < length:
                yield clocks + steps, c, down, DOWNWARD if down else UPWARD, False
            clocks += length
            beyond = event and c > self.arr and not (self.centre and down)
            if self.centre and event:
                cnt, down = (0, False) if down else (self.arr, True)
            else:
                cnt = self.arr if down else 0
            yield clocks, cnt, down, EITHER if cnt == c else 0, beyond

    def clocks_to_flag(self, i: int) -> int:
        """Clocks until channel ``i`` would raise CCxIF."""
        for clocks, _, _, way, beyond in self._points(self.ccr[i]):
            if beyond or (way and (not self.centre or self.centre & way)):
                return clocks
        return FOREVER

    def changes(self, i: int) -> list[int]:
        """Clocks to the next changes of OCxREF of channel ``i``: at most three."""
        mode = self.mode[i]
        if mode in (FROZEN, FORCE_LOW, FORCE_HIGH) or (self.cleared | self.fast) >> i & 1:
            return []
        now = latched = self.reference(i)
        found: list[int] = []
        for clocks, cnt, down, way, _ in self._points(self.ccr[i]):
            if way and mode <= TOGGLE:
                latched = latched ^ 1 if mode == TOGGLE else int(mode == ACTIVE)
            new = self._reference(i, cnt, down, latched)
            if new != now:
                now = new
                found.append(clocks)
                if len(found) == 3:
                    break
        return found
