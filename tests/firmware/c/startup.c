/* Vectors, what runs before main, and handlers for what a program does not handle. */
#include "chip.h"

extern uint32_t stack_top, data_from, data_start, data_end, bss_start, bss_end;
int main(void);

void stray(void)
{
    for (;;)
        ;
}

void reset(void)
{
    const uint32_t *from = &data_from;

#if defined(__ARM_FP) && !defined(NO_CPACR)
    SCB_CPACR |= 15u << 20;
    dsb();
    isb();
#endif
    for (uint32_t *to = &data_start; to != &data_end;)
        *to++ = *from++;
    for (uint32_t *to = &bss_start; to != &bss_end;)
        *to++ = 0;
    main();
    stray();
}

#define HANDLER(name) void name(void) __attribute__((weak, alias("stray")))
HANDLER(nmi);
HANDLER(hard_fault);
HANDLER(mem_manage);
HANDLER(bus_fault);
HANDLER(usage_fault);
HANDLER(svcall);
HANDLER(pendsv);
HANDLER(systick);
HANDLER(wwdg);
HANDLER(rtc_wkup);
HANDLER(rtc_alarm);
HANDLER(adc1);
HANDLER(tim2);
HANDLER(tim3);
HANDLER(tim4);
HANDLER(usart2);
HANDLER(exti15_10);
HANDLER(dma1_stream5);
HANDLER(dma1_stream6);
HANDLER(dma2_stream5);
HANDLER(i2c2_ev);
HANDLER(i2c2_er);
HANDLER(spi2);

__attribute__((section(".vectors"), used)) void (*const vectors[16 + 85])(void) = {
    [0] = (void (*)(void))&stack_top,
    [1] = reset,
    [2] = nmi,
    [3] = hard_fault,
    [4] = mem_manage,
    [5] = bus_fault,
    [6] = usage_fault,
    [11] = svcall,
    [14] = pendsv,
    [15] = systick,
    [16 ... 16 + 84] = stray,
    [16 + WWDG_IRQ] = wwdg,
    [16 + RTC_WKUP_IRQ] = rtc_wkup,
    [16 + RTC_ALARM_IRQ] = rtc_alarm,
    [16 + ADC_IRQ] = adc1,
    [16 + TIM2_IRQ] = tim2,
    [16 + TIM3_IRQ] = tim3,
    [16 + TIM4_IRQ] = tim4,
    [16 + USART2_IRQ] = usart2,
    [16 + EXTI15_10_IRQ] = exti15_10,
    [16 + DMA1_STREAM5_IRQ] = dma1_stream5,
    [16 + DMA1_STREAM6_IRQ] = dma1_stream6,
    [16 + DMA2_STREAM5_IRQ] = dma2_stream5,
    [16 + I2C2_EV_IRQ] = i2c2_ev,
    [16 + I2C2_ER_IRQ] = i2c2_er,
    [16 + SPI2_IRQ] = spi2,
};
