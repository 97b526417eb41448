/* A core and a serial port that interrupts it, for as long as nothing else happens: without the
 * engine. Python (machine/armv7m/services.py) says when all that matters is what stands here, and
 * goes on from the last state that was kept.
 *
 * The port is a USART v2 with eight bits, no parity, no DMA, no flow control (RM0368 §19), seen as
 * machine/stm32/usart_v2/usart.py has it; the core is as armv7m/core.py's run loop, sleeper.py and
 * entry.py have it. Whatever is not told here is refused: then what came after the last state that
 * was kept is as if it had not been.
 */
#include "ops.h"

#include <string.h>

/* Tick n of a clock lies at time0 + floor((n - ticks0) * den / num): machine/time.py. */
typedef struct {
    int64_t time0, ticks0, num, den;
} Clock;

typedef struct {
    int64_t t_ps, start_ps, kind; /* kind: with a frame's byte << 8 */
} Happened;

enum { WOKE, SLEPT, RECEIVED, SENT };                    /* kinds */
enum { SR, DR, BRR, CR1, CR2, CR3, REGISTERS };          /* in the order of their offsets */
enum { RXNE = 1 << 5, TC = 1 << 6, TXE = 1 << 7 };       /* SR */
enum { REQUESTS = 0xF0, CLEARED_BY_READING = 0x1F };     /* of SR; enabled by the same bits of CR1 */
enum { PADDED = 1 << 9, LATE_CYCLES = 2, TAIL_CHAIN = 6, PATIENCE = 1 << 20 };
/* Why it stopped, beside what ops.h has. */
enum { OVERRUN = 100, BAD_RETURN, BAD_STACK, NO_ROOM_TO_TELL, NOT_AWAKE_SO_LONG };
/* Cycles awake without an event; beyond that the engine, which skips loops, is better. */
enum { LONGEST = 1 << 16 };

/* What changes, and what is undone when something is refused. */
typedef struct {
    uint32_t r[16], nzcv;
    int64_t cycle, cost, refill, end, start; /* as in Hart */
    int64_t now_ps;                          /* up to when events have happened */
    int64_t sr, cr1, dr, rdr, tdr, seen;     /* tdr: -1 while empty */
    int64_t content, start_tick, end_tick, start_ps, end_ps; /* the frame going out; content -1 */
    int64_t received, over; /* frames: whose word is in, and whose end has passed */
    /* Of two events at once the one that was asked for first comes first. */
    int64_t asked, end_order, sample_order, sent_order;
    int64_t asleep_since, asleep_cycles;
    int64_t read_ps, asked_ps, entered_ps, fell_ps; /* -1: never */
    int32_t level, pending, active, asleep, happened, served;
    uint32_t frame, unused; /* the last one */
} Course;

typedef struct {
    Course course, kept;
    Hart hart;
    Clock hclk, kernel;
    int64_t until_ps; /* what is due then, and later, is not for here */
    /* The exception. status: xPSR without the flags; least: where the stack must not go below;
     * frame_size: 104 where room is left for floating-point state. */
    uint32_t handler, link, status, aligned, least, frame_size;
    uint32_t process, main; /* what is interrupted is on the process stack; where main's is then */
    uint32_t sleeps_on_exit;
    uint32_t base; /* of the port */
    int64_t entry_cycles, return_cycles, vector_cycles;
    uint32_t offsets[REGISTERS], readable[REGISTERS], tells[REGISTERS];
    uint32_t held[REGISTERS]; /* what those read that do not change here */
    uint32_t free_bits;       /* of CR1 that may change */
    int32_t room;             /* for what is told */
    int64_t frame_ticks;      /* 0: it does not send */
    int64_t frames, began, step, sampled; /* coming in: the first is under way, the last is left */
    const uint8_t *data;
    Happened *told;
} Service;

FWGEN_PUBLIC int64_t fwgen_service_layout(void) {
    return (int64_t)sizeof(Service) << 32 | (int64_t)sizeof(Course);
}

#ifdef __SIZEOF_INT128__

static int64_t time_of(const Clock *clock, int64_t tick) {
    return clock->time0 + (int64_t)((__int128)(tick - clock->ticks0) * clock->den / clock->num);
}

static int64_t ticks_at(const Clock *clock, int64_t t_ps) {
    __int128 parts = (__int128)(t_ps - clock->time0 + 1) * clock->num;
    return clock->ticks0 + (int64_t)((parts + clock->den - 1) / clock->den) - 1;
}

