/* Stop, and out of it each second by the RTC: the LED toggles. RM0368 5.3.5, 17.3.4, 17.3.3. */
#include "rtc.h"

void rtc_wkup(void)
{
#ifndef KEEP_FLAG
    rtc_clear(BIT(10));
#endif
    EXTI_PR = BIT(22);
    dsb();
}

void rtc_alarm(void)
{
    rtc_clear(BIT(8));
    EXTI_PR = BIT(17);
    dsb();
}

int main(void)
{
    RCC_AHB1ENR |= AHB1_GPIOA;
    dsb();
    pin_mode(GPIOA, 5, OUTPUT);
    rtc_unlock();
#ifdef BINARY
    rtc_begin(59u << 8, 0x252101);
#else
    rtc_begin(0x235958, 0x24B231);
#endif
#ifdef ALARM
    RTC_ALRMAR = BIT(31) | BIT(23) | BIT(15) | BIT(7); /* each second */
    exti_rises(17, RTC_ALARM_IRQ);
    RTC_CR |= BIT(12) | BIT(8);
#else
    exti_rises(22, RTC_WKUP_IRQ);
    rtc_wake_each(1);
#endif
    for (;;) {
        stop_until_interrupt();
        GPIOA->odr ^= BIT(5);
    }
}
