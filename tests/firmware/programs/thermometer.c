/* Once a second a DS18B20 is read and its temperature printed, in sixteenths of a degree. */
#include "pause.h"
#include "console.h"

#ifndef CONVERT_MS
#define CONVERT_MS 760
#endif
#ifndef LOW_1
#define LOW_1 6
#endif

void systick(void) {}

static const line wire = {GPIOA, 10};

static bool reset(void)
{
    bool there;

    set(wire, false);
    pause_us(500);
    set(wire, true);
    pause_us(70);
    there = !get(wire);
    pause_us(430);
    return there;
}

static bool slot(bool bit)
{
    bool seen;

    set(wire, false);
    pause_us(bit ? LOW_1 : 65);
    set(wire, true);
    pause_us(bit ? 6 : 1);
    seen = get(wire);
    pause_us(bit ? 60 : 10);
    return seen;
}

static unsigned byte(unsigned value)
{
    unsigned got = 0;

    for (int i = 0; i < 8; i++)
        got |= (unsigned)slot(value >> i & 1) << i;
    return got;
}

int main(void)
{
    ports_begin();
    console_begin(CORE_HZ, 115200);
    open_drain(wire);
    pause_ms(1);
    for (;;) {
        uint8_t pad[9], crc = 0;

        if (!reset())
            put_text("none\r\n");
        byte(0xCC);
        byte(0x44);
        pause_ms(CONVERT_MS);
        reset();
        byte(0xCC);
        byte(0xBE);
        for (int i = 0; i < 9; i++) {
            pad[i] = (uint8_t)byte(0xFF);
            crc ^= pad[i];
            for (int bit = 0; bit < 8; bit++)
                crc = (uint8_t)(crc >> 1 ^ (crc & 1 ? 0x8C : 0));
        }
        if (crc) {
            put_text("crc\r\n");
        } else {
            put_text("raw ");
            put_number((uint32_t)(pad[0] | pad[1] << 8));
            put_text("\r\n");
        }
        pause_ms(100);
    }
}
