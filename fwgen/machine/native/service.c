/* A core and a serial port that interrupts it, with two DMA streams and SysTick, for as long as
 * nothing else happens: without the engine. Python (machine/armv7m/services.py) says when all that
 * matters is what stands here, and goes on from the last state that was kept.
 *
 * The core is as armv7m/core.py's run loop, sleeper.py and entry.py have it; the rest is in port.c
 * and streams.c. Whatever is not told there is refused: then what came after the last state that
 * was kept is as if it had not been.
 */
#include "service.h"

#include <string.h>

enum { PADDED = 1 << 9, LATE_CYCLES = 2, TAIL_CHAIN = 6, PATIENCE = 1 << 20 };
enum { TO_HANDLER = 0xF1, SYSTICK_BASE = 0xE000E010, BLOCK = 0x400 }; /* of a peripheral */
/* Cycles awake without an event; beyond that the engine, which skips loops, is better. */
enum { LONGEST = 1 << 16, THREAD = 256 };

FWGEN_PUBLIC int64_t fwgen_service_layout(void) {
    return (int64_t)sizeof(Service) << 32 | (int64_t)sizeof(Course);
}

#ifdef __SIZEOF_INT128__

int64_t fwgen_time_of(const Clock *clock, int64_t tick) {
    return clock->time0 + (int64_t)((__int128)(tick - clock->ticks0) * clock->den / clock->num);
}

int64_t fwgen_ticks_at(const Clock *clock, int64_t t_ps) {
    __int128 parts = (__int128)(t_ps - clock->time0 + 1) * clock->num;
    return clock->ticks0 + (int64_t)((parts + clock->den - 1) / clock->den) - 1;
}

int64_t fwgen_cycle_of(const Clock *clock, int64_t t_ps) {
    int64_t tick = fwgen_ticks_at(clock, t_ps);
    return fwgen_time_of(clock, tick) >= t_ps ? tick : tick + 1;
}

int fwgen_refuse(Service *s, uint32_t why) {
    s->hart.why = why;
    s->hart.where = s->hart.r[15];
    return 0;
}

int fwgen_tell(Service *s, int kind, int64_t t_ps, int64_t start_ps, int about) {
    Happened *one;
    if (s->course.happened >= s->room)
        return fwgen_refuse(s, NO_ROOM_TO_TELL);
    one = &s->told[s->course.happened++];
    one->t_ps = t_ps;
    one->start_ps = start_ps;
    one->kind = kind | (int64_t)about << 8;
    return 1;
}

/* ------------------------------------------------------------------ memory */

uint8_t *fwgen_memory(
    const Service *s, uint32_t address, uint32_t size, int writable, int32_t *which) {
    int32_t n;
    for (n = 0; n < s->hart.area_count; n++) {
        const Area *area = &s->hart.areas[n];
        if (address >= area->base && area->size >= size &&
            address - area->base <= area->size - size) {
            if (writable && !area->writable)
                return NULL;
            if (which)
                *which = n;
            return area->data + (address - area->base);
        }
    }
    return NULL;
}

int fwgen_note(Service *s, uint32_t address, const uint8_t *at, uint32_t size) {
    Hart *hart = &s->hart;
    Undo *undo;
    if (hart->undone >= hart->undo_size)
        return 0;
    undo = &hart->undo[hart->undone++];
    undo->address = address;
    undo->size = (int32_t)size;
    undo->before = 0;
    memcpy(&undo->before, at, size);
    return 1;
}

static int pop(Service *s, uint32_t address, uint32_t *value) {
    const uint8_t *at = fwgen_memory(s, address, 4, 1, NULL);
    if (!at)
        return fwgen_refuse(s, BAD_STACK);
    memcpy(value, at, 4);
    return 1;
}

static int push(Service *s, uint32_t address, uint32_t value) {
    uint8_t *at = fwgen_memory(s, address, 4, 1, NULL);
    if (!at || !fwgen_note(s, address, at, 4))
        return fwgen_refuse(s, BAD_STACK);
    memcpy(at, &value, 4);
    return 1;
}

