/* Standby and back, again and again: a backup register counts, RAM does not. RM0368 5.3.6. */
#include "console.h"
#include "rtc.h"

#define IN_RAM_WORD WORD(0x20010000) /* neither .data nor .bss: what it holds after Standby is noise */

int main(void)
{
    bool again = false;
    uint32_t count;

    console_begin(16000000, 115200);
    rtc_unlock();
    again = PWR_CSR & BIT(1);
    PWR_CR |= BIT(3); /* CSBF */
    if (!again) {
        put_text("fresh\n");
        rtc_begin(0, 0x242101);
        rtc_wake_each(1);
        RTC_BKP0R = IN_RAM_WORD = 0;
    }
#ifdef IN_RAM
    count = ++IN_RAM_WORD;
#else
    count = ++RTC_BKP0R;
#endif
    put_text("boot ");
    put_number(count);
    put('\n');
    flush();
    rtc_clear(BIT(10));
#ifndef KEEP_WUF
    PWR_CR |= BIT(2); /* CWUF */
#endif
    PWR_CR |= BIT(1);
    SCB_SCR |= BIT(2);
    dsb();
    for (;;)
        wfi();
}
