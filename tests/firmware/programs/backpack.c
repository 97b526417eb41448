/* Text on a character display behind a PCF8574; its light goes out while nobody reads. */
#include "i2c.h"

#ifndef CCR
#define CCR STANDARD
#endif
#ifndef ADDRESS
#define ADDRESS 0x27
#endif

#ifndef AFTER_CLEAR
#define AFTER_CLEAR 2000
#endif

void systick(void) {}

enum { RS = 1, RW = 2, E = 4, LIGHT = 8 };

static void nibble(uint8_t lines)
{
#ifdef TOGETHER /* RS and E move at once */
    const uint8_t moves[] = {lines | E, lines};
#else
    const uint8_t moves[] = {lines, lines | E, lines};
#endif

    i2c_send(ADDRESS, moves, sizeof moves);
}

static void wait(void)
{
#ifdef BY_FLAG
    uint8_t read = 0xF0 | RW | LIGHT, high = read | E;
    bool busy;

    do {
        i2c_send(ADDRESS, &read, 1);
        i2c_send(ADDRESS, &high, 1);
        busy = i2c_get(ADDRESS) & 0x80;
        i2c_send(ADDRESS, &read, 1);
        i2c_send(ADDRESS, &high, 1);
        i2c_send(ADDRESS, &read, 1);
    } while (busy);
#else
    pause_us(50);
#endif
}

static void byte(uint8_t value, uint8_t lines)
{
    nibble((value & 0xF0) | lines | LIGHT);
    nibble((uint8_t)(value << 4) | lines | LIGHT);
    wait();
}

static void text(const char *t)
{
    while (*t)
        byte((uint8_t)*t++, RS);
}

int main(void)
{
    static const uint8_t dark = 0;

    ports_begin();
    i2c_begin(CCR);
    pause_ms(50);
    nibble(0x30 | LIGHT);
    pause_ms(5);
    nibble(0x30 | LIGHT);
    pause_us(200);
    nibble(0x30 | LIGHT);
    pause_us(50);
    nibble(0x20 | LIGHT);
    pause_us(50);
    byte(0x28, 0);
    byte(0x0C, 0);
    byte(0x06, 0);
    byte(0x01, 0);
#ifndef BY_FLAG
    pause_us(AFTER_CLEAR);
#endif
    text("Hello,");
    byte(0xC0, 0);
    text("world!");
    pause_ms(300);
    i2c_send(ADDRESS, &dark, 1);
    for (;;)
        wfi();
}
