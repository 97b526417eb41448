/* The button toggles the LED: EXTI line 13 starts a quiet time of 20 ms, its end decides. */
#include "chip.h"

#ifndef PORT_C
#define PORT_C 2u
#endif

static volatile uint32_t quiet;
static bool down;

void exti15_10(void)
{
    EXTI_PR = BIT(13);
#ifdef NAIVE
    GPIOA->odr ^= BIT(5);
#endif
    quiet = 20;
    SYST_CSR = 7;
    dsb();
}

void systick(void)
{
    if (--quiet)
        return;
    SYST_CSR = 0;
    bool now = !(GPIOC->idr & BIT(13));
#ifndef NAIVE
    if (now && !down)
        GPIOA->odr ^= BIT(5);
#endif
    down = now;
}

int main(void)
{
    RCC_AHB1ENR |= AHB1_GPIOA | AHB1_GPIOC;
#ifndef NO_SYSCFG_CLOCK
    RCC_APB2ENR |= APB2_SYSCFG;
#endif
    dsb();
    pin_mode(GPIOA, 5, OUTPUT);
    SYSCFG_EXTICR4 = (SYSCFG_EXTICR4 & ~0xF0u) | PORT_C << 4;
    EXTI_RTSR |= BIT(13);
    EXTI_FTSR |= BIT(13);
    EXTI_IMR |= BIT(13);
    SYST_RVR = 16000 - 1;
    SYST_CVR = 0;
    irq_enable(EXTI15_10_IRQ);
    for (;;)
        wfi();
}
