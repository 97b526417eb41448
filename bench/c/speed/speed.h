/* Firmware of the speed bench: each does its thing TIMES times and then stops at a semihosting
 * exit, so that the same bytes end at the same point of their work wherever they run. */
#ifndef SPEED_H
#define SPEED_H

#include "../stm32f401.h"

#ifndef TIMES
#error "say how often: -DTIMES=40"
#endif

static inline void led_begin(void)
{
    RCC->ahb1enr = RCC_AHB1ENR_GPIOA;
    dsb();
    GPIOA->moder = GPIOA_MODER_RESET | OUTPUT(5);
}

static inline void led_toggle(void) { GPIOA->odr ^= HIGH(5); }

/* SYS_EXIT, ADP_Stopped_ApplicationExit; where nobody serves it, the core locks up here. */
static inline void done(void)
{
    register uint32_t r0 __asm("r0") = 0x18;
    register uint32_t r1 __asm("r1") = 0x20026;
    __asm volatile("bkpt 0xAB" ::"r"(r0), "r"(r1) : "memory");
    for (;;)
        ;
}

#endif
