/* An alarm by minute and second, told with the time that it is. RM0368 17.3.3, 17.3.6. */
#include "console.h"
#include "rtc.h"

void rtc_alarm(void)
{
    rtc_clear(BIT(8));
    EXTI_PR = BIT(17);
    dsb();
}

static void put_time(void)
{
#ifndef UNSYNCHRONISED
    RTC_ISR = ~(BIT(7) | BIT(5)); /* out of Stop the shadow registers are old */
    while (!(RTC_ISR & BIT(5)))
        ;
#endif
    uint32_t time = RTC_TR, date = RTC_DR;

    put_hex(date);
    put(' ');
    put_hex(time);
    put('\n');
    flush();
}

int main(void)
{
    console_begin(16000000, 115200);
    rtc_unlock();
    rtc_begin(0x235958, 0x242228);
#ifdef NOT_OFF
    RTC_CR |= BIT(8);
    while (RTC_ISR & BIT(0))
        ;
#endif
    RTC_ALRMAR = BIT(31) | BIT(23) | 0x0003; /* at 3 s of minute 0 */
    exti_rises(17, RTC_ALARM_IRQ);
    RTC_CR |= BIT(12) | BIT(8);
    for (;;) {
        stop_until_interrupt();
        put_time();
    }
}
