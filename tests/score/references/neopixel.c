/* Five bits of SPI at 4 MHz make one of the LEDs': 11000 is 0, 11100 is 1.
 * The miss: red is sent first. */
#include "fw.h"

struct spi {
    volatile uint32_t cr1, cr2, sr, dr;
};
#define SPI1 ((struct spi *)0x40013000)
enum { LEDS = 3 };

void program(void)
{
    static const uint8_t colours[LEDS][3] = {{0x20, 0, 0}, {0, 0x20, 0}, {0, 0, 0x20}};
    static const uint8_t order[3] = {MISS_OR(0, 1), MISS_OR(1, 0), 2};
    uint8_t stream[LEDS * 15 + 1];
    uint32_t bits = 0, held = 0, size = 0;
    for (uint32_t led = 0; led < LEDS; led++)
        for (uint32_t n = 0; n < 24; n++) {
            uint32_t one = colours[led][order[n / 8]] >> (7 - n % 8) & 1;
            held = held << 5 | (one ? 0x1C : 0x18);
            for (bits += 5; bits >= 8; bits -= 8)
                stream[size++] = (uint8_t)(held >> (bits - 8));
        }
    stream[size++] = 0;
    RCC->apb2enr |= 1u << 12;
    dsb();
    GPIOA->afrl |= 5u << 4 * 7;
    GPIOA->pupdr |= 2u << 2 * 7;
    SPI1->cr1 = 1u << 9 | 1u << 8 | 1u << 3 | 1u << 2; /* SSM SSI, CLK/4, MSTR */
    SPI1->cr1 |= 1u << 6;
    until(now() + 400);
    mode(D11, 2);
    for (uint32_t i = 0; i < size; i++) {
        while (!(SPI1->sr & 2))
            ;
        SPI1->dr = stream[i];
    }
    for (;;)
        until(now() + S);
}
