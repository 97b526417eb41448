/* LED (PA5) at 5 Hz while the button is held, otherwise at 1 Hz. A change of the button begins
 * a new half period; bounces begin it anew, and nothing is seen of them. */
#include "button.h"

VECTORS = {RESET(reset)};

void reset(void)
{
    uint32_t was = 2; /* neither: the first look begins a half period */

    interrupts_off();
    button_begin();
    button_interrupts();
    GPIOA->moder = GPIOA_MODER_RESET | OUTPUT(5);
    for (;;) {
        uint32_t is = pressed();
        if (is != was) {
            was = is;
            tick_every(is ? CLK / 10 : CLK / 2, SYST_CSR_CLKSOURCE);
        }
        wfi();
        if (SCB->icsr & SCB_ICSR_PENDSTSET) {
            SCB->icsr = SCB_ICSR_PENDSTCLR;
            GPIOA->odr ^= HIGH(5);
        }
        edge_seen();
    }
}
