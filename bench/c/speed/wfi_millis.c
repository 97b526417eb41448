/* 2 Hz off a count of milliseconds, which the SysTick interrupt keeps; asleep between ticks. */
#include "speed.h"

static void on_tick(void);
VECTORS = {RESET(reset), SYSTICK = on_tick};

static volatile uint32_t millis;

static void on_tick(void) { ++millis; }

void reset(void)
{
    millis = 0;
    led_begin();
    tick_every(CLK / 1000, SYST_CSR_CLKSOURCE);
    for (uint32_t times = TIMES; times; --times) {
        uint32_t since = millis;
        while (millis - since < 250)
            wfi();
        led_toggle();
    }
    done();
}
