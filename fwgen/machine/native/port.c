/* A USART v2 with eight bits, no parity, no flow control (RM0368 §19), as
 * machine/stm32/usart_v2/usart.py has it; and SysTick (Arm ARM DDI0403 B3.3), as
 * machine/armv7m/systick.py has it. For service.c.
 */
#include "service.h"

#ifdef __SIZEOF_INT128__

enum { RXNE = 1 << 5, TC = 1 << 6, TXE = 1 << 7 }; /* SR */
enum { DMAR = 1 << 6, DMAT = 1 << 7 };             /* CR3 */
enum { REQUESTS = 0xF0, CLEARED_BY_READING = 0x1F }; /* of SR; enabled by the same bits of CR1 */

/* The interrupt, then the requests to the DMA. */
static int request(Service *s, int64_t t_ps) {
    Course *c = &s->course;
    const int64_t flags = c->sr;
    int64_t asks, changed;
    fwgen_line(s, PORT, (flags & c->cr1 & REQUESTS) != 0, t_ps);
    asks = c->cr3 & (DMAT | DMAR) & ((flags & TXE) | (flags & RXNE) << 1);
    changed = asks ^ c->asks;
    c->asks = (int32_t)asks;
    if (changed & asks & DMAT && !fwgen_dma_raised(s, OUT_OF - INTO, t_ps))
        return 0;
    return !(changed & asks & DMAR) || fwgen_dma_raised(s, 0, t_ps);
}

static void begin_frame(Service *s, int64_t tick) {
    Course *c = &s->course;
    c->content = c->tdr;
    c->tdr = -1;
    c->sr |= TXE;
    c->start_tick = tick;
    c->end_tick = tick + s->frame_ticks;
    c->start_ps = fwgen_time_of(&s->kernel, c->start_tick);
    c->end_ps = fwgen_time_of(&s->kernel, c->end_tick);
    c->sent_order = ++c->asked;
}

void fwgen_port_next(const Service *s, Next *next) {
    const Course *c = &s->course;
    if (s->frames) {
        const int64_t began = s->began + c->over * s->length;
        if (c->received > c->over)
            fwgen_sooner(next, OVER, began + s->length, c->end_order);
        else
            fwgen_sooner(next, SAMPLED, began + s->sampled, c->sample_order);
    }
    if (c->content >= 0)
        fwgen_sooner(next, OUT, c->end_ps, c->sent_order);
}

int fwgen_port_happens(Service *s, int what, int64_t t_ps) {
    Course *c = &s->course;
    switch (what) {
    case OVER:
        if (!fwgen_tell(s, RECEIVED, t_ps, t_ps - s->length, s->data[c->over]))
            return 0;
        c->over++;
        c->end_order = ++c->asked;
        c->sample_order = ++c->asked;
        return 1;
    case SAMPLED:
        if (c->sr & RXNE || c->received + 1 >= s->frames)
            return fwgen_refuse(s, OVERRUN);
        c->rdr = s->data[c->received++];
        c->sr |= RXNE;
        break;
    default:
        if (!fwgen_tell(s, SENT, t_ps, c->start_ps, (int)(c->content & 0xFF)))
            return 0;
        c->content = -1;
        if (c->tdr >= 0)
            begin_frame(s, c->end_tick);
        else if (c->sr & TXE)
            c->sr |= TC;
    }
    return request(s, t_ps);
}

int fwgen_port_load(Service *s, int n, int64_t t_ps, uint32_t *value) {
    Course *c = &s->course;
    int64_t found;
    switch (n) {
    case SR:
        found = c->seen = c->sr;
        break;
    case DR:
        c->sr &= ~((c->seen & CLEARED_BY_READING) | RXNE);
        c->seen &= TC;
        found = c->rdr;
        if (!request(s, t_ps))
            return 0;
        break;
    case CR1:
        found = c->cr1;
        break;
    case CR3:
        found = c->cr3;
        break;
    default:
        found = s->held[n];
    }
    *value = (uint32_t)found & s->readable[n];
    return 1;
}