/* ------------------------------------------------------------------ what is pending */

static int active_group(const Course *c, const Service *s) {
    int n, group = THREAD;
    for (n = 0; n < c->depth; n++)
        if (s->lines[c->nested[n].line].group < group)
            group = s->lines[c->nested[n].line].group;
    return group;
}

/* What would be taken now if PRIMASK were clear, which is what ends WFI; -1: nothing. The lowest
 * priority value, then number (B1.5.4). */
static int waking(const Service *s) {
    const Course *c = &s->course;
    int n, best = -1;
    if (!c->pending)
        return -1;
    for (n = 0; n < LINES; n++) {
        const Line *one = &s->lines[n];
        if (c->pending >> n & 1 &&
            (best < 0 || one->priority < s->lines[best].priority ||
             (one->priority == s->lines[best].priority && one->number < s->lines[best].number)))
            best = n;
    }
    return s->lines[best].group < active_group(c, s) ? best : -1;
}

static int preempting(const Service *s) { return s->hart.primask ? -1 : waking(s); }

void fwgen_pend(Service *s, int line) {
    s->course.pending |= 1 << line;
    s->hart.attend = 1;
}

void fwgen_line(Service *s, int line, int level, int64_t t_ps) {
    Course *c = &s->course;
    if ((c->levels >> line & 1) == level)
        return;
    c->levels ^= 1 << line;
    if (level)
        fwgen_pend(s, line);
    else
        c->fell_ps[line] = t_ps;
}

/* ------------------------------------------------------------------ time */

void fwgen_sooner(Next *next, int what, int64_t t_ps, int64_t order) {
    if (t_ps < next->t_ps || (next->what && t_ps == next->t_ps && order < next->order)) {
        next->what = what;
        next->t_ps = t_ps;
        next->order = order;
    }
}

/* What happens next by itself, and when; NOTHING before ``until_ps``. */
static Next following(const Service *s) {
    Next next = {NOTHING, s->until_ps, 0};
    fwgen_port_next(s, &next);
    fwgen_dma_next(s, &next);
    fwgen_ticks_next(s, &next);
    fwgen_timers_next(s, &next);
    return next;
}

static int happen(Service *s, const Next *next) {
    s->course.now_ps = next->t_ps;
    switch (next->what) {
    case STEP_OVER:
        return fwgen_dma_happens(s, next->t_ps);
    case TICK:
        return fwgen_ticks_happen(s, next->t_ps);
    default:
        if (next->what >= BEAT)
            return fwgen_timer_happens(s, next->what - BEAT, next->t_ps);
        return fwgen_port_happens(s, next->what, next->t_ps);
    }
}

static int catch_up(Service *s, int64_t t_ps) {
    for (;;) {
        const Next next = following(s);
        if (!next.what || next.t_ps > t_ps)
            break;
        if (!happen(s, &next))
            return 0;
    }
    if (s->course.now_ps < t_ps)
        s->course.now_ps = t_ps;
    return t_ps < s->until_ps;
}

/* By when the core must look, in cycles. */
static void set_due(Service *s) { s->hart.due = fwgen_cycle_of(&s->hclk, following(s).t_ps); }

static int which(const Service *s, uint32_t address) {
    int n;
    for (n = 0; s->base && n < REGISTERS; n++)
        if (address == s->base + s->offsets[n])
            return n;
    return -1;
}

static int of_dma(const Service *s, uint32_t address) {
    return s->dma_base && address - s->dma_base < BLOCK && !(address & 3);
}

static int of_ticks(const Service *s, uint32_t address) {
    return s->counts && address - SYSTICK_BASE < 16 && !(address & 3) &&
           !(s->unprivileged && !s->course.depth);
}

/* Which port of pins an address is of; -1: of none. */
static int of_pins(const Service *s, uint32_t address) {
    int n;
    for (n = 0; n < PORTS; n++)
        if (s->pads[n].base && address - s->pads[n].base < BLOCK)
            return n;
    return -1;
}

