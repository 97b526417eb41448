/* The window watchdog at 16 MHz: a step each 2.048 ms, open from 0x60 to 0x40. RM0368 16. */
#include "console.h"

static volatile uint32_t fed;

__attribute__((unused)) static void feed(void)
{
    WWDG_CR = 0x7F;
    fed++;
}

void wwdg(void)
{
    WWDG_SR = 0;
    feed();
    dsb();
}

int main(void)
{
    console_begin(16000000, 115200);
    put_text(RCC_CSR & BIT(30) ? "bitten\n" : "fresh\n");
    flush();
    RCC_CSR |= BIT(24);
    RCC_APB1ENR |= APB1_WWDG;
    dsb();
    WWDG_CFR = 3u << 7 | 0x60;
#ifdef NO_T6
    WWDG_CR = BIT(7) | 0x3F;
#endif
    WWDG_CR = BIT(7) | 0x7F;
#ifdef BY_INTERRUPT
    WWDG_SR = 0;
    WWDG_CFR |= BIT(9);
    irq_enable(WWDG_IRQ);
    for (;;)
        wfi();
#endif
#ifdef STARVE
    for (;;)
        ;
#endif
#ifdef EARLY
    SYST_RVR = 16000 * 20 - 1;
#else
    SYST_RVR = 16000 * 100 - 1; /* 100 ms: the window is open from 63 to 131 */
#endif
    SYST_CVR = 0;
    SYST_CSR = 5;
    for (;;) {
        while (!(SYST_CSR & BIT(16)))
            ;
        feed();
    }
}
