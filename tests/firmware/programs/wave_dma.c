/* A pattern in memory becomes a waveform on PA6: TIM1's update feeds BSRR, 10 us a step. */
#include "clock.h"

#ifndef CONTROLLER
#define CONTROLLER DMA2
#define STREAM 5
#define CHANNEL 6
#define TIMER TIM1
#endif
#ifndef SIZES
#define SIZES DMA_WORDS
#endif
#ifndef LOOP
#define LOOP DMA_CIRC
#endif

enum { HIGH = BIT(6), LOW = BIT(22) };

/* 30 us high, 70 us low: 10 kHz, 30 %. */
static const uint32_t pattern[10] = { HIGH, 0, 0, LOW };

int main(void)
{
    clock_84_mhz(false);
    RCC_AHB1ENR |= AHB1_GPIOA | AHB1_DMA1 | AHB1_DMA2;
    RCC_APB1ENR |= APB1_TIM2;
    RCC_APB2ENR |= APB2_TIM1;
    dsb();
    pin_mode(GPIOA, 6, OUTPUT);
    CONTROLLER->stream[STREAM].par = (uint32_t)&GPIOA->bsrr;
    CONTROLLER->stream[STREAM].m0ar = (uint32_t)pattern;
    CONTROLLER->stream[STREAM].ndtr = 10;
    CONTROLLER->stream[STREAM].cr =
        DMA_CHANNEL(CHANNEL) | DMA_MINC | DMA_TO_PERIPHERAL | SIZES | LOOP;
    CONTROLLER->stream[STREAM].cr |= DMA_EN;
    TIMER->arr = HCLK / 100000 - 1;
#ifndef NO_UDE
    TIMER->dier = BIT(8); /* UDE */
#endif
    TIMER->cr1 = 1;
    for (;;)
        wfi();
}
