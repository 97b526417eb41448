/* A device on USART1 is asked; its answer sets how fast a motor turns. */
#include "pause.h"

#ifndef BAUD
#define BAUD 9600
#endif
#ifndef PERIOD_US
#define PERIOD_US 1000
#endif

#define USART1 ((usart *)0x40011000)
#define APB2_USART1 BIT(4)

void systick(void) {}

static const line in1 = {GPIOC, 0}, in2 = {GPIOC, 1};

static char heard(void)
{
    while (!(USART1->sr & BIT(5)))
        ;
    return (char)USART1->dr;
}

int main(void)
{
    unsigned percent = 0;

    ports_begin();
    RCC_APB1ENR |= APB1_TIM4;
    RCC_APB2ENR |= APB2_USART1;
    dsb();
    output(in1, false);
    output(in2, false);
    pin_function(GPIOB, 6, 2); /* TIM4_CH1 */
    TIM4->psc = CORE_HZ / 1000000 - 1;
    TIM4->arr = PERIOD_US - 1;
    TIM4->ccr1 = 0;
    TIM4->ccmr1 = 6u << 4 | BIT(3);
    TIM4->ccer = 1;
    TIM4->egr = 1;
    TIM4->cr1 = BIT(7) | 1;
    pin_function(GPIOA, 9, 7);
    pin_function(GPIOA, 10, 7);
    USART1->brr = (CORE_HZ + BAUD / 2) / BAUD;
    USART1->cr1 = BIT(13) | BIT(3) | BIT(2);
    for (const char *ask = "SPEED?\r\n"; *ask; ask++) {
        while (!(USART1->sr & BIT(7)))
            ;
        USART1->dr = (uint8_t)*ask;
    }
    if (heard() == '-')
        set(in2, true);
    else
        set(in1, true);
    for (char c; (c = heard()) != '\r';)
        percent = percent * 10 + (unsigned)(c - '0');
    TIM4->ccr1 = percent * PERIOD_US / 100;
    for (;;)
        wfi();
}
