/* "count 0", "count 1" ... over the console, every 500 ms. */
#include "console.h"

VECTORS = {RESET(reset)};

void reset(void)
{
    interrupts_off();
    console_begin(0);
    tick_every(CLK / 2, SYST_CSR_CLKSOURCE);
    for (uint32_t n = 0;; ++n) {
        put_text("count ");
        put_number(n);
        put_text("\r\n");
        wait_for_tick();
    }
}
