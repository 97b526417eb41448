/* The clock tree at 84 MHz, from the HSI or from the ST-LINK's 8 MHz. RM0368 6.2, 3.4.1.
 * Each macro is a right value that a neighbour of a program replaces with a wrong one. */
#ifndef CLOCK_H
#define CLOCK_H

#include "chip.h"

#ifndef LATENCY
#define LATENCY 2u /* Table 6: above 60 MHz at 3.3 V */
#endif
#ifndef VOS
#define VOS 2u /* scale 2 carries 84 MHz */
#endif
#ifndef PPRE1
#define PPRE1 4u /* HCLK / 2: APB1 stands 42 MHz */
#endif
#ifndef HSEBYP
#define HSEBYP BIT(18)
#endif

enum { HCLK = 84000000, PCLK1 = 42000000, APB1_TIMERS = 84000000 };

static void clock_84_mhz(bool hse)
{
    RCC_APB1ENR |= APB1_PWR;
    dsb();
    PWR_CR = (PWR_CR & ~(3u << 14)) | VOS << 14;
    FLASH_ACR = BIT(10) | BIT(9) | BIT(8) | LATENCY; /* DCEN, ICEN, PRFTEN */
    while ((FLASH_ACR & 15) != LATENCY)
        ;
    if (hse) {
        RCC_CR |= HSEBYP;
        RCC_CR |= BIT(16);
        while (!(RCC_CR & BIT(17)))
            ;
        RCC_PLLCFGR = 7u << 24 | BIT(22) | 1u << 16 | 336u << 6 | 8;
    } else {
        RCC_PLLCFGR = 7u << 24 | 1u << 16 | 336u << 6 | 16;
    }
    RCC_CR |= BIT(24);
    while (!(RCC_CR & BIT(25)))
        ;
    RCC_CFGR = PPRE1 << 10;
    RCC_CFGR |= 2;
    while ((RCC_CFGR >> 2 & 3) != 2)
        ;
}

#endif