static int64_t cycle_of(const Clock *clock, int64_t t_ps) {
    int64_t tick = ticks_at(clock, t_ps);
    return time_of(clock, tick) >= t_ps ? tick : tick + 1;
}

static int refuse(Service *s, uint32_t why) {
    s->hart.why = why;
    s->hart.where = s->hart.r[15];
    return 0;
}

static int tell(Service *s, int kind, int64_t t_ps, int64_t start_ps, int byte) {
    Happened *one;
    if (s->course.happened >= s->room)
        return refuse(s, NO_ROOM_TO_TELL);
    one = &s->told[s->course.happened++];
    one->t_ps = t_ps;
    one->start_ps = start_ps;
    one->kind = kind | (int64_t)byte << 8;
    return 1;
}

/* ------------------------------------------------------------------ the port */

static void request(Service *s, int64_t t_ps) {
    Course *c = &s->course;
    int line = (c->sr & c->cr1 & REQUESTS) != 0;
    if (line == c->level)
        return;
    c->level = line;
    if (line) {
        c->pending = 1;
        s->hart.attend = 1;
    } else {
        c->fell_ps = t_ps;
    }
}

static void begin_frame(Service *s, int64_t tick) {
    Course *c = &s->course;
    c->content = c->tdr;
    c->tdr = -1;
    c->sr |= TXE;
    c->start_tick = tick;
    c->end_tick = tick + s->frame_ticks;
    c->start_ps = time_of(&s->kernel, c->start_tick);
    c->end_ps = time_of(&s->kernel, c->end_tick);
    c->sent_order = ++c->asked;
}

enum { NOTHING, OVER, SAMPLED, OUT };

/* What happens next by itself, and when; NOTHING before ``until_ps``. */
static int following(const Service *s, int64_t *t_ps) {
    const Course *c = &s->course;
    int what = NOTHING;
    int64_t order = 0;
    *t_ps = s->until_ps;
    if (s->frames) {
        int over = c->received > c->over;
        int64_t at = s->began + c->over * s->step + (over ? s->step : s->sampled);
        if (at < *t_ps) {
            *t_ps = at;
            what = over ? OVER : SAMPLED;
            order = over ? c->end_order : c->sample_order;
        }
    }
    if (c->content >= 0 &&
        (c->end_ps < *t_ps || (what && c->end_ps == *t_ps && c->sent_order < order))) {
        *t_ps = c->end_ps;
        what = OUT;
    }
    return what;
}

static int happen(Service *s, int what, int64_t t_ps) {
    Course *c = &s->course;
    c->now_ps = t_ps;
    switch (what) {
    case OVER:
        if (!tell(s, RECEIVED, t_ps, t_ps - s->step, s->data[c->over]))
            return 0;
        c->over++;
        c->end_order = ++c->asked;
        c->sample_order = ++c->asked;
        return 1;
    case SAMPLED:
        if (c->sr & RXNE || c->received + 1 >= s->frames)
            return refuse(s, OVERRUN);
        c->rdr = s->data[c->received++];
        c->sr |= RXNE;
        break;
    default:
        if (!tell(s, SENT, t_ps, c->start_ps, (int)(c->content & 0xFF)))
            return 0;
        c->content = -1;
        if (c->tdr >= 0)
            begin_frame(s, c->end_tick);
        else if (c->sr & TXE)
            c->sr |= TC;
    }
    request(s, t_ps);
    return 1;
}

static int catch_up(Service *s, int64_t t_ps) {
    int64_t next_ps;
    int what;
    while ((what = following(s, &next_ps)) && next_ps <= t_ps)
        if (!happen(s, what, next_ps))
            return 0;
    if (s->course.now_ps < t_ps)
        s->course.now_ps = t_ps;
    return t_ps < s->until_ps;
}

/* By when the core must look, in cycles. */
static void set_due(Service *s) {
    int64_t next_ps;
    following(s, &next_ps);
    s->hart.due = cycle_of(&s->hclk, next_ps);
}

static int which(const Service *s, uint32_t address) {
    int n;
    for (n = 0; n < REGISTERS; n++)
        if (address == s->base + s->offsets[n])
            return n;
    return -1;
}