static uint32_t merged(int64_t held, uint32_t value, uint32_t mask) {
    return ((uint32_t)held & ~mask) | (value & mask);
}

/* ``mask``: the lanes that are written. */
int fwgen_port_store(Service *s, int n, uint32_t value, uint32_t mask, int64_t t_ps) {
    Course *c = &s->course;
    uint32_t written;
    switch (n) {
    case SR:
        c->sr &= ~(int64_t)(s->cleared_by_0 & ~value & mask);
        break;
    case CR1:
        written = merged(c->cr1, value, mask);
        if ((written ^ (uint32_t)c->cr1) & ~s->free_cr1)
            return 0;
        c->cr1 = written;
        break;
    case CR3:
        written = merged(c->cr3, value, mask);
        if ((written ^ (uint32_t)c->cr3) & ~s->free_cr3)
            return 0;
        c->cr3 = written;
        break;
    case DR:
        written = merged(c->dr, value, mask);
        if (!s->frame_ticks || written & ~0x1FFu || !(c->sr & TXE))
            return 0;
        if (c->seen & TC) {
            c->sr &= ~(int64_t)TC;
            c->seen &= ~(int64_t)TC;
        }
        c->dr = c->tdr = written;
        c->sr &= ~(int64_t)TXE;
        if (c->content < 0)
            begin_frame(s, fwgen_ticks_at(&s->kernel, t_ps) + 1);
        break;
    default:
        return 0;
    }
    return request(s, t_ps);
}

/* ------------------------------------------------------------------ SysTick */

enum { CTRL, LOAD, VAL, CALIB };
enum { TICKINT = 1 << 1, COUNTFLAG = 16 };

static int64_t tick_at(const Service *s, int64_t t_ps) {
    const int64_t ticks = fwgen_ticks_at(&s->hclk, t_ps);
    return s->divided ? ticks >> 3 : ticks;
}

static int64_t value_at(const Service *s, int64_t tick) {
    const Course *c = &s->course;
    const int64_t past = tick - c->tick0 - c->value0, reload = s->reload;
    if (past <= 0)
        return -past;
    return reload ? reload - (past - 1) % (reload + 1) : 0;
}

/* The tick at which 1 next becomes 0; -1: never. */
static int64_t next_zero(const Service *s) {
    const Course *c = &s->course;
    if (c->value0)
        return c->tick0 + c->value0;
    return s->reload ? c->tick0 + 1 + s->reload : -1;
}

static void settle(Service *s, int64_t t_ps) {
    Course *c = &s->course;
    const int64_t tick = tick_at(s, t_ps), zero = next_zero(s);
    if (zero >= 0 && zero <= tick)
        c->flagged = 1;
    c->value0 = value_at(s, tick);
    c->tick0 = tick;
}

void fwgen_ticks_arm(Service *s) {
    const int64_t zero = next_zero(s);
    s->course.tick_ps = zero < 0 || !(s->tick_ctrl & TICKINT)
                            ? -1
                            : fwgen_time_of(&s->hclk, s->divided ? zero << 3 : zero);
}

void fwgen_ticks_next(const Service *s, Next *next) {
    if (s->counts && s->course.tick_ps >= 0)
        fwgen_sooner(next, TICK, s->course.tick_ps, s->course.tick_order);
}

int fwgen_ticks_happen(Service *s, int64_t t_ps) {
    settle(s, t_ps);
    fwgen_pend(s, TICKS);
    fwgen_ticks_arm(s);
    s->course.tick_order = ++s->course.asked;
    return 1;
}

int fwgen_ticks_load(Service *s, uint32_t offset, int64_t t_ps, uint32_t *value) {
    switch (offset / 4) {
    case CTRL:
        settle(s, t_ps);
        *value = s->tick_ctrl | (uint32_t)s->course.flagged << COUNTFLAG;
        s->course.flagged = 0;
        return 1;
    case LOAD:
        *value = s->reload;
        return 1;
    case VAL:
        *value = (uint32_t)value_at(s, tick_at(s, t_ps));
        return 1;
    default:
        return 0;
    }
}

#endif
