/* USART2 with hardware flow control (RM0368 19.3.14): the bench's CTS on PA0 holds the text back. */
#include "clock.h"
#include "console.h"

#ifndef CR3
#define CR3 (BIT(8) | BIT(9)) /* RTSE, CTSE */
#endif

int main(void)
{
    clock_84_mhz(true);
    console_begin(PCLK1, 115200);
    GPIOA->pupdr |= 1u; /* nobody there: not clear to send */
#ifndef NO_CTS_PIN
    pin_function(GPIOA, 0, 7);
#endif
    pin_function(GPIOA, 1, 7);
    USART2->cr3 = CR3;
    put_text("clear to send\n");
    for (;;) {
        while (!(USART2->sr & BIT(5)))
            ;
        for (volatile int n = 0; n < 200000; n++)
            ; /* busy: RTS is high meanwhile */
        put((char)USART2->dr);
        put('\n');
    }
}
