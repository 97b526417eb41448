/* What an SSD1306 of 128 x 64 is told, whatever the bus: commands(), then data() of its memory. */
#ifndef OLED_H
#define OLED_H

#include <stdint.h>

#ifndef PINS
#define PINS 0x12
#endif
#ifndef SEGMENTS
#define SEGMENTS 0xA1
#endif
#ifndef PUMP
#define PUMP 0x14
#endif

static uint8_t frame[1024];

static const uint8_t opening[] = {
    0xAE, 0xD5, 0x80, 0xA8, 0x3F, 0xD3, 0x00, 0x40, 0x8D, PUMP, 0x20, 0x00, SEGMENTS, 0xC8,
    0xDA, PINS, 0x81, 0xCF, 0xD9, 0xF1, 0xDB, 0x40, 0xA4, 0xA6,
};
static const uint8_t whole[] = {0x21, 0, 127, 0x22, 0, 7};
static const uint8_t letters[][5] = {
    {0x7F, 0x08, 0x08, 0x08, 0x7F}, /* H */
    {0x00, 0x44, 0x7D, 0x40, 0x00}, /* i */
};

static void pixel(unsigned x, unsigned y) { frame[y / 8 * 128 + x] |= (uint8_t)(1u << y % 8); }

static void draw(void)
{
    for (unsigned x = 0; x < 128; x++)
        pixel(x, 0), pixel(x, 63);
    for (unsigned y = 0; y < 64; y++)
        pixel(0, y), pixel(127, y);
    for (unsigned n = 0; n < 2; n++)
        for (unsigned x = 0; x < 5; x++)
            frame[3 * 128 + 58 + 6 * n + x] = letters[n][x];
}

#endif
