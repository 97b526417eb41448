/* The LED tells whether PA0 is above half the supply, by the ADC; HANG waits for it for ever. */
#include "chip.h"

int main(void)
{
    RCC_AHB1ENR |= AHB1_GPIOA;
    RCC_APB2ENR |= BIT(8); /* ADC1 */
    dsb();
    pin_mode(GPIOA, 0, ANALOG);
    pin_mode(GPIOA, 5, OUTPUT);
    WORD(0x40012008) = 1; /* CR2: ADON */
    for (volatile int n = 0; n < 100; n++)
        ;
    WORD(0x40012008) |= BIT(30); /* SWSTART */
#ifdef HANG
    while (!(WORD(0x40012000) & BIT(1))) /* SR: EOC */
        ;
#endif
    if (WORD(0x4001204C) < 2048)
        GPIOA->bsrr = BIT(5);
    for (;;)
        wfi();
}
