/* STM32F4DISCOVERY at 16 MHz: the DAC goes through four levels, 20 ms each, by TIM6 and the DMA. A
 * wire takes PA4 to PA1, where ADC3 measures it; the green LED is lit above half the range. */
#include "chip.h"
#include "console.h"

#define DAC_CR WORD(0x40007400)
#define DAC_DHR12R1 0x40007408u
#define TIM6 ((timer *)0x40001000)
#define GPIOD ((gpio *)0x40020C00)
#define ADC3 ((adc *)0x40012200)
#define ADC3_EOC BIT(1)

#ifndef TSEL
#define TSEL 0u /* TIM6 */
#endif
#ifndef DAC_MODE
#define DAC_MODE ANALOG
#endif
#ifndef DAC_DMAEN
#define DAC_DMAEN BIT(12)
#endif
#ifndef CHANNEL
#define CHANNEL 1u
#endif
#ifndef DHR
#define DHR DAC_DHR12R1
#endif

static const uint16_t levels[4] = {500, 1500, 2500, 3500};

int main(void)
{
    console_begin(16000000, 115200);
    RCC_AHB1ENR |= AHB1_GPIOA | BIT(3) | AHB1_DMA1;
    RCC_APB1ENR |= BIT(4) | BIT(29); /* TIM6, DAC */
    RCC_APB2ENR |= BIT(10); /* ADC3 */
    dsb();
    pin_mode(GPIOD, 12, OUTPUT);
    pin_mode(GPIOA, 1, ANALOG);
    pin_mode(GPIOA, 4, DAC_MODE);
    ADC3->smpr2 = 4u << 3;
    ADC3->sqr3 = CHANNEL;
    ADC3->cr2 = BIT(0);
    DMA1->stream[5].par = DHR;
    DMA1->stream[5].m0ar = (uint32_t)levels;
    DMA1->stream[5].ndtr = 4;
    DMA1->stream[5].cr = DMA_CHANNEL(7) | BIT(13) | BIT(11) | DMA_MINC | DMA_CIRC
        | DMA_TO_PERIPHERAL;
    DMA1->stream[5].cr |= DMA_EN;
    DAC_CR = TSEL << 3 | BIT(2) | DAC_DMAEN; /* TEN */
#ifndef DAC_OFF
    DAC_CR |= BIT(0);
#endif
    TIM6->psc = 15999;
    TIM6->arr = 19;
    TIM6->egr = 1;
    TIM6->sr = 0;
    TIM6->cr2 = 2u << 4; /* TRGO: update */
    TIM6->cr1 = 1;
    for (unsigned round = 0;; round++) {
        uint32_t code;

        while (!(TIM6->sr & 1))
            ;
        TIM6->sr = 0;
        for (volatile int n = 0; n < 100; n++) /* until it has settled */
            ;
        ADC3->cr2 |= BIT(30);
        while (!(ADC3->sr & ADC3_EOC))
            ;
        code = ADC3->dr;
        GPIOD->bsrr = code > 2048 ? BIT(12) : BIT(12 + 16);
        if (round > 1) {
            put_number(code);
            put_text("\r\n");
        }
    }
}
