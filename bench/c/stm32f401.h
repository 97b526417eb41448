/* What the programs here touch of an STM32F401: registers as RM0368 lays them out, fields as it
 * names them. The core's own registers as in PM0214 and the Arm ARM (DDI0403). */
#ifndef STM32F401_H
#define STM32F401_H

#include <stdint.h>

#define CLK 16000000u /* HSI, as it runs after reset */

struct rcc {
    volatile uint32_t cr, pllcfgr, cfgr, cir, ahb1rstr, ahb2rstr, _18, _1c, apb1rstr, apb2rstr;
    volatile uint32_t _28, _2c, ahb1enr, ahb2enr, _38, _3c, apb1enr, apb2enr;
};
struct gpio {
    volatile uint32_t moder, otyper, ospeedr, pupdr, idr, odr, bsrr, lckr, afrl, afrh;
};
struct usart {
    volatile uint32_t sr, dr, brr, cr1, cr2, cr3, gtpr;
};
struct tim {
    volatile uint32_t cr1, cr2, smcr, dier, sr, egr, ccmr1, ccmr2, ccer, cnt, psc, arr, rcr;
    volatile uint32_t ccr1, ccr2, ccr3, ccr4, bdtr, dcr, dmar;
};
struct exti {
    volatile uint32_t imr, emr, rtsr, ftsr, swier, pr;
};
struct syscfg {
    volatile uint32_t memrmp, pmc, exticr1, exticr2, exticr3, exticr4;
};
struct systick {
    volatile uint32_t csr, rvr, cvr, calib;
};
struct scb {
    volatile uint32_t cpuid, icsr, vtor, aircr, scr, ccr;
};
struct nvic {
    volatile uint32_t iser[8], _20[24], icer[8], _a0[24], ispr[8], _120[24], icpr[8];
};

#define TIM2 ((struct tim *)0x40000000)
#define TIM3 ((struct tim *)0x40000400)
#define USART2 ((struct usart *)0x40004400)
#define SYSCFG ((struct syscfg *)0x40013800)
#define EXTI ((struct exti *)0x40013C00)
#define GPIOA ((struct gpio *)0x40020000)
#define GPIOB ((struct gpio *)0x40020400)
#define GPIOC ((struct gpio *)0x40020800)
#define RCC ((struct rcc *)0x40023800)
#define SYST ((struct systick *)0xE000E010)
#define NVIC ((struct nvic *)0xE000E100)
#define SCB ((struct scb *)0xE000ED00)

#define RCC_AHB1ENR_GPIOA (1u << 0)
#define RCC_AHB1ENR_GPIOB (1u << 1)
#define RCC_AHB1ENR_GPIOC (1u << 2)
#define RCC_APB1ENR_TIM2 (1u << 0)
#define RCC_APB1ENR_TIM3 (1u << 1)
#define RCC_APB1ENR_USART2 (1u << 17)
#define RCC_APB2ENR_SYSCFG (1u << 14)

/* GPIOx_MODER out of reset: the debugger's pins stay its own. */
#define GPIOA_MODER_RESET 0xA8000000u
#define GPIOB_MODER_RESET 0x00000280u
#define OUTPUT(pin) (1u << 2 * (pin))
#define ALTERNATE(pin) (2u << 2 * (pin))
#define LANE(pin) (3u << 2 * (pin))
#define HIGH(pin) (1u << (pin))
#define LOW(pin) (1u << (16 + (pin)))

#define TIM_CR1_CEN (1u << 0)
#define TIM_SR_UIF (1u << 0)
#define TIM_DIER_UIE (1u << 0)
#define TIM_DIER_CC1IE (1u << 1)
#define TIM_CCER_CC1E (1u << 0)
#define TIM_CCER_CC2E (1u << 4)
#define TIM_CCMR1_OC1M_PWM1 (6u << 4)
#define TIM_CCMR1_OC2M_PWM1 (6u << 12)

#define USART_SR_TXE (1u << 7)
#define USART_CR1_UE (1u << 13)
#define USART_CR1_TXEIE (1u << 7)
#define USART_CR1_TE (1u << 3)
#define BAUD_115200 ((CLK + 57600u) / 115200u)

#define SYST_CSR_ENABLE (1u << 0)
#define SYST_CSR_TICKINT (1u << 1)
#define SYST_CSR_CLKSOURCE (1u << 2) /* clear: HCLK / 8 */
#define SYST_CSR_COUNTFLAG (1u << 16)
#define SCB_ICSR_PENDSTCLR (1u << 25)
#define SCB_ICSR_PENDSTSET (1u << 26)
#define SCB_SCR_SLEEPONEXIT (1u << 1)

#define TIM2_IRQ 28
#define TIM3_IRQ 29
#define USART2_IRQ 38
#define EXTI15_10_IRQ 40

/* The vector table: as long as the program needs it. Position 0 is the initial stack pointer. */
typedef void (*vector)(void);
extern void stack_top(void); /* an address from the linker script */
void reset(void);
#define VECTORS __attribute__((section(".vectors"), used)) const vector vectors[]
#define IRQ(n) [16 + (n)]
#define RESET(handler) [0] = stack_top, [1] = handler
#define SYSTICK [15]

static inline void wfi(void) { __asm volatile("wfi" ::: "memory"); }
static inline void wfe(void) { __asm volatile("wfe" ::: "memory"); }
static inline void dsb(void) { __asm volatile("dsb" ::: "memory"); }
static inline void interrupts_off(void) { __asm volatile("cpsid i" ::: "memory"); }

/* The SysTick wakes the core every ``ticks`` of ``source`` (0: HCLK / 8). */
static inline void tick_every(uint32_t ticks, uint32_t source)
{
    SYST->rvr = ticks - 1;
    SYST->cvr = 0;
    SYST->csr = source | SYST_CSR_TICKINT | SYST_CSR_ENABLE;
}

/* Sleep until the SysTick is pending, and take note of it. Interrupts are off: what is pending
 * wakes the core (Arm ARM B1.5.19) and needs no handler, so no vector either. */
static inline void wait_for_tick(void)
{
    wfi();
    SCB->icsr = SCB_ICSR_PENDSTCLR;
}

#endif
