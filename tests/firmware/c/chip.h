/* The registers of an STM32F401 that the programs here touch. Chip: RM0368; core: PM0214. */
#ifndef CHIP_H
#define CHIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORD(address) (*(volatile uint32_t *)(address))
#define BIT(n) (1u << (n))

typedef volatile uint32_t reg;

typedef struct {
    reg moder, otyper, ospeedr, pupdr, idr, odr, bsrr, lckr, afrl, afrh;
} gpio;
typedef struct {
    reg cr1, cr2, smcr, dier, sr, egr, ccmr1, ccmr2, ccer, cnt, psc, arr, rcr;
    reg ccr1, ccr2, ccr3, ccr4, bdtr, dcr, dmar, or_;
} timer;
typedef struct {
    reg sr, dr, brr, cr1, cr2, cr3, gtpr;
} usart;
typedef struct {
    reg lisr, hisr, lifcr, hifcr;
    struct {
        reg cr, ndtr, par, m0ar, m1ar, fcr;
    } stream[8];
} dma;

typedef struct {
    reg cr1, cr2, sr, dr, crcpr, rxcrcr, txcrcr, i2scfgr, i2spr;
} spi;
typedef struct {
    reg cr1, cr2, oar1, oar2, dr, sr1, sr2, ccr, trise, fltr;
} i2c;
typedef struct {
    reg sr, cr1, cr2, smpr1, smpr2, jofr[4], htr, ltr, sqr1, sqr2, sqr3, jsqr, jdr[4], dr;
} adc;

#define SPI1 ((spi *)0x40013000)
#define SPI2 ((spi *)0x40003800)
#define I2C1 ((i2c *)0x40005400)
#define I2C2 ((i2c *)0x40005800)
#define GPIOB ((gpio *)0x40020400)
#define TIM2 ((timer *)0x40000000)
#define TIM3 ((timer *)0x40000400)
#define TIM4 ((timer *)0x40000800)
#define USART2 ((usart *)0x40004400)
#define TIM1 ((timer *)0x40010000)
#define ADC1 ((adc *)0x40012000)
#define ADC_CCR WORD(0x40012304)
#define DMA1 ((dma *)0x40026000)
#define DMA2 ((dma *)0x40026400)
#define GPIOA ((gpio *)0x40020000)
#define GPIOC ((gpio *)0x40020800)

#define RTC_TR WORD(0x40002800)
#define RTC_DR WORD(0x40002804)
#define RTC_CR WORD(0x40002808)
#define RTC_ISR WORD(0x4000280C)
#define RTC_PRER WORD(0x40002810)
#define RTC_WUTR WORD(0x40002814)
#define RTC_ALRMAR WORD(0x4000281C)
#define RTC_WPR WORD(0x40002824)
#define RTC_BKP0R WORD(0x40002850)
#define WWDG_CR WORD(0x40002C00)
#define WWDG_CFR WORD(0x40002C04)
#define WWDG_SR WORD(0x40002C08)
#define IWDG_KR WORD(0x40003000)
#define IWDG_PR WORD(0x40003004)
#define IWDG_RLR WORD(0x40003008)
#define IWDG_SR WORD(0x4000300C)
#define PWR_CR WORD(0x40007000)
#define PWR_CSR WORD(0x40007004)
#define SYSCFG_EXTICR4 WORD(0x40013814)
#define EXTI_IMR WORD(0x40013C00)
#define EXTI_RTSR WORD(0x40013C08)
#define EXTI_FTSR WORD(0x40013C0C)
#define EXTI_PR WORD(0x40013C14)
#define CRC_DR WORD(0x40023000)
#define CRC_IDR WORD(0x40023004)
#define CRC_CR WORD(0x40023008)
#define RCC_CR WORD(0x40023800)
#define RCC_PLLCFGR WORD(0x40023804)
#define RCC_CFGR WORD(0x40023808)
#define RCC_AHB1ENR WORD(0x40023830)
#define RCC_APB1ENR WORD(0x40023840)
#define RCC_APB2ENR WORD(0x40023844)
#define RCC_BDCR WORD(0x40023870)
#define RCC_CSR WORD(0x40023874)
#define FLASH_ACR WORD(0x40023C00)
#define FLASH_KEYR WORD(0x40023C04)
#define FLASH_SR WORD(0x40023C0C)
#define FLASH_CR WORD(0x40023C10)

#define DWT_CTRL WORD(0xE0001000)
#define DWT_CYCCNT WORD(0xE0001004)
#define SYST_CSR WORD(0xE000E010)
#define SYST_RVR WORD(0xE000E014)
#define SYST_CVR WORD(0xE000E018)
#define NVIC_ISER(n) WORD(0xE000E100 + 4 * (n))
#define NVIC_ISPR(n) WORD(0xE000E200 + 4 * (n))
#define NVIC_IPR_BYTE(irq) (*(volatile uint8_t *)(0xE000E400 + (irq)))
#define SCB_ICSR WORD(0xE000ED04)
#define SCB_VTOR WORD(0xE000ED08)
#define SCB_AIRCR WORD(0xE000ED0C)
#define SCB_SCR WORD(0xE000ED10)
#define SCB_CCR WORD(0xE000ED14)
#define SCB_SHPR3 WORD(0xE000ED20)
#define SCB_SHCSR WORD(0xE000ED24)
#define SCB_CFSR WORD(0xE000ED28)
#define SCB_BFAR WORD(0xE000ED38)
#define SCB_CPACR WORD(0xE000ED88)
#define DEMCR WORD(0xE000EDFC)
#define STIR WORD(0xE000EF00)
#define FPCCR WORD(0xE000EF34)

