/* The button B1 on PC13, low when pressed: the edges of EXTI line 13 wake the core. */
#ifndef BUTTON_H
#define BUTTON_H

#include "stm32f401.h"

#define B1 13

static inline uint32_t pressed(void) { return !(GPIOC->idr & HIGH(B1)); }

/* Ports A and C and the edge detector of the button, which listens from now on. */
static inline void button_begin(void)
{
    RCC->ahb1enr = RCC_AHB1ENR_GPIOA | RCC_AHB1ENR_GPIOC;
    RCC->apb2enr = RCC_APB2ENR_SYSCFG;
    dsb();
    SYSCFG->exticr4 = 2u << 4 * (B1 - 12);
    EXTI->rtsr = HIGH(B1);
    EXTI->ftsr = HIGH(B1);
}

static inline void button_interrupts(void)
{
    EXTI->imr = HIGH(B1);
    NVIC->iser[EXTI15_10_IRQ / 32] = 1u << EXTI15_10_IRQ % 32;
}

static inline void edge_seen(void)
{
    EXTI->pr = HIGH(B1);
    NVIC->icpr[EXTI15_10_IRQ / 32] = 1u << EXTI15_10_IRQ % 32;
}

/* Sleep until the button has moved and then rested for 20 ms. Interrupts are off: what is pending
 * wakes the core. The detector listens again before this returns, so no change is missed by who
 * then looks at the level. */
static inline void wait_for_settled_edge(void)
{
    wfi();
    EXTI->imr = 0;
    tick_every(CLK / 50, SYST_CSR_CLKSOURCE);
    edge_seen();
    wait_for_tick();
    SYST->csr = 0;
    EXTI->imr = HIGH(B1);
}

#endif
