/* The SysTick wakes the core twice a second. */
#include "fw.h"
void program(void)
{
    interrupts_off();
    output(LED);
    tick_every(CLK / 8 / 2, 0);
    for (int on = 1;; on = !on) {
        uint32_t t = now();
        set(LED, on);
        if (MISS_OR(1, 0))
            until(t + 20 * MS);
        wait_for_tick();
    }
}