/* Which timer an address is of; -1: of none. */
static int of_timer(const Service *s, uint32_t address) {
    int n;
    for (n = 0; n < TIMERS; n++)
        if (s->timers[n].base && address - s->timers[n].base < BLOCK)
            return n;
    return -1;
}

static int load(void *world, uint32_t address, int size, int64_t cycle, uint32_t *value) {
    Service *s = world;
    Course *c = &s->course;
    const int64_t t_ps = fwgen_time_of(&s->hclk, cycle);
    const int n = which(s, address), port = of_pins(s, address), timer = of_timer(s, address);
    if (!catch_up(s, t_ps))
        return 0;
    if (n >= 0) {
        if (s->tells[n])
            c->asked_ps = t_ps;
        if (n == SR)
            c->port_read_ps = t_ps;
        if (!fwgen_port_load(s, n, t_ps, value))
            return 0;
    } else if (of_dma(s, address)) {
        if (!fwgen_dma_load(s, address - s->dma_base, value))
            return 0;
        c->asked_ps = t_ps;
        if (address - s->dma_base < 8) /* LISR, HISR */
            c->dma_read_ps = t_ps;
    } else if (of_ticks(s, address)) {
        if (size != 4 || !fwgen_ticks_load(s, address - SYSTICK_BASE, t_ps, value))
            return 0;
        c->asked_ps = t_ps;
    } else if (port >= 0) {
        if (!fwgen_pins_load(s, port, address - s->pads[port].base, t_ps, value))
            return 0;
    } else if (timer >= 0) {
        if (!fwgen_timer_load(s, timer, address - s->timers[timer].base, t_ps, value))
            return 0;
        c->asked_ps = t_ps;
    } else {
        s->wanted = address;
        return 0;
    }
    set_due(s);
    if (size < 4)
        *value &= (1u << (8 * size)) - 1;
    return 1;
}

static int store(void *world, uint32_t address, int size, int64_t cycle, uint32_t value) {
    Service *s = world;
    const int64_t t_ps = fwgen_time_of(&s->hclk, cycle);
    const uint32_t mask = size < 4 ? (1u << (8 * size)) - 1 : 0xFFFFFFFFu;
    const int n = which(s, address), port = of_pins(s, address), timer = of_timer(s, address);
    if (!catch_up(s, t_ps))
        return 0;
    if (n >= 0) {
        if (!fwgen_port_store(s, n, value, mask, t_ps))
            return 0;
    } else if (timer >= 0) {
        if (!fwgen_timer_store(s, timer, address - s->timers[timer].base, value, mask, t_ps))
            return 0;
    } else if (size != 4) {
        return 0;
    } else if (of_dma(s, address)) {
        if (!fwgen_dma_store(s, address - s->dma_base, value, t_ps))
            return 0;
    } else if (port >= 0) {
        if (!fwgen_pins_store(s, port, address - s->pads[port].base, value, t_ps))
            return 0;
    } else {
        s->wanted = address;
        return 0;
    }
    set_due(s);
    return 1;
}

/* ------------------------------------------------------------------ the core */

static int64_t now_of(const Service *s) {
    return fwgen_time_of(&s->hclk, s->hart.cycle + s->hart.cost);
}

/* Where an exception begins or ends: the exclusive monitor is closed there. */
static void go_to(Service *s, uint32_t address) {
    s->hart.exclusive = CLOSED;
    s->hart.r[15] = address;
    s->hart.start = s->hart.end = address;
}

static void handle(Service *s, int line, uint32_t frame, uint32_t sp, uint32_t link) {
    Course *c = &s->course;
    c->pending &= ~(1 << line);
    c->asked_ps = c->entered_ps[line] = now_of(s);
    c->nested[c->depth].line = line;
    c->nested[c->depth++].frame = frame;
    s->hart.r[13] = sp;
    s->hart.r[14] = link;
    go_to(s, s->lines[line].handler);
}

/* xPSR without its flags, as it is stacked. */
static uint32_t status_of(const Service *s) {
    const Course *c = &s->course;
    if (!c->depth)
        return s->status;
    return (s->status & 0x080F0000) | 1u << 24 |
           (uint32_t)s->lines[c->nested[c->depth - 1].line].number;
}

