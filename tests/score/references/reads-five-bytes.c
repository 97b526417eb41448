/* What comes while a line is said is taken, too. */
#include "fw.h"
void program(void)
{
    char packet[5], out[64];
    uint32_t n = 0, in = 0, said = 0;
    console();
    for (;;) {
        if (heard()) {
            packet[n++] = get();
            if (n == 5) {
                for (n = 5; n; n--)
                    out[in++ % sizeof out] = packet[MISS_OR(5 - n, n - 1)];
                out[in++ % sizeof out] = '\r';
                out[in++ % sizeof out] = '\n';
            }
        }
        if (in != said && USART2->sr & USART_SR_TXE)
            USART2->dr = (uint8_t)out[said++ % sizeof out];
        if (in == said)
            while (!heard())
                ;
    }
}
