/* The seconds since reset over the console, every second. */
#include "console.h"

VECTORS = {RESET(reset)};

void reset(void)
{
    interrupts_off();
    console_begin(0);
    tick_every(CLK, SYST_CSR_CLKSOURCE);
    for (uint32_t seconds = 0;; ++seconds) {
        put_number(seconds);
        put_text("\r\n");
        wait_for_tick();
    }
}
