/* The miss: it does not mind the sign. */
#include "fw.h"

static void low_for(uint32_t us)
{
    set(D2, 0);
    mode(D2, 1);
    until(now() + us);
    mode(D2, 0);
}
static void reset_bus(void)
{
    low_for(500);
    until(now() + 500);
}
static void write(uint32_t byte)
{
    for (int n = 0; n < 8; n++, byte >>= 1) {
        uint32_t t = now();
        low_for(byte & 1 ? 3 : 65);
        until(t + 80);
    }
}
static uint32_t read(void)
{
    uint32_t byte = 0;
    for (int n = 0; n < 8; n++) {
        uint32_t t = now();
        low_for(2);
        until(t + 11);
        byte |= (uint32_t)level(D2) << n;
        until(t + 80);
    }
    return byte;
}
void program(void)
{
    uint32_t t = now();
    console();
    for (;;) {
        int32_t degrees;
        uint32_t raw;
        reset_bus();
        write(0xCC);
        write(0x44);
        until(t + 800 * MS);
        reset_bus();
        write(0xCC);
        write(0xBE);
        raw = read();
        raw |= read() << 8;
        degrees = (int16_t)raw / 16;
        if (degrees < 0) {
            put(MISS_OR('+', '-'));
            degrees = -degrees;
        }
        number((uint32_t)degrees);
        line(" C");
        after(&t, S);
    }
}
