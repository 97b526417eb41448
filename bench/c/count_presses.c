/* The number of presses so far over the console, at each press of the button, which bounces. */
#include "button.h"
#include "console.h"

VECTORS = {RESET(reset)};

void reset(void)
{
    uint32_t was = 0, presses = 0;

    interrupts_off();
    button_begin();
    button_interrupts();
    console_begin(RCC_AHB1ENR_GPIOC);
    for (;;) {
        wait_for_settled_edge();
        uint32_t is = pressed();
        if (is > was) {
            put_number(++presses);
            put_text("\r\n");
        }
        was = is;
    }
}
