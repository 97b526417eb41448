/* A DS3231 wakes the chip's loop once a second by alarm 1, and is read. Maxim 19-5170. */
#include "bus.h"
#include "console.h"
#include "pause.h"

#define PART 0x68
#ifndef MASKS
#define MASKS 0x80, 0x80, 0x80, 0x80 /* once a second */
#endif

static const line TICK = {GPIOA, 10};

static void two(uint8_t bcd)
{
    put('0' + (bcd >> 4));
    put('0' + (bcd & 15));
}

int main(void)
{
    static const uint8_t alarm[] = {7, MASKS};
    static const char between[] = "-- ::";
    static const uint8_t order[] = {6, 5, 4, 2, 1, 0};
    uint8_t got[7];

    ports_begin();
    console_begin(PART_HZ, 115200);
    bus_begin();
    pulled_up(TICK);
    if (bus_get(PART, 0x0F) & 0x80)
        put_text("lost\r\n");
    bus_write(PART, alarm, sizeof alarm);
#ifdef SET
    {
        static const uint8_t time[] = {0, 0x57, 0x59, 0x23, SET, 0x28, 0x02, 0x24};

        bus_write(PART, time, sizeof time);
    }
#endif
    bus_set(PART, 0x0F, 0);
    bus_set(PART, 0x0E, 0x05); /* INTCN, A1IE */
    for (;;) {
        while (GPIOA->idr & BIT(10))
            ;
        bus_read(PART, 0, got, sizeof got);
        put_text("20");
        for (unsigned n = 0; n < 6; n++) {
            two(n == 1 ? got[order[n]] & 0x1F : got[order[n]]);
            if (n < 5)
                put(between[n]);
        }
        put_text("\r\n");
#ifdef KEEP_FLAG
        while (!(GPIOA->idr & BIT(10)))
            ;
#endif
        bus_set(PART, 0x0F, 0);
    }
}
