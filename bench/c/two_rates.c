/* LED (PA5) at 2 Hz and D4 (PB5) at 3 Hz: twelve ticks a second, the core sleeps in between. */
#include "stm32f401.h"

VECTORS = {RESET(reset)};

void reset(void)
{
    uint32_t led = 0, d4 = 0;

    interrupts_off();
    RCC->ahb1enr = RCC_AHB1ENR_GPIOA | RCC_AHB1ENR_GPIOB;
    dsb();
    GPIOA->moder = GPIOA_MODER_RESET | OUTPUT(5);
    GPIOB->moder = GPIOB_MODER_RESET | OUTPUT(5);
    tick_every(CLK / 12, SYST_CSR_CLKSOURCE);
    for (;;) {
        wait_for_tick();
        if (++led == 3) {
            led = 0;
            GPIOA->odr ^= HIGH(5);
        }
        if (++d4 == 2) {
            d4 = 0;
            GPIOB->odr ^= HIGH(5);
        }
    }
}
