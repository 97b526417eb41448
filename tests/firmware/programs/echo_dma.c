/* Echo by DMA: a circular buffer fills while the core sleeps; half, full and an idle line tell that
 * there is something, and what came goes out from a second buffer, in capitals. */
#include "clock.h"
#include "console.h"

#ifndef RX_CHANNEL
#define RX_CHANNEL 4
#endif
#ifndef RX_FLAGS
#define RX_FLAGS (DMA_FLAGS << 6)
#endif
#ifndef ENABLES
#define ENABLES (BIT(6) | BIT(7)) /* DMAR, DMAT */
#endif

static volatile uint8_t ring[32];
static uint8_t out[sizeof ring];
static volatile uint32_t taken, faults;
static volatile bool sending;

/* Send what the ring holds, as far as it goes without a turn. */
static void send(void)
{
    uint32_t there = sizeof ring - DMA1->stream[5].ndtr, n = 0;

    if (sending)
        return;
    if (there < taken)
        there = sizeof ring;
    for (; taken < there; taken++, n++)
        out[n] = ring[taken] >= 'a' && ring[taken] <= 'z' ? ring[taken] - 32 : ring[taken];
    taken %= sizeof ring;
    if (!n)
        return;
    sending = true;
    DMA1->stream[6].ndtr = n;
    DMA1->stream[6].m0ar = (uint32_t)out;
    DMA1->stream[6].cr |= DMA_EN;
}

void usart2(void)
{
    (void)USART2->sr;
    (void)USART2->dr; /* both: IDLE is cleared */
    send();
    dsb();
}

void dma1_stream5(void)
{
    DMA1->hifcr = RX_FLAGS;
    send();
    dsb();
}

void dma1_stream6(void)
{
#ifndef KEEP_FLAGS
    DMA1->hifcr = DMA_FLAGS << 16;
#else
    DMA1->hifcr = DMA_TCIF << 16; /* HTIF stays */
#endif
    sending = false;
    send();
    dsb();
}

int main(void)
{
    clock_84_mhz(true);
    console_begin(PCLK1, 115200);
#ifndef NO_CLOCK
    RCC_AHB1ENR |= AHB1_DMA1;
    dsb();
#endif
    DMA1->stream[5].par = (uint32_t)&USART2->dr;
    DMA1->stream[5].m0ar = (uint32_t)ring;
    DMA1->stream[5].ndtr = sizeof ring;
    DMA1->stream[5].cr = DMA_CHANNEL(RX_CHANNEL) | DMA_MINC | DMA_CIRC | DMA_HTIE | DMA_TCIE;
    DMA1->stream[5].cr |= DMA_EN;
    DMA1->stream[6].par = (uint32_t)&USART2->dr;
    DMA1->stream[6].cr = DMA_CHANNEL(4) | DMA_MINC | DMA_TO_PERIPHERAL | DMA_TCIE;
    USART2->cr3 = ENABLES;
    USART2->cr1 |= BIT(4); /* IDLEIE */
    irq_enable(USART2_IRQ);
    irq_enable(DMA1_STREAM5_IRQ);
    irq_enable(DMA1_STREAM6_IRQ);
    for (;;)
        wfi();
}
