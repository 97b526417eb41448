/* A millisecond count by the SysTick at 84 MHz; the main loop polls it. */
#include "clock.h"
#include "console.h"

#ifndef GPIO_CLOCK
#define GPIO_CLOCK AHB1_GPIOA
#endif

static volatile uint32_t ticks;

void systick(void) { ticks++; }

int main(void)
{
#ifdef HSE
    clock_84_mhz(true);
#else
    clock_84_mhz(false);
#endif
#ifdef PORT_FIRST
    GPIOA->moder |= 1u << 2 * 5; /* before its clock */
#endif
    RCC_AHB1ENR |= GPIO_CLOCK;
    dsb();
#ifdef WHOLE_PORT
    GPIOA->moder = 1u << 2 * 5; /* takes PA13 and PA14 from the debugger */
#else
    pin_mode(GPIOA, 5, OUTPUT);
#endif
    console_begin(PCLK1, 115200);
    SYST_RVR = HCLK / 1000 - 1;
    SYST_CVR = 0;
    SYST_CSR = 7;
    put_text("ready\r\n");
    for (uint32_t next = 250, n = 0;; next += 250) {
        while ((int32_t)(ticks - next) < 0)
            ;
        GPIOA->odr ^= BIT(5);
        if (++n % 2 == 0) {
            put_text("at ");
            put_number(ticks);
            put_text(" ms\r\n");
        }
    }
}
