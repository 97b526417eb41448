/* LED (PA5) blinks three times at 2 Hz when the button is pressed. A press during the blinking
 * starts it anew. TIM2 channel 1 blinks while one pulse of TIM3 lasts: until the middle of the
 * third time off. */
#include "button.h"

#define TIM_CR1_OPM (1u << 3)
#define TIM_CR2_MMS_ENABLE (1u << 4)
#define TIM_SMCR_GATED_BY_TIM3 (2u << 4 | 5u)

VECTORS = {RESET(reset)};

void reset(void)
{
    uint32_t was = 0;

    interrupts_off();
    button_begin();
    button_interrupts();
    RCC->apb1enr = RCC_APB1ENR_TIM2 | RCC_APB1ENR_TIM3;
    GPIOA->afrl = 1u << 4 * 5;
    TIM2->arr = TIM2->cnt = CLK / 2 - 1; /* rests where it is off */
    TIM2->ccr1 = CLK / 4;
    TIM2->ccmr1 = TIM_CCMR1_OC1M_PWM1;
    TIM2->ccer = TIM_CCER_CC1E;
    TIM2->smcr = TIM_SMCR_GATED_BY_TIM3;
    TIM2->cr1 = TIM_CR1_CEN;
    TIM3->psc = CLK / 1000 - 1;
    TIM3->arr = 1375 - 1;
    TIM3->cr2 = TIM_CR2_MMS_ENABLE;
    GPIOA->moder = GPIOA_MODER_RESET | ALTERNATE(5);
    for (;;) {
        wait_for_settled_edge();
        uint32_t is = pressed();
        if (is > was) {
            TIM2->egr = 1;
            TIM3->egr = 1;
            TIM3->cr1 = TIM_CR1_OPM | TIM_CR1_CEN;
        }
        was = is;
    }
}
