/* Streams lines of 16 bytes over USART2 at 115200 baud, polling TXE. */
#include "speed.h"

VECTORS = {RESET(reset)};

void reset(void)
{
    RCC->ahb1enr = RCC_AHB1ENR_GPIOA;
    RCC->apb1enr = RCC_APB1ENR_USART2;
    dsb();
    GPIOA->afrl = 7u << 4 * 2;
    GPIOA->moder = GPIOA_MODER_RESET | ALTERNATE(2);
    USART2->brr = BAUD_115200;
    USART2->cr1 = USART_CR1_UE | USART_CR1_TE;
    for (uint32_t times = TIMES; times; --times)
        for (const char *at = "0123456789abcd\r\n"; *at; ++at) {
            while (!(USART2->sr & USART_SR_TXE))
                ;
            USART2->dr = (uint8_t)*at;
        }
    done();
}