#define AHB1_GPIOA BIT(0)
#define AHB1_GPIOB BIT(1)
#define AHB1_GPIOC BIT(2)
#define AHB1_CRC BIT(12)
#define AHB1_DMA1 BIT(21)
#define AHB1_DMA2 BIT(22)
#define APB1_TIM2 BIT(0)
#define APB1_TIM3 BIT(1)
#define APB1_TIM4 BIT(2)
#define APB1_WWDG BIT(11)
#define APB1_SPI2 BIT(14)
#define APB1_USART2 BIT(17)
#define APB1_I2C1 BIT(21)
#define APB1_I2C2 BIT(22)
#define APB1_PWR BIT(28)
#define APB2_TIM1 BIT(0)
#define APB2_ADC1 BIT(8)
#define APB2_SPI1 BIT(12)
#define APB2_SYSCFG BIT(14)

enum { WWDG_IRQ = 0, RTC_WKUP_IRQ = 3, RTC_ALARM_IRQ = 41 };
/* DMA: bits of CR, and the flags of a stream where they stand for stream 0. RM0368 9.5. */
enum {
    DMA_EN = BIT(0), DMA_TEIE = BIT(2), DMA_HTIE = BIT(3), DMA_TCIE = BIT(4),
    DMA_TO_PERIPHERAL = BIT(6), DMA_COPY = BIT(7), DMA_CIRC = BIT(8), DMA_PINC = BIT(9),
    DMA_MINC = BIT(10), DMA_WORDS = BIT(12) | BIT(14), DMA_DBM = BIT(18), DMA_CT = BIT(19),
    DMA_FLAGS = 0x3D, DMA_TEIF = BIT(3), DMA_HTIF = BIT(4), DMA_TCIF = BIT(5)
};
#define DMA_CHANNEL(n) ((uint32_t)(n) << 25)

/* SPI: RM0368 20.5. */
enum {
    SPI_CPHA = BIT(0), SPI_CPOL = BIT(1), SPI_MSTR = BIT(2), SPI_SPE = BIT(6), SPI_SSI = BIT(8),
    SPI_SSM = BIT(9), SPI_RXNE = BIT(0), SPI_TXE = BIT(1), SPI_BSY = BIT(7),
    SPI_RXDMAEN = BIT(0), SPI_TXDMAEN = BIT(1), SPI_RXNEIE = BIT(6)
};
#define SPI_BR(n) ((uint32_t)(n) << 3)

/* I2C: RM0368 18.6. */
enum {
    I2C_PE = BIT(0), I2C_START = BIT(8), I2C_STOP = BIT(9), I2C_ACK = BIT(10), I2C_POS = BIT(11),
    I2C_ITERREN = BIT(8), I2C_ITEVTEN = BIT(9), I2C_ITBUFEN = BIT(10), I2C_DMAEN = BIT(11),
    I2C_LAST = BIT(12),
    I2C_SB = BIT(0), I2C_ADDR = BIT(1), I2C_BTF = BIT(2), I2C_STOPF = BIT(4), I2C_RXNE = BIT(6),
    I2C_TXE = BIT(7), I2C_AF = BIT(10), I2C_BUSY = BIT(1), I2C_TRA = BIT(2)
};

enum { I2C2_EV_IRQ = 33, I2C2_ER_IRQ = 34, SPI2_IRQ = 36 };
enum { DMA1_STREAM5_IRQ = 16, DMA1_STREAM6_IRQ = 17, DMA2_STREAM5_IRQ = 68 };
enum { ADC_IRQ = 18 };
enum { TIM2_IRQ = 28, TIM3_IRQ = 29, TIM4_IRQ = 30, USART2_IRQ = 38, EXTI15_10_IRQ = 40 };

enum { INPUT, OUTPUT, ALTERNATE, ANALOG };

static inline void pin_mode(gpio *port, unsigned pin, uint32_t mode)
{
    port->moder = (port->moder & ~(3u << 2 * pin)) | mode << 2 * pin;
}

static inline void pin_function(gpio *port, unsigned pin, uint32_t function)
{
    reg *afr = pin < 8 ? &port->afrl : &port->afrh;
    unsigned shift = 4 * (pin % 8);

    *afr = (*afr & ~(15u << shift)) | function << shift;
    pin_mode(port, pin, ALTERNATE);
}

static inline void irq_enable(unsigned irq) { NVIC_ISER(irq / 32) = BIT(irq % 32); }
static inline void irq_priority(unsigned irq, uint8_t level) { NVIC_IPR_BYTE(irq) = level << 4; }
static inline void irq_pend(unsigned irq) { NVIC_ISPR(irq / 32) = BIT(irq % 32); }

static inline void wfi(void) { __asm volatile("wfi" ::: "memory"); }
static inline void dsb(void) { __asm volatile("dsb" ::: "memory"); }
static inline void isb(void) { __asm volatile("isb" ::: "memory"); }
static inline void irqs_off(void) { __asm volatile("cpsid i" ::: "memory"); }
static inline void irqs_on(void) { __asm volatile("cpsie i" ::: "memory"); }

/* A bit of RAM or of a peripheral as a word of its own (PM0214 2.2.5). */
static inline reg *bit_alias(volatile void *address, unsigned bit)
{
    uintptr_t at = (uintptr_t)address, region = at & 0xF0000000u;

    return (reg *)(region + 0x02000000u + (at - region) * 32 + bit * 4);
}

#endif
