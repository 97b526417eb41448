/* About 2 Hz by counting a register down. */
#include "speed.h"

VECTORS = {RESET(reset)};

static inline void delay(uint32_t n)
{
    __asm volatile("1: subs %0, %0, #1\n   bne 1b" : "+r"(n)::"cc");
}

void reset(void)
{
    led_begin();
    for (uint32_t times = TIMES; times; --times) {
        led_toggle();
        delay(CLK / 4 / 3);
    }
    done();
}
