/* Timers that count up, edge-aligned, with nothing preloaded and no outputs (RM0368 §12 to §14), as
 * machine/stm32/tim_v1/timer.py and counter.py have them. For service.c.
 */
#include "service.h"

#ifdef __SIZEOF_INT128__

enum { AT_DIER = 0x0C, AT_SR = 0x10, AT_CNT = 0x24 };
static int64_t turns(int64_t clocks, int64_t phase, int64_t period) {
    const int64_t past = clocks - phase;
    return past >= 0 ? past / period : -1;
}

/* The clocks of the counter up to now; flags follow. */
static void sync(Service *s, int k, int64_t t_ps) {
    const Timer *timer = &s->timers[k];
    Beat *beat = &s->course.beats[k];
    const int64_t past = fwgen_ticks_at(&timer->clock, t_ps) - timer->origin;
    const int64_t now = past / timer->prescale;
    int f;
    if (past < 0 || now <= beat->at)
        return;
    for (f = 0; f < FLAGS; f++)
        if (timer->phases[f] >= 0 && turns(now, timer->phases[f], timer->period) >
                                         turns(beat->at, timer->phases[f], timer->period))
            beat->sr |= (int64_t)1 << f;
    beat->at = now;
}

/* Tell its interrupt, and when the next will be. */
static void settle(Service *s, int k, int64_t t_ps) {
    const Timer *timer = &s->timers[k];
    Beat *beat = &s->course.beats[k];
    const int64_t waiting = beat->dier & ~beat->sr;
    int64_t first = -1, next_ps = -1;
    int f;
    fwgen_line(s, FIRST_TIMER + k, (beat->sr & beat->dier) != 0, t_ps);
    for (f = 0; f < FLAGS; f++) {
        int64_t at;
        if (!(waiting >> f & 1) || timer->phases[f] < 0)
            continue;
        at = (turns(beat->at, timer->phases[f], timer->period) + 1) * timer->period +
             timer->phases[f];
        if (first < 0 || at < first)
            first = at;
    }
    if (first >= 0)
        next_ps = fwgen_time_of(&timer->clock, timer->origin + first * timer->prescale);
    if (next_ps == beat->next_ps)
        return;
    beat->next_ps = next_ps;
    beat->order = ++s->course.asked;
}

void fwgen_timers_next(const Service *s, Next *next) {
    int k;
    for (k = 0; k < TIMERS; k++)
        if (s->timers[k].base && s->course.beats[k].next_ps >= 0)
            fwgen_sooner(next, BEAT + k, s->course.beats[k].next_ps, s->course.beats[k].order);
}

int fwgen_timer_happens(Service *s, int k, int64_t t_ps) {
    s->course.beats[k].next_ps = -1;
    sync(s, k, t_ps);
    settle(s, k, t_ps);
    return 1;
}

int fwgen_timer_load(Service *s, int k, uint32_t offset, int64_t t_ps, uint32_t *value) {
    const Timer *timer = &s->timers[k];
    Beat *beat = &s->course.beats[k];
    if (offset & 3 || offset / 4 >= TIMER_REGISTERS)
        return 0;
    sync(s, k, t_ps);
    switch (offset) {
    case AT_SR:
        beat->read_ps = t_ps;
        *value = (uint32_t)beat->sr;
        return 1;
    case AT_DIER:
        *value = (uint32_t)beat->dier;
        return 1;
    case AT_CNT:
        *value = (uint32_t)(beat->at % timer->period);
        return 1;
    default:
        *value = timer->held[offset / 4];
        return (int)timer->known[offset / 4];
    }
}

int fwgen_timer_store(
    Service *s, int k, uint32_t offset, uint32_t value, uint32_t mask, int64_t t_ps) {
    Beat *beat = &s->course.beats[k];
    if (offset == AT_DIER) {
        const int64_t written = ((uint32_t)beat->dier & ~mask) | (value & mask);
        if (written & ~s->timers[k].interrupts)
            return 0;
        sync(s, k, t_ps);
        beat->dier = written;
    } else if (offset == AT_SR) {
        sync(s, k, t_ps);
        beat->sr &= ~(int64_t)(s->timers[k].cleared_by_0 & ~value & mask);
    } else {
        return 0;
    }
    settle(s, k, t_ps);
    return 1;
}

#endif
