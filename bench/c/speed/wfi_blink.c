/* 2 Hz by the SysTick interrupt; the core sleeps in between. */
#include "speed.h"

static void on_tick(void);
VECTORS = {RESET(reset), SYSTICK = on_tick};

static uint32_t times;

static void on_tick(void)
{
    led_toggle();
    if (!--times)
        done();
}

void reset(void)
{
    times = TIMES;
    led_begin();
    tick_every(CLK / 4, SYST_CSR_CLKSOURCE);
    for (;;)
        wfi();
}
