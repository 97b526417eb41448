/* SOS in morse on LED (PA5), a dot is 100 ms. The table holds how long on, off, on ... in dots.
 * A reload written now counts from the next tick on, so it is what follows the
 * duration that runs. */
#include "stm32f401.h"

VECTORS = {RESET(reset)};

static const uint8_t dots[] = {1, 1, 1, 1, 1, 3, 3, 1, 3, 1, 3, 3, 1, 1, 1, 1, 1, 7};

void reset(void)
{
    interrupts_off();
    RCC->ahb1enr = RCC_AHB1ENR_GPIOA;
    dsb();
    GPIOA->odr = HIGH(5);
    GPIOA->moder = GPIOA_MODER_RESET | OUTPUT(5);
    tick_every(CLK / 10, SYST_CSR_CLKSOURCE);
    for (uint32_t next = 1;;) {
        SYST->rvr = dots[next] * (CLK / 10) - 1;
        if (++next == sizeof dots)
            next = 0;
        wait_for_tick();
        GPIOA->odr ^= HIGH(5);
    }
}
