/* LED (PA5) blinks at 2 Hz: the SysTick interrupt turns it round, the core sleeps in between. */
#include "stm32f401.h"

static void on_tick(void);
VECTORS = {RESET(reset), SYSTICK = on_tick};

static void on_tick(void) { GPIOA->odr ^= HIGH(5); }

void reset(void)
{
    RCC->ahb1enr = RCC_AHB1ENR_GPIOA;
    dsb();
    GPIOA->moder = GPIOA_MODER_RESET | OUTPUT(5);
    tick_every(CLK / 4, SYST_CSR_CLKSOURCE);
    for (;;)
        wfi();
}
