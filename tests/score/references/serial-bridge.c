/* Byte by byte; the slow side has a line's worth of room. */
#include "fw.h"
void program(void)
{
    char waiting[64];
    uint32_t in = 0, out = 0;
    console();
    second_port(BAUD_9600);
    for (;;) {
        if (USART1->sr & USART_SR_RXNE)
            put((char)MISS_OR(USART1->dr & 0xDF, USART1->dr));
        if (heard())
            waiting[in++ % sizeof waiting] = get();
        if (in != out && USART1->sr & USART_SR_TXE)
            USART1->dr = (uint8_t)waiting[out++ % sizeof waiting];
        if (in == out)
            while (!heard() && !(USART1->sr & USART_SR_RXNE))
                ;
    }
}
