/* USART1 as a LIN slave on PA9 and PA10 at 9600 baud (RM0368 19.3.8): a header that asks for 0x3C
 * (break, 0x55, 0x3C) is told on the console. */
#include "clock.h"
#include "console.h"

#ifndef LINEN
#define LINEN BIT(14)
#endif
#ifndef LBDL
#define LBDL BIT(5) /* eleven bits */
#endif
#define USART1 ((usart *)0x40011000)

int main(void)
{
    unsigned at = 0;

    clock_84_mhz(true);
    console_begin(PCLK1, 115200);
    RCC_APB2ENR |= BIT(4);
    dsb();
    GPIOA->pupdr |= 1u << 20;
    pin_function(GPIOA, 9, 7);
    pin_function(GPIOA, 10, 7);
    USART1->brr = (HCLK + 4800) / 9600;
    USART1->cr2 = LINEN | LBDL;
    USART1->cr1 = BIT(13) | BIT(3) | BIT(2);
    for (;;) {
        uint32_t sr = USART1->sr;

        if (sr & BIT(5)) {
            uint32_t c = USART1->dr; /* clears FE of the break, too */

            if (at == 1 && !(sr & BIT(1)))
                at = c == 0x55 ? 2 : 0;
            else if (at == 2) {
                put_text(c == 0x3C ? "header 3C\n" : "another header\n");
                at = 0;
            }
        }
        if (sr & BIT(8)) {
            USART1->sr = ~BIT(8);
            at = 1;
        }
    }
}
