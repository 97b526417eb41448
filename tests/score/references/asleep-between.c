/* The SysTick wakes the core twice a second. */
#include "fw.h"
void program(void)
{
    interrupts_off();
    output(LED);
    tick_every(CLK / 8 / 2, 0);
    for (int on = 1;; on = !on) {
        set(LED, on);
        for (uint32_t n = MISS_OR(100000, 0); n; n--)
            __asm volatile("nop");
        wait_for_tick();
    }
}
