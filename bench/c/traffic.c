/* Red (D2, PA10) 5 s, green (D4, PB5) 5 s, yellow (D3, PB3) 2 s: TIM2 wakes the core when a lamp
 * has had its time; its counter begins anew by itself, and is then told how far to go. */
#include "stm32f401.h"

VECTORS = {RESET(reset)};

static void shine_for(uint32_t seconds)
{
    TIM2->arr = seconds * CLK - 1;
    wfi();
    TIM2->sr = 0;
    NVIC->icpr[TIM2_IRQ / 32] = 1u << TIM2_IRQ % 32;
}

void reset(void)
{
    interrupts_off();
    RCC->ahb1enr = RCC_AHB1ENR_GPIOA | RCC_AHB1ENR_GPIOB;
    RCC->apb1enr = RCC_APB1ENR_TIM2;
    dsb();
    GPIOA->moder = GPIOA_MODER_RESET | OUTPUT(10);
    GPIOB->moder = (GPIOB_MODER_RESET & ~LANE(3)) | OUTPUT(3) | OUTPUT(5);
    TIM2->dier = TIM_DIER_UIE;
    TIM2->cr1 = TIM_CR1_CEN;
    NVIC->iser[TIM2_IRQ / 32] = 1u << TIM2_IRQ % 32;
    for (;;) {
        GPIOB->odr = 0;
        GPIOA->odr = HIGH(10);
        shine_for(5);
        GPIOA->odr = 0;
        GPIOB->odr = HIGH(5);
        shine_for(5);
        GPIOB->odr = HIGH(3);
        shine_for(2);
    }
}