static int load(void *world, uint32_t address, int size, int64_t cycle, uint32_t *value) {
    Service *s = world;
    Course *c = &s->course;
    int64_t t_ps = time_of(&s->hclk, cycle), found;
    int n = which(s, address);
    if (n < 0 || !catch_up(s, t_ps))
        return 0;
    if (s->tells[n])
        c->asked_ps = t_ps;
    switch (n) {
    case SR:
        c->read_ps = t_ps;
        found = c->seen = c->sr;
        break;
    case DR:
        c->sr &= ~((c->seen & CLEARED_BY_READING) | RXNE);
        c->seen &= TC;
        request(s, t_ps);
        found = c->rdr;
        break;
    case CR1:
        found = c->cr1;
        break;
    default:
        found = s->held[n];
    }
    set_due(s);
    *value = (uint32_t)found & s->readable[n];
    if (size < 4)
        *value &= (1u << (8 * size)) - 1;
    return 1;
}

static int store(void *world, uint32_t address, int size, int64_t cycle, uint32_t value) {
    Service *s = world;
    Course *c = &s->course;
    int64_t t_ps = time_of(&s->hclk, cycle);
    uint32_t mask = size < 4 ? (1u << (8 * size)) - 1 : 0xFFFFFFFFu, written;
    int n = which(s, address);
    if ((n != DR && n != CR1) || !catch_up(s, t_ps))
        return 0;
    if (n == CR1) {
        written = ((uint32_t)c->cr1 & ~mask) | (value & mask);
        if ((written ^ (uint32_t)c->cr1) & ~s->free_bits)
            return 0;
        c->cr1 = written;
    } else {
        written = ((uint32_t)c->dr & ~mask) | (value & mask);
        if (!s->frame_ticks || written & ~0x1FFu || !(c->sr & TXE))
            return 0;
        if (c->seen & TC) {
            c->sr &= ~(int64_t)TC;
            c->seen &= ~(int64_t)TC;
        }
        c->dr = c->tdr = written;
        c->sr &= ~(int64_t)TXE;
        if (c->content < 0)
            begin_frame(s, ticks_at(&s->kernel, t_ps) + 1);
    }
    request(s, t_ps);
    set_due(s);
    return 1;
}

/* ------------------------------------------------------------------ the core */

static int64_t now_of(const Service *s) {
    return time_of(&s->hclk, s->hart.cycle + s->hart.cost);
}

/* A word of RAM, or NULL. */
static uint8_t *ram_at(const Service *s, uint32_t address) {
    int32_t n;
    for (n = 0; n < s->hart.area_count; n++) {
        const Area *area = &s->hart.areas[n];
        if (area->writable && address >= area->base && area->size >= 4 &&
            address - area->base <= area->size - 4)
            return area->data + (address - area->base);
    }
    return NULL;
}

static int pop(Service *s, uint32_t address, uint32_t *value) {
    const uint8_t *at = ram_at(s, address);
    if (!at)
        return refuse(s, BAD_STACK);
    memcpy(value, at, 4);
    return 1;
}

static int push(Service *s, uint32_t address, uint32_t value) {
    Hart *hart = &s->hart;
    uint8_t *at = ram_at(s, address);
    Undo *undo;
    if (!at || hart->undone >= hart->undo_size)
        return refuse(s, BAD_STACK);
    undo = &hart->undo[hart->undone++];
    undo->address = address;
    undo->size = 4;
    memcpy(&undo->before, at, 4);
    memcpy(at, &value, 4);
    return 1;
}

static void go_to(Service *s, uint32_t address) {
    s->hart.r[15] = address;
    s->hart.start = s->hart.end = address;
}

static void handle(Service *s, int64_t t_ps) {
    Course *c = &s->course;
    c->pending = 0;
    c->active = 1;
    c->asked_ps = c->entered_ps = t_ps;
    s->hart.r[13] = s->process ? s->main : c->frame;
    s->hart.r[14] = s->link;
    go_to(s, s->handler);
}

/* Arm ARM DDI0403 B1.5.6: the frame, then the handler. */
static int enter(Service *s) {
    static const int stacked[] = {0, 1, 2, 3, 12, 14, 15};
    Hart *hart = &s->hart;
    uint32_t frame = hart->r[13] - s->frame_size, padded = 0;
    int n;
    if (s->aligned) {
        padded = frame >> 2 & 1;
        frame &= ~(uint32_t)7;
    }
    if (frame & 3 || frame < s->least)
        return refuse(s, BAD_STACK);
    for (n = 0; n < 7; n++)
        if (!push(s, frame + 4 * n, hart->r[stacked[n]]))
            return 0;
    if (!push(s, frame + 28, s->status | hart->nzcv << 28 | (padded ? PADDED : 0)))
        return 0;
    hart->cost += s->entry_cycles;
    if (!catch_up(s, now_of(s)))
        return 0;
    s->course.frame = frame;
    handle(s, now_of(s));
    s->course.served++;
    return 1;
}

