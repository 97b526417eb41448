/* The miss: blue. */
#include "fw.h"

struct spi {
    volatile uint32_t cr1, cr2, sr, dr;
};
#define SPI1 ((struct spi *)0x40013000)

void program(void)
{
    static const uint8_t frame[12] = {
        0, 0, 0, 0, 0xFF, MISS_OR(0xFF, 0), 0, MISS_OR(0, 0xFF), 0xFF, 0xFF, 0xFF, 0xFF,
    };
    RCC->apb2enr |= 1u << 12;
    dsb();
    GPIOA->afrl |= 5u << 4 * 5 | 5u << 4 * 7;
    SPI1->cr1 = 1u << 9 | 1u << 8 | 3u << 3 | 1u << 2; /* SSM SSI, CLK/16, MSTR */
    SPI1->cr1 |= 1u << 6;
    mode(D11, 2);
    mode(LED, 2);
    for (uint32_t i = 0; i < sizeof frame; i++) {
        while (!(SPI1->sr & 2))
            ;
        SPI1->dr = frame[i];
    }
    for (;;)
        until(now() + S);
}
