/* LED (PA5) blinks three times at 2 Hz when the button is pressed. */
#include "button.h"

VECTORS = {RESET(reset)};

void reset(void)
{
    uint32_t was = 0;

    interrupts_off();
    button_begin();
    button_interrupts();
    GPIOA->moder = GPIOA_MODER_RESET | OUTPUT(5);
    for (;;) {
        wait_for_settled_edge();
        uint32_t is = pressed();
        if (is > was) {
            EXTI->imr = 0; /* a release must not cut a wait short */
            tick_every(CLK / 4, SYST_CSR_CLKSOURCE);
            for (uint32_t halves = 6; halves; --halves) {
                GPIOA->odr ^= HIGH(5);
                wait_for_tick();
            }
            SYST->csr = 0;
            edge_seen();
            EXTI->imr = HIGH(B1);
            is = pressed();
        }
        was = is;
    }
}
