/* About 2 Hz by a volatile counter in RAM, as beginners write it; to be compiled at -O0. */
#include "speed.h"

VECTORS = {RESET(reset)};

static void delay(uint32_t n)
{
    for (volatile uint32_t i = 0; i < n; i++)
        ;
}

void reset(void)
{
    led_begin();
    for (uint32_t times = TIMES; times; --times) {
        led_toggle();
        delay(CLK / 4 / 16);
    }
    done();
}