/* WFI, or SLEEPONEXIT: it goes on where something is asked for. */
static int fall_asleep(Service *s) {
    Course *c = &s->course;
    if (c->pending)
        return 1;
    if (!catch_up(s, now_of(s)))
        return 0;
    if (c->pending)
        return 1;
    c->asleep = 1;
    c->asleep_since = s->hart.cycle + s->hart.cost;
    return tell(s, SLEPT, now_of(s), 0, 0);
}

/* B1.5.8: to what follows at once, or back to what was interrupted. */
static int leave(Service *s) {
    static const int stacked[] = {0, 1, 2, 3, 12, 14};
    Course *c = &s->course;
    Hart *hart = &s->hart;
    const uint32_t frame = c->frame;
    uint32_t pc, status;
    int n;
    if (!c->active || hart->r[15] != s->link || hart->r[13] != (s->process ? s->main : frame))
        return refuse(s, BAD_RETURN);
    if (c->fell_ps >= 0) {
        if (hart->cycle + hart->cost - cycle_of(&s->hclk, c->fell_ps) <= LATE_CYCLES)
            return refuse(s, BAD_RETURN); /* something is to be told of it */
        c->fell_ps = -1;
    }
    c->active = 0;
    if (c->level)
        c->pending = 1;
    if (!catch_up(s, now_of(s)))
        return 0;
    if (c->pending) {
        hart->cost += TAIL_CHAIN + s->vector_cycles;
        handle(s, now_of(s));
        return 1;
    }
    for (n = 0; n < 6; n++)
        if (!pop(s, frame + 4 * n, &hart->r[stacked[n]]))
            return 0;
    if (!pop(s, frame + 24, &pc) || !pop(s, frame + 28, &status))
        return 0;
    if ((status & 0x0FFFFFFF & ~(uint32_t)PADDED) != s->status)
        return refuse(s, BAD_RETURN);
    hart->nzcv = status >> 28;
    hart->r[13] = frame + s->frame_size + (status & PADDED ? 4 : 0);
    hart->cost += s->return_cycles;
    go_to(s, pc & ~(uint32_t)1);
    return s->sleeps_on_exit ? fall_asleep(s) : 1;
}

static int wake(Service *s) {
    Course *c = &s->course;
    Hart *hart = &s->hart;
    int64_t at = hart->cycle + hart->cost, woken = cycle_of(&s->hclk, c->now_ps);
    hart->cycle = woken > at ? woken : at;
    hart->cost = 0;
    c->asleep = 0;
    c->asleep_cycles += hart->cycle - c->asleep_since;
    c->asked_ps = now_of(s);
    return tell(s, WOKE, now_of(s), 0, 0);
}

/* The run loop of armv7m/core.py, once round. */
static int advance(Service *s) {
    Course *c = &s->course;
    Hart *hart = &s->hart;
    int64_t next_ps;
    int what;
    if (c->asleep) {
        what = following(s, &next_ps);
        if (!what || !happen(s, what, next_ps))
            return 0;
        return c->pending ? wake(s) : 1;
    }
    if (!catch_up(s, now_of(s)))
        return 0;
    if (c->pending && !c->active)
        return enter(s);
    set_due(s);
    if (!c->active && hart->due - hart->cycle - hart->cost > LONGEST)
        return refuse(s, NOT_AWAKE_SO_LONG);
    hart->attend = 0;
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
    c->end = hart->end;
    c->start = hart->start;
    s->kept = *c;
    s->hart.undone = 0;
}

/* Whether Python can go on from here: in Thread mode, and not between a frame's sample and end. */
static int can_keep(const Service *s) {
    const Course *c = &s->course;
    return !c->active && !c->pending && (!s->frames || c->received == c->over);
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
    hart->end = c->end;
    hart->start = c->start;
    hart->load = load;
    hart->store = store;
    hart->world = s;
    hart->why = 0;
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
