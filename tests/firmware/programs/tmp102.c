/* A TMP102 by one-shot, ten times a second; its ALERT pin lights the LED. TI SBOS397. */
#include "bus.h"
#include "console.h"
#include "pause.h"

#ifndef CONVERT_MS
#define CONVERT_MS 30
#endif
#ifndef PART
#define PART 0x48
#endif
#ifndef LIMIT
#define LIMIT 30
#endif

static const line LED = {GPIOA, 5}, ALERT = {GPIOA, 10};

static void set_word(uint8_t at, uint16_t word)
{
    uint8_t bytes[3] = {at, word >> 8, word & 0xFF};

    bus_write(PART, bytes, 3);
}

int main(void)
{
    uint8_t got[2];

    ports_begin();
    console_begin(PART_HZ, 115200);
    bus_begin();
    output(LED, false);
    pulled_up(ALERT);
    set_word(2, (LIMIT - 2) << 8);
    set_word(3, LIMIT << 8);
    for (;;) {
        int32_t milli;

        set_word(1, 0xE1A0); /* OS and SD */
        pause_ms(CONVERT_MS);
        bus_read(PART, 0, got, 2);
        milli = (int16_t)(got[0] << 8 | got[1]) / 16 * 625 / 10;
        put_text("t ");
        if (milli < 0)
            put('-');
        put_number(milli < 0 ? -milli : milli);
        put_text("\r\n");
        set(LED, !get(ALERT));
        pause_ms(100 - CONVERT_MS);
    }
}
