/* LED (PA5) blinks at 2 Hz: TIM2 channel 1 drives the pin, the core sleeps for good. */
#include "stm32f401.h"

VECTORS = {RESET(reset)};

void reset(void)
{
    RCC->ahb1enr = RCC_AHB1ENR_GPIOA;
    RCC->apb1enr = RCC_APB1ENR_TIM2;
    dsb();
    GPIOA->afrl = 1u << 4 * 5;
    TIM2->arr = CLK / 2 - 1;
    TIM2->ccr1 = CLK / 4;
    TIM2->ccmr1 = TIM_CCMR1_OC1M_PWM1;
    TIM2->ccer = TIM_CCER_CC1E;
    GPIOA->moder = GPIOA_MODER_RESET | ALTERNATE(5);
    TIM2->cr1 = TIM_CR1_CEN;
    for (;;)
        wfi();
}
