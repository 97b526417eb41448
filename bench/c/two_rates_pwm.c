/* LED (PA5) at 2 Hz by TIM2 channel 1, D4 (PB5) at 3 Hz by TIM3 channel 2; the core sleeps. */
#include "stm32f401.h"

VECTORS = {RESET(reset)};

void reset(void)
{
    RCC->ahb1enr = RCC_AHB1ENR_GPIOA | RCC_AHB1ENR_GPIOB;
    RCC->apb1enr = RCC_APB1ENR_TIM2 | RCC_APB1ENR_TIM3;
    dsb();
    GPIOA->afrl = 1u << 4 * 5;
    GPIOB->afrl = 2u << 4 * 5;
    TIM2->arr = CLK / 2 - 1;
    TIM2->ccr1 = CLK / 4;
    TIM2->ccmr1 = TIM_CCMR1_OC1M_PWM1;
    TIM2->ccer = TIM_CCER_CC1E;
    TIM3->psc = CLK / 30000 - 1; /* prescaled by the first update, forced here */
    TIM3->egr = 1;
    TIM3->arr = 10000 - 1;
    TIM3->ccr2 = 5000;
    TIM3->ccmr1 = TIM_CCMR1_OC2M_PWM1;
    TIM3->ccer = TIM_CCER_CC2E;
    GPIOA->moder = GPIOA_MODER_RESET | ALTERNATE(5);
    GPIOB->moder = GPIOB_MODER_RESET | ALTERNATE(5);
    TIM2->cr1 = TIM_CR1_CEN;
    TIM3->cr1 = TIM_CR1_CEN;
    for (;;)
        wfi();
}
