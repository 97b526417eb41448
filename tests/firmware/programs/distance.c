/* Ten times a second the distance is measured: a servo points at it, an RGB LED is red when near. */
#include "pause.h"

#ifndef TRIGGER_US
#define TRIGGER_US 12
#endif
#ifndef CYCLE_MS
#define CYCLE_MS 80
#endif
#ifndef US_PER_CM
#define US_PER_CM 58
#endif
#ifndef LOW_US
#define LOW_US 1000
#endif

void systick(void) {}

static const line trig = {GPIOC, 0}, echo = {GPIOC, 1}, red = {GPIOC, 2}, green = {GPIOC, 3},
                  blue = {GPIOB, 0};

int main(void)
{
    ports_begin();
    RCC_APB1ENR |= APB1_TIM4 | APB1_TIM2;
    dsb();
    output(trig, false);
    pin_mode(echo.port, echo.pin, INPUT);
    output(red, false);
    output(green, false);
    output(blue, false);
    pin_function(GPIOB, 6, 2); /* TIM4_CH1 */
    TIM4->psc = CORE_HZ / 1000000 - 1;
    TIM4->arr = 20000 - 1;
    TIM4->ccr1 = LOW_US + 500;
    TIM4->ccmr1 = 6u << 4 | BIT(3);
    TIM4->ccer = 1;
    TIM4->egr = 1;
    TIM4->cr1 = BIT(7) | 1;
    TIM2->psc = CORE_HZ / 1000000 - 1; /* microseconds */
    TIM2->egr = 1;
    TIM2->cr1 = 1;
    for (;;) {
        uint32_t start, us, cm;

        set(trig, true);
        pause_us(TRIGGER_US);
        set(trig, false);
        while (!get(echo))
            ;
        start = TIM2->cnt;
        while (get(echo))
            ;
        us = TIM2->cnt - start;
        cm = (us + US_PER_CM / 2) / US_PER_CM;
        /* 0 to 180 degrees are 0 to 200 cm. */
        TIM4->ccr1 = LOW_US + (cm > 200 ? 1000 : cm * 5);
        set(red, cm < 30);
        set(green, cm >= 30);
        pause_ms(CYCLE_MS);
    }
}
