/* Outputs that only the trace looks at (RM0368 §8), as machine/stm32/gpio_v2.py has them. For
 * service.c.
 */
#include "service.h"

#ifdef __SIZEOF_INT128__

enum { IDR = 0x10, ODR = 0x14, BSRR = 0x18 };
static const int64_t counted_ps = 2000000000; /* COUNTED_PS */

int fwgen_pins_load(Service *s, int port, uint32_t offset, int64_t t_ps, uint32_t *value) {
    const Pads *pads = &s->pads[port];
    const uint32_t odr = (uint32_t)s->course.latches[port].odr;
    switch (offset) {
    case IDR: /* what is outside does not change here */
        s->course.asked_ps = t_ps;
        *value = pads->fixed | (odr & pads->plain);
        return 1;
    case ODR:
        *value = odr;
        return 1;
    default:
        return 0;
    }
}

int fwgen_pins_store(Service *s, int port, uint32_t offset, uint32_t value, int64_t t_ps) {
    const Pads *pads = &s->pads[port];
    Latch *latch = &s->course.latches[port];
    const uint32_t before = (uint32_t)latch->odr;
    uint32_t after = value, moving;
    int n;
    if (offset == BSRR)
        after = (before & ~(value >> 16)) | (value & 0xFFFF);
    else if (offset != ODR || value >> 16)
        return 0;
    moving = (before ^ after) & pads->outputs;
    if (moving & ~pads->plain)
        return 0;
    for (n = 0; n < PINS; n++) {
        if (!(moving >> n & 1))
            continue;
        /* Moved again without having looked at anything: that is told of. */
        if (latch->moved_ps[n] >= 0 && t_ps - latch->moved_ps[n] >= counted_ps &&
            s->course.asked_ps <= latch->moved_ps[n])
            return 0;
        latch->moved_ps[n] = t_ps;
        if (!fwgen_tell(s, MOVED, t_ps, 0, (int)(after >> n & 1) | n << 1 | port << 5))
            return 0;
    }
    latch->odr = after;
    return 1;
}

#endif
