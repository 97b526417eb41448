/* "hello" over the console, at once and then every second. */
#include "console.h"

VECTORS = {RESET(reset)};

void reset(void)
{
    interrupts_off();
    console_begin(0);
    tick_every(CLK, SYST_CSR_CLKSOURCE);
    for (;;) {
        put_text("hello\r\n");
        wait_for_tick();
    }
}