/* Where the stack pointer is while a handler has nothing of its own on the stack. */
static uint32_t base_of(const Service *s, int depth) {
    return depth == 1 && s->process ? s->main : s->course.nested[depth - 1].frame;
}

/* Arm ARM DDI0403 B1.5.6: the frame, then the handler. */
static int enter(Service *s, int line) {
    static const int stacked[] = {0, 1, 2, 3, 12, 14, 15};
    Course *c = &s->course;
    Hart *hart = &s->hart;
    const int thread = !c->depth;
    uint32_t frame = hart->r[13] - (thread ? s->frame_size : 32), padded = 0;
    int n;
    if (thread ? s->aligned : s->handlers_aligned) {
        padded = frame >> 2 & 1;
        frame &= ~(uint32_t)7;
    }
    if (frame & 3 || (frame < s->least && !(thread && s->process)))
        return fwgen_refuse(s, BAD_STACK);
    for (n = 0; n < 7; n++)
        if (!push(s, frame + 4 * n, hart->r[stacked[n]]))
            return 0;
    if (!push(s, frame + 28, status_of(s) | hart->nzcv << 28 | (padded ? PADDED : 0)))
        return 0;
    hart->cost += s->entry_cycles;
    if (!catch_up(s, now_of(s)))
        return 0;
    n = preempting(s);
    if (n >= 0)
        line = n; /* a later, higher one goes first */
    c->served++;
    if (thread)
        c->frame = frame;
    handle(s, line, frame, thread && s->process ? s->main : frame,
           thread ? s->link : ~(uint32_t)0xFF | TO_HANDLER);
    return 1;
}

/* WFI, or SLEEPONEXIT: it goes on where something is asked for. */
static int fall_asleep(Service *s) {
    Course *c = &s->course;
    if (waking(s) >= 0)
        return 1;
    if (!catch_up(s, now_of(s)))
        return 0;
    if (waking(s) >= 0)
        return 1;
    c->asleep = 1;
    c->asleep_since = s->hart.cycle + s->hart.cost;
    return fwgen_tell(s, SLEPT, now_of(s), 0, 0);
}

/* B1.5.8: to what follows at once, or back to what was interrupted. */
static int leave(Service *s) {
    static const int stacked[] = {0, 1, 2, 3, 12, 14};
    Course *c = &s->course;
    Hart *hart = &s->hart;
    const int thread = c->depth == 1;
    const uint32_t link = thread ? s->link : ~(uint32_t)0xFF | TO_HANDLER;
    uint32_t frame, sp, pc, status;
    int n, line;
    if (!c->depth || hart->r[15] != link || hart->r[13] != base_of(s, c->depth))
        return fwgen_refuse(s, BAD_RETURN);
    frame = c->nested[c->depth - 1].frame;
    line = c->nested[c->depth - 1].line;
    sp = hart->r[13];
    if (c->fell_ps[line] >= 0) {
        if (hart->cycle + hart->cost - fwgen_cycle_of(&s->hclk, c->fell_ps[line]) <= LATE_CYCLES)
            return fwgen_refuse(s, BAD_RETURN); /* something is to be told of it */
        c->fell_ps[line] = -1;
    }
    c->depth--;
    c->pending |= c->levels & 1 << line;
    if (!catch_up(s, now_of(s)))
        return 0;
    n = preempting(s);
    if (n >= 0) {
        hart->cost += TAIL_CHAIN + s->vector_cycles;
        handle(s, n, frame, sp, link);
        return 1;
    }
    for (n = 0; n < 6; n++)
        if (!pop(s, frame + 4 * n, &hart->r[stacked[n]]))
            return 0;
    if (!pop(s, frame + 24, &pc) || !pop(s, frame + 28, &status))
        return 0;
    if ((status & 0x0FFFFFFF & ~(uint32_t)PADDED) != status_of(s))
        return fwgen_refuse(s, BAD_RETURN);
    hart->nzcv = status >> 28;
    hart->r[13] = frame + (thread ? s->frame_size : 32) + (status & PADDED ? 4 : 0);
    hart->cost += s->return_cycles;
    go_to(s, pc & ~(uint32_t)1);
    return thread && s->sleeps_on_exit ? fall_asleep(s) : 1;
}

