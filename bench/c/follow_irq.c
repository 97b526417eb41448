/* LED (PA5) shows whether the button is pressed: the EXTI interrupt copies it at every edge. */
#include "button.h"

static void on_edge(void);
VECTORS = {RESET(reset), IRQ(EXTI15_10_IRQ) = on_edge};

static void on_edge(void)
{
    EXTI->pr = HIGH(B1);
    GPIOA->odr = pressed() << 5;
}

void reset(void)
{
    button_begin();
    GPIOA->moder = GPIOA_MODER_RESET | OUTPUT(5);
    GPIOA->odr = pressed() << 5;
    button_interrupts();
    for (;;)
        wfi();
}
