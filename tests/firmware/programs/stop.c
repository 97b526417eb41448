/* Stop mode between presses; the clock tree is set up again after each. RM0368 5.3.5. */
#include "clock.h"
#include "console.h"

static volatile bool pressed;

void exti15_10(void)
{
    EXTI_PR = BIT(13);
    pressed = true;
    dsb();
}

int main(void)
{
    uint32_t presses = 0;

    clock_84_mhz(false);
    RCC_AHB1ENR |= AHB1_GPIOC;
    RCC_APB2ENR |= APB2_SYSCFG;
    console_begin(PCLK1, 115200);
    SYSCFG_EXTICR4 = (SYSCFG_EXTICR4 & ~0xF0u) | 2u << 4;
    EXTI_FTSR |= BIT(13);
    EXTI_IMR |= BIT(13);
    irq_enable(EXTI15_10_IRQ);
    PWR_CR = (PWR_CR & ~3u) | BIT(0); /* Stop, low-power regulator */
    SCB_SCR |= BIT(2);
    for (;;) {
        irqs_off();
        if (!pressed)
            wfi();
        irqs_on();
        isb();
        if (!pressed)
            continue;
        pressed = false;
#ifndef STAY_ON_HSI
        clock_84_mhz(false);
#endif
        put_text("press ");
        put_number(++presses);
        put_text("\r\n");
        flush();
    }
}
