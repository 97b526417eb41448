/* A frame and a word on an OLED display at I2C1, cleared first; inverse half a second later. */
#include "i2c.h"
#include "oled.h"

#ifndef CCR
#define CCR FAST
#endif

void systick(void) {}

static void commands(const uint8_t *from, unsigned count)
{
    i2c_start(0x3C << 1);
    i2c_put(0x00);
    while (count--)
        i2c_put(*from++);
    i2c_stop();
}

static void show(void)
{
    commands(whole, sizeof whole);
    i2c_start(0x3C << 1);
    i2c_put(0x40);
    for (unsigned n = 0; n < sizeof frame; n++)
#ifdef NO_CLEAR
        if (!frame[n])
            break;
        else
#endif
            i2c_put(frame[n]);
    i2c_stop();
}

int main(void)
{
    static const uint8_t on = 0xAF, inverse = 0xA7;

    ports_begin();
    pause_ms(10);
    i2c_begin(CCR);
    commands(opening, sizeof opening);
    draw();
    show();
    commands(&on, 1);
    pause_ms(500);
    commands(&inverse, 1);
    for (;;)
        wfi();
}
