/* The two streams of a DMA controller that serve the port: bytes, direct mode, pointing up in
 * memory (RM0368 §9), as machine/stm32/dma_v2/controller.py and stream.py have it. For service.c.
 */
#include "service.h"

#ifdef __SIZEOF_INT128__

enum { FE = 0x01, HT = 0x10, TC = 0x20, ALL = 0x3D }; /* flags, from the stream's lowest bit on */
enum { PRIORITY = 16 }; /* the lowest bit of PL */
enum { EN = 1, HTIE = 1 << 3, TCIE = 1 << 4, CIRC = 1 << 8, FEIE = 1 << 7 }; /* FEIE: of FCR */
enum { CR, NDTR, PAR, M0AR, M1AR, FCR, PER_STREAM };
enum { LISR, HISR, LIFCR, HIFCR, FIRST_STREAM };
enum { IDLE, BRINGS, TAKES, LOADS, LOOKS }; /* what is under way */
enum { INCOMING, OUTGOING };                /* the streams */

static const int lowest[] = {0, 6, 16, 22};

static int64_t *flags_of(Service *s, int n) { return &s->course.flags[s->wires[n].number >> 2]; }

static int shift_of(const Service *s, int n) { return lowest[s->wires[n].number & 3]; }

static void request(Service *s, int n, int64_t t_ps) {
    const Stream *one = &s->course.streams[n];
    const int64_t wanted = (one->cr & TCIE ? TC : 0) | (one->cr & HTIE ? HT : 0) |
                           (one->fcr & FEIE ? FE : 0);
    fwgen_line(s, INTO + n, (*flags_of(s, n) >> shift_of(s, n) & wanted) != 0, t_ps);
}

static void flag(Service *s, int n, int64_t flags, int64_t t_ps) {
    *flags_of(s, n) |= flags << shift_of(s, n);
    request(s, n, t_ps);
}

static void disable(Stream *one) {
    one->enabled = 0;
    one->fifo = -1;
    one->cr &= ~(int64_t)EN;
}

static void begin_round(Stream *one) {
    one->at = one->m0ar;
    one->left = one->total = one->ndtr;
    one->done = one->halfway = 0;
}

/* What an access to memory takes; 0 where there is no way. */
static int64_t memory_cycles(const Service *s, int64_t address, int writable) {
    int32_t area;
    if (!fwgen_memory(s, (uint32_t)address, 1, writable, &area))
        return 0;
    return s->memory_cycles[area];
}

static int requested(const Service *s, int n) {
    return s->course.asks >> (n == INCOMING ? 6 : 7) & 1;
}

/* Its next step and cycles. 0: none; -1: not for here. */
static int next_step(const Service *s, int n, int64_t *cycles, int64_t *after) {
    const Stream *one = &s->course.streams[n];
    int64_t memory;
    *after = 0;
    if (!one->enabled)
        return IDLE;
    if (n == INCOMING) {
        if (!one->ndtr || !requested(s, n))
            return IDLE;
        memory = memory_cycles(s, one->at, 1);
        *cycles = s->wires[n].register_cycles + memory;
        return memory ? BRINGS : -1;
    }
    if (one->ndtr && requested(s, n) && one->fifo >= 0) {
        *cycles = s->wires[n].register_cycles;
        if (one->left && !(*after = memory_cycles(s, one->at, 0)))
            return -1;
        return TAKES;
    }
    if (one->fifo >= 0 || one->left <= 0)
        return IDLE;
    *cycles = memory_cycles(s, one->at, 0);
    return *cycles ? LOADS : -1;
}

/* The first of two that are enabled: by priority, then by number. */
static int first_of(const Service *s) {
    const Stream *one = s->course.streams;
    const int64_t in = one[INCOMING].cr >> PRIORITY & 3;
    const int64_t out = one[OUTGOING].cr >> PRIORITY & 3;
    if (in != out)
        return in > out ? INCOMING : OUTGOING;
    return s->wires[INCOMING].number < s->wires[OUTGOING].number ? INCOMING : OUTGOING;
}