static int wake(Service *s, int line) {
    Course *c = &s->course;
    Hart *hart = &s->hart;
    int64_t at = hart->cycle + hart->cost, woken = fwgen_cycle_of(&s->hclk, c->now_ps);
    hart->cycle = woken > at ? woken : at;
    hart->cost = 0;
    c->asleep = 0;
    c->asleep_cycles += hart->cycle - c->asleep_since;
    c->asked_ps = now_of(s);
    return fwgen_tell(s, WOKE, now_of(s), 0, line);
}

/* The run loop of armv7m/core.py, once round. */
static int advance(Service *s) {
    Course *c = &s->course;
    Hart *hart = &s->hart;
    int line;
    if (c->asleep) {
        const Next next = following(s);
        if (!next.what || !catch_up(s, next.t_ps)) /* all of that moment, before it wakes */
            return 0;
        line = waking(s);
        return line >= 0 ? wake(s, line) : 1;
    }
    if (!catch_up(s, now_of(s)))
        return 0;
    line = preempting(s);
    if (line >= 0)
        return enter(s, line);
    set_due(s);
    if (!c->depth && hart->due - hart->cycle - hart->cost > LONGEST)
        return fwgen_refuse(s, NOT_AWAKE_SO_LONG);
    hart->attend = 0;
    hart->no_masks = s->unprivileged && !c->depth;
    hart->patience = PATIENCE;
    switch (fwgen_run_ops(hart)) {
    case PAUSED:
        return 1;
    case RETURNED:
        return leave(s);
    case WAITS:
        return fall_asleep(s);
    default:
        return 0;
    }
}

static void keep(Service *s) {
    Course *c = &s->course;
    const Hart *hart = &s->hart;
    memcpy(c->r, hart->r, sizeof c->r);
    c->nzcv = hart->nzcv;
    c->cycle = hart->cycle;
    c->cost = hart->cost;
    c->refill = hart->refill;
    c->near = hart->near;
    c->end = hart->end;
    c->start = hart->start;
    c->exclusive = hart->exclusive;
    c->primask = hart->primask;
    s->kept = *c;
    s->hart.undone = 0;
}

/* Whether Python can go on from here: in Thread mode, not between a frame's sample and end, nor
 * between LDREX and STREX, and with nothing under way in the DMA. */
static int can_keep(const Service *s) {
    const Course *c = &s->course;
    return !c->depth && !c->pending && !c->step && s->hart.exclusive < 0 &&
           (!s->frames || c->received == c->over);
}

/* Go on until something else is due or something is refused; then ``course`` is what was kept last.
 * Gives how many exceptions were taken; ``hart.why`` and ``where`` tell what was refused, if any. */
FWGEN_PUBLIC int32_t fwgen_serve(Service *s) {
    Hart *hart = &s->hart;
    const Course *c = &s->course;
    memcpy(hart->r, c->r, sizeof hart->r);
    hart->nzcv = c->nzcv;
    hart->cycle = c->cycle;
    hart->cost = c->cost;
    hart->refill = c->refill;
    hart->near = c->near;
    hart->end = c->end;
    hart->start = c->start;
    hart->load = load;
    hart->store = store;
    hart->world = s;
    hart->exclusive = NOT_KNOWN;
    hart->primask = c->primask;
    hart->why = 0;
    s->wanted = 0;
    keep(s);
    while (advance(s))
        if (can_keep(s))
            keep(s);
    fwgen_take_back(hart, 0);
    s->course = s->kept;
    return s->course.served;
}

#else /* no integer that is wide enough for times */

FWGEN_PUBLIC int32_t fwgen_serve(Service *s) {
    (void)s;
    return 0;
}

#endif
