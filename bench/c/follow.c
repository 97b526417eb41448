/* LED (PA5) shows whether the button is pressed: copied at every edge, asleep in between. */
#include "button.h"

VECTORS = {RESET(reset)};

void reset(void)
{
    interrupts_off();
    button_begin();
    button_interrupts();
    GPIOA->moder = GPIOA_MODER_RESET | OUTPUT(5);
    for (;;) {
        edge_seen();
        GPIOA->odr = pressed() << 5;
        wfi();
    }
}
