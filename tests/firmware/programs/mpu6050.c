/* An MPU-6050 at 50 Hz: its INT pin says when, gravity is printed, turning lights the LED.
 * InvenSense RM-MPU-6000A. */
#include "bus.h"
#include "console.h"
#include "pause.h"

#ifndef UP_MS
#define UP_MS 100
#endif
#ifndef WAKE
#define WAKE 1u /* by the gyroscope's clock */
#endif
#ifndef SETTLE_MS
#define SETTLE_MS 35
#endif
#ifndef RANGE
#define RANGE 1u /* 4 g, 500 degrees per second */
#endif
#define PART 0x68

static const line LED = {GPIOA, 5};

static int16_t value(const uint8_t *at) { return (int16_t)(at[0] << 8 | at[1]); }

static void put_signed(int32_t n)
{
    if (n < 0)
        put('-');
    put_number(n < 0 ? -n : n);
}

int main(void)
{
    uint8_t got[14];

    ports_begin();
    console_begin(PART_HZ, 115200);
    output(LED, false);
    pin_mode(GPIOA, 10, INPUT);
    pause_ms(UP_MS);
    bus_begin();
    if (bus_get(PART, 0x75) != 0x68)
        for (;;)
            wfi();
    bus_set(PART, 0x6B, WAKE);
    bus_set(PART, 0x1A, 3);
    bus_set(PART, 0x19, 19);
    bus_set(PART, 0x1B, RANGE << 3);
    bus_set(PART, 0x1C, RANGE << 3);
    bus_set(PART, 0x37, BIT(5)); /* latched until INT_STATUS is read */
    bus_set(PART, 0x38, 1);
    pause_ms(SETTLE_MS);
    for (unsigned n = 0;; n++) {
        int32_t turn;

        while (!(GPIOA->idr & BIT(10)))
            ;
#ifndef KEEP_FLAG
        bus_get(PART, 0x3A);
#endif
        bus_read(PART, 0x3B, got, sizeof got);
        turn = value(got + 12) * 10 / 655;
        set(LED, turn > 45 || turn < -45);
        if (n % 10 == 0) {
            put_text("g");
            for (unsigned axis = 0; axis < 3; axis++) {
                put(' ');
                put_signed(value(got + 2 * axis) * 1000 / 8192);
            }
            put_text("\r\n");
        }
    }
}
