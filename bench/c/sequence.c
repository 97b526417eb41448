/* LED (PA5) blinks three times at 2 Hz, then D2 (PA10) goes on. */
#include "stm32f401.h"

VECTORS = {RESET(reset)};

void reset(void)
{
    uint32_t halves = 5;

    interrupts_off();
    RCC->ahb1enr = RCC_AHB1ENR_GPIOA;
    dsb();
    GPIOA->odr = HIGH(5);
    GPIOA->moder = GPIOA_MODER_RESET | OUTPUT(5) | OUTPUT(10);
    tick_every(CLK / 4, SYST_CSR_CLKSOURCE);
    do {
        wait_for_tick();
        GPIOA->odr ^= HIGH(5);
    } while (--halves);
    wfi();
    GPIOA->odr = HIGH(10);
    SYST->csr = 0;
    SCB->icsr = SCB_ICSR_PENDSTCLR;
    for (;;)
        wfi();
}
