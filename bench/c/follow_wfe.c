/* LED (PA5) shows whether the button is pressed: EXTI line 13 is an event, WFE waits for it, so
 * there is nothing to acknowledge. */
#include "button.h"

VECTORS = {RESET(reset)};

void reset(void)
{
    button_begin();
    EXTI->emr = HIGH(B1);
    GPIOA->moder = GPIOA_MODER_RESET | OUTPUT(5);
    for (;;) {
        GPIOA->odr = pressed() << 5;
        wfe();
    }
}
