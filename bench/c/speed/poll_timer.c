/* 2 Hz by polling the update flag of TIM2. */
#include "speed.h"

VECTORS = {RESET(reset)};

void reset(void)
{
    led_begin();
    RCC->apb1enr = RCC_APB1ENR_TIM2;
    dsb();
    TIM2->arr = CLK / 4 - 1;
    TIM2->dier = TIM_DIER_UIE; /* not enabled in the NVIC; QEMU raises the flag only so */
    TIM2->cr1 = TIM_CR1_CEN;
    for (uint32_t times = TIMES; times; --times) {
        while (!(TIM2->sr & TIM_SR_UIF))
            ;
        TIM2->sr = 0;
        led_toggle();
    }
    done();
}
