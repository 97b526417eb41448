/* Touches peripherals one after another: TOUCH is a list of {enable register, bit, base}. */
#include "chip.h"

static const struct {
    uint32_t enable, bit, base;
} touched[] = {TOUCH};

int main(void)
{
    RCC_AHB1ENR |= AHB1_GPIOA;
    dsb();
    pin_mode(GPIOA, 5, OUTPUT);
    GPIOA->bsrr = BIT(5);
    for (unsigned n = 0; n < sizeof touched / sizeof *touched; n++) {
        if (touched[n].enable)
            WORD(touched[n].enable) |= BIT(touched[n].bit);
        dsb();
        WORD(touched[n].base) = WORD(touched[n].base);
    }
    for (;;)
        wfi();
}
