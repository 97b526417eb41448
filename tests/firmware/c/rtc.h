/* The RTC from the LSE, and the way into Stop and Standby. RM0368 17.3.5, 5.3. */
#ifndef RTC_H
#define RTC_H

#include "chip.h"

__attribute__((unused)) static void rtc_unlock(void)
{
    RCC_APB1ENR |= APB1_PWR;
    dsb();
#ifndef NO_DBP
    PWR_CR |= BIT(8);
#endif
#ifndef NO_KEY
    RTC_WPR = 0xCA;
    RTC_WPR = 0x53;
#endif
}

/* Clear events of RTC_ISR; the other bits stay: 1 leaves an event, INIT is 0. */
__attribute__((unused)) static void rtc_clear(uint32_t events) { RTC_ISR = ~(events | BIT(7)); }

__attribute__((unused)) static void rtc_begin(uint32_t time, uint32_t date)
{
    if ((RCC_BDCR & BIT(15)) == 0) {
        RCC_BDCR |= BIT(0);
        while (!(RCC_BDCR & BIT(1)))
            ;
        RCC_BDCR |= 1u << 8 | BIT(15);
    }
    RTC_ISR |= BIT(7);
    while (!(RTC_ISR & BIT(6)))
        ;
    RTC_PRER = 255;
    RTC_PRER |= 127u << 16;
    RTC_TR = time;
    RTC_DR = date;
    RTC_ISR &= ~BIT(7);
}

__attribute__((unused)) static void rtc_wake_each(uint32_t seconds)
{
    RTC_CR &= ~BIT(10);
    while (!(RTC_ISR & BIT(2)))
        ;
    RTC_WUTR = seconds - 1;
    RTC_CR = (RTC_CR & ~7u) | 4;
    RTC_CR |= BIT(14) | BIT(10);
}

__attribute__((unused)) static void exti_rises(unsigned line, unsigned irq)
{
#ifndef NO_EDGE
    EXTI_RTSR |= BIT(line);
#endif
    EXTI_IMR |= BIT(line);
    irq_enable(irq);
}

__attribute__((unused)) static void stop_until_interrupt(void)
{
    PWR_CR = (PWR_CR & ~3u) | BIT(0);
    SCB_SCR |= BIT(2);
    dsb();
    wfi();
    SCB_SCR &= ~BIT(2);
}

#endif
