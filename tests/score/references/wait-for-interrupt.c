/* EXTI line 13 wakes the core. */
#include "button.h"
#include "fw.h"
void program(void)
{
    uint32_t was = 0;
    int on = 0;
    interrupts_off();
    RCC->apb2enr |= RCC_APB2ENR_SYSCFG;
    dsb();
    SYSCFG->exticr4 = 2u << 4 * (B1 - 12);
    EXTI->rtsr = HIGH(B1);
    EXTI->ftsr = HIGH(B1);
    output(LED);
    button_interrupts();
    for (;;) {
        wait_for_settled_edge();
        if (pressed() == MISS_OR(0, 1) && !was)
            set(LED, on = !on);
        was = pressed() == MISS_OR(0, 1);
    }
}
