/* LED (PA5) blinks three times at 2 Hz when the button is pressed. A press during the blinking
 * starts it anew. TIM2 channel 1 blinks; the core counts its rounds and looks at the button. */
#include "button.h"

#define TIM_CR1_URS (1u << 2)
#define TIM_CCMR1_OC1M_FORCE_INACTIVE (4u << 4)

VECTORS = {RESET(reset)};

void reset(void)
{
    uint32_t was = 0, rounds = 0;

    interrupts_off();
    button_begin();
    button_interrupts();
    RCC->apb1enr = RCC_APB1ENR_TIM2;
    GPIOA->afrl = 1u << 4 * 5;
    GPIOA->moder = GPIOA_MODER_RESET | ALTERNATE(5);
    TIM2->arr = CLK / 2 - 1;
    TIM2->ccr1 = CLK / 4;
    TIM2->ccmr1 = TIM_CCMR1_OC1M_FORCE_INACTIVE;
    TIM2->ccer = TIM_CCER_CC1E;
    TIM2->dier = TIM_DIER_UIE;
    NVIC->iser[0] = 1u << TIM2_IRQ;
    for (;;) {
        wfi();
        if (EXTI->pr & EXTI->imr) { /* it moves: look again when it has rested for 20 ms */
            EXTI->imr = 0;
            edge_seen();
            tick_every(CLK / 50, SYST_CSR_CLKSOURCE);
        }
        if (SCB->icsr & SCB_ICSR_PENDSTSET) {
            SYST->csr = 0;
            SCB->icsr = SCB_ICSR_PENDSTCLR;
            edge_seen();
            EXTI->imr = HIGH(B1);
            uint32_t is = pressed();
            if (is > was) {
                TIM2->cr1 = TIM_CR1_URS | TIM_CR1_CEN;
                TIM2->egr = 1;
                TIM2->ccmr1 = TIM_CCMR1_OC1M_PWM1;
                rounds = 3;
            }
            was = is;
        }
        if (TIM2->sr & TIM_SR_UIF) {
            TIM2->sr = 0;
            NVIC->icpr[0] = 1u << TIM2_IRQ;
            if (!--rounds) {
                TIM2->cr1 = 0;
                TIM2->ccmr1 = TIM_CCMR1_OC1M_FORCE_INACTIVE;
            }
        }
    }
}
