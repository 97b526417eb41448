/* LED (PA5) turns round at each press of the button, which bounces. */
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
        if (is > was)
            GPIOA->odr ^= HIGH(5);
        was = is;
    }
}
