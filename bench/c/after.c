/* LED (PA5) goes on after 5 s. */
#include "stm32f401.h"

VECTORS = {RESET(reset)};

void reset(void)
{
    interrupts_off();
    RCC->ahb1enr = RCC_AHB1ENR_GPIOA;
    dsb();
    GPIOA->moder = GPIOA_MODER_RESET | OUTPUT(5);
    tick_every(5 * (CLK / 8), 0);
    wfi();
    GPIOA->odr = HIGH(5);
    SYST->csr = 0;
    SCB->icsr = SCB_ICSR_PENDSTCLR;
    for (;;)
        wfi();
}
