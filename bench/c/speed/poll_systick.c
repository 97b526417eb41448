/* 2 Hz by polling the SysTick's COUNTFLAG. */
#include "speed.h"

VECTORS = {RESET(reset)};

void reset(void)
{
    led_begin();
    SYST->rvr = CLK / 4 - 1;
    SYST->cvr = 0;
    SYST->csr = SYST_CSR_CLKSOURCE | SYST_CSR_ENABLE;
    for (uint32_t times = TIMES; times; --times) {
        while (!(SYST->csr & SYST_CSR_COUNTFLAG))
            ;
        led_toggle();
    }
    done();
}