static int go_on(Service *s, int64_t t_ps) {
    Course *c = &s->course;
    const int first = first_of(s);
    int64_t cycles = 0, after = 0, now;
    int n = first, step;
    if (c->serving >= 0)
        return 1;
    step = next_step(s, n, &cycles, &after);
    if (step == IDLE) {
        n = !first;
        step = next_step(s, n, &cycles, &after);
    }
    if (step < 0)
        return fwgen_refuse(s, BAD_TRANSFER);
    if (step == IDLE)
        return 1;
    now = fwgen_ticks_at(&s->ahb, t_ps);
    if (now < c->free_tick) {
        if (c->step == LOOKS)
            return 1;
        c->step = LOOKS;
        c->until_tick = c->free_tick;
    } else {
        c->step = step;
        c->serving = n;
        c->until_tick = now + cycles;
        c->after = after;
    }
    c->step_ps = fwgen_time_of(&s->ahb, c->until_tick);
    c->step_order = ++c->asked;
    return 1;
}

int fwgen_dma_raised(Service *s, int n, int64_t t_ps) {
    const Stream *one = &s->course.streams[n];
    if (!s->wires[n].exists || !one->enabled)
        return 1;
    if (n == OUTGOING && one->ndtr && one->fifo < 0 && s->course.serving != n)
        flag(s, n, FE, t_ps); /* it has nothing to give */
    return go_on(s, t_ps);
}

void fwgen_dma_next(const Service *s, Next *next) {
    if (s->course.step != IDLE)
        fwgen_sooner(next, STEP_OVER, s->course.step_ps, s->course.step_order);
}

static void arrived(Service *s, int n, int64_t t_ps) {
    Stream *one = &s->course.streams[n];
    int64_t flags = 0;
    one->done++;
    if (!one->halfway && 2 * one->done >= one->total) {
        one->halfway = 1;
        flags = HT;
    }
    if (one->done >= one->total) {
        flags |= TC;
        if (one->cr & CIRC) {
            one->ndtr = one->reload;
            begin_round(one);
        } else {
            disable(one);
        }
    }
    if (flags)
        flag(s, n, flags, t_ps);
}

static int load(Service *s, Stream *one) {
    const uint8_t *at;
    if (one->fifo >= 0 || one->left <= 0)
        return 1;
    at = fwgen_memory(s, (uint32_t)one->at, 1, 0, 0);
    if (!at)
        return fwgen_refuse(s, BAD_TRANSFER);
    one->fifo = *at;
    one->at++;
    one->left--;
    return 1;
}

static int bring(Service *s, Stream *one, int64_t t_ps) {
    uint8_t *at = fwgen_memory(s, (uint32_t)one->at, 1, 1, 0);
    uint32_t value;
    if (!fwgen_port_load(s, DR, t_ps, &value) || !at || !fwgen_note(s, (uint32_t)one->at, at, 1))
        return fwgen_refuse(s, BAD_TRANSFER);
    one->ndtr--;
    *at = (uint8_t)value;
    one->at++;
    arrived(s, INCOMING, t_ps);
    return 1;
}

/* The bridge to APB doubles a byte (RM0368 §2.1): bit 8 of DR is bit 0 of the next. */
static int take(Service *s, Stream *one, int64_t t_ps) {
    const uint32_t value = (uint32_t)one->fifo | ((uint32_t)one->fifo & 1) << 8;
    if (!fwgen_port_store(s, DR, value, 0xFFFFFFFFu, t_ps))
        return fwgen_refuse(s, BAD_TRANSFER);
    one->fifo = -1;
    one->ndtr--;
    arrived(s, OUTGOING, t_ps);
    return !one->enabled || load(s, one);
}

int fwgen_dma_happens(Service *s, int64_t t_ps) {
    Course *c = &s->course;
    const int step = c->step, n = c->serving;
    if (step != LOOKS) {
        Stream *one = &c->streams[n];
        if (one->enabled && !(step == BRINGS  ? bring(s, one, t_ps)
                              : step == TAKES ? take(s, one, t_ps)
                                              : load(s, one)))
            return 0;
        c->serving = -1;
        c->free_tick = c->until_tick + c->after;
    }
    c->step = IDLE;
    return go_on(s, t_ps);
}

/* ------------------------------------------------------------------ registers */

