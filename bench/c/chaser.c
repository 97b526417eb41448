/* D2 (PA10), D3 (PB3), D4 (PB5) and D5 (PB4) in turn, 100 ms each. */
#include "stm32f401.h"

VECTORS = {RESET(reset)};

void reset(void)
{
    interrupts_off();
    RCC->ahb1enr = RCC_AHB1ENR_GPIOA | RCC_AHB1ENR_GPIOB;
    dsb();
    GPIOA->moder = GPIOA_MODER_RESET | OUTPUT(10);
    GPIOB->moder = (GPIOB_MODER_RESET & ~(LANE(3) | LANE(4))) | OUTPUT(3) | OUTPUT(4) | OUTPUT(5);
    tick_every(CLK / 10, SYST_CSR_CLKSOURCE);
    for (;;) {
        GPIOB->odr = 0;
        GPIOA->odr = HIGH(10);
        wait_for_tick();
        GPIOA->odr = 0;
        GPIOB->odr = HIGH(3);
        wait_for_tick();
        GPIOB->odr = HIGH(5);
        wait_for_tick();
        GPIOB->odr = HIGH(4);
        wait_for_tick();
    }
}