/* Which stream and register an offset means; -1: none of these. */
static int stream_at(const Service *s, uint32_t offset, int *which) {
    const uint32_t first = 4 * FIRST_STREAM;
    int n;
    if (offset < first || offset & 3)
        return -1;
    *which = (int)((offset - first) / 4 % PER_STREAM);
    for (n = 0; n < STREAMS; n++)
        if (s->wires[n].exists && (offset - first) / 4 / PER_STREAM == (uint32_t)s->wires[n].number)
            return n;
    return -1;
}

int fwgen_dma_load(Service *s, uint32_t offset, uint32_t *value) {
    const Stream *one;
    int which, n;
    if (offset == 4 * LISR || offset == 4 * HISR) {
        *value = (uint32_t)s->course.flags[offset / 4];
        return 1;
    }
    n = stream_at(s, offset, &which);
    if (n < 0 || which == M1AR)
        return 0;
    one = &s->course.streams[n];
    *value = (uint32_t)(which == CR     ? one->cr
                        : which == NDTR ? one->ndtr
                        : which == PAR  ? one->par
                        : which == M0AR ? one->m0ar
                                        : one->fcr);
    return 1;
}

static int clear(Service *s, int high, uint32_t value, int64_t t_ps) {
    int n;
    s->course.flags[high] &= ~(int64_t)(value & s->clears);
    for (n = 0; n < STREAMS; n++)
        if (s->wires[n].exists && s->wires[n].number >> 2 == high &&
            s->course.levels >> (INTO + n) & 1)
            request(s, n, t_ps);
    return 1;
}

/* EN is set: only as what is served here, with nothing that there would be to tell of. */
static int start(Service *s, int n, int64_t t_ps) {
    const Wire *wire = &s->wires[n];
    Stream *one = &s->course.streams[n];
    const int64_t fixed = ~(wire->free | (int64_t)3 << PRIORITY | CIRC);
    if ((one->cr & fixed & wire->defined) != wire->shape || one->fcr & ~(int64_t)(FEIE | 0x3F) ||
        one->fcr & 4 || *flags_of(s, n) >> shift_of(s, n) & ALL)
        return 0;
    if (one->par != (int64_t)s->base + s->offsets[DR] || !one->reload ||
        !memory_cycles(s, one->m0ar, n == INCOMING))
        return 0;
    one->enabled = one->began = 1;
    one->fifo = -1;
    one->ndtr = one->reload;
    begin_round(one);
    if (requested(s, n) && !fwgen_dma_raised(s, n, t_ps))
        return 0;
    return go_on(s, t_ps);
}

static int stop(Service *s, int n, int64_t t_ps) {
    if (s->course.serving == n)
        return 0; /* it ends later */
    disable(&s->course.streams[n]);
    flag(s, n, TC, t_ps);
    return go_on(s, t_ps);
}

int fwgen_dma_store(Service *s, uint32_t offset, uint32_t value, int64_t t_ps) {
    const int64_t written = value;
    int64_t before;
    Stream *one;
    int which, n;
    if (offset == 4 * LIFCR || offset == 4 * HIFCR)
        return clear(s, offset == 4 * HIFCR, value, t_ps);
    n = stream_at(s, offset, &which);
    if (n < 0)
        return 0;
    one = &s->course.streams[n];
    before = one->cr;
    switch (which) {
    case CR:
        if (written & ~s->wires[n].defined ||
            (one->enabled && (written ^ before) & ~s->wires[n].free))
            return 0;
        one->cr = written;
        if (before & EN ? !(written & EN) && !stop(s, n, t_ps)
                        : written & EN && !start(s, n, t_ps))
            return 0;
        request(s, n, t_ps);
        return 1;
    case NDTR:
        if (one->enabled || written >> 16)
            return 0;
        one->ndtr = one->reload = written;
        return 1;
    case PAR:
        if (one->enabled)
            return 0;
        one->par = written;
        return 1;
    case M0AR:
        if (one->enabled)
            return 0;
        one->m0ar = written;
        return 1;
    case FCR:
        if ((written ^ one->fcr) & ~(int64_t)FEIE)
            return 0;
        one->fcr = written;
        request(s, n, t_ps);
        return 1;
    default:
        return 0;
    }
}

#endif
