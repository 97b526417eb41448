/* Echoes what comes at 1 Mbaud by DMA: a circular buffer, told of by its halves and by the idle
 * line, and sent from where it lies; asleep in between. */
#include "fast.h"

struct stream {
    volatile uint32_t cr, ndtr, par, m0ar, m1ar, fcr;
};
#define DMA1_HIFCR (*(volatile uint32_t *)0x4002600C)
#define RX ((struct stream *)(0x40026010 + 0x18 * 5)) /* stream 5, channel 4: USART2_RX */
#define TX ((struct stream *)(0x40026010 + 0x18 * 6))
#define CHANNEL_4 (4u << 25)
#define MINC (1u << 10)
#define CIRC (1u << 8)
#define TO_PERIPHERAL (1u << 6)
#define TCIE (1u << 4)
#define HTIE (1u << 3)
#define EN 1u
#define RX_FLAGS (0x3Du << 6)
#define TX_FLAGS (0x3Du << 16)
#define DMA1_STREAM5_IRQ 16
#define DMA1_STREAM6_IRQ 17
#ifndef SIZE
#define SIZE 256u
#endif

static void received(void);
static void sent(void);
static void on_usart(void);
VECTORS = {
    RESET(reset), IRQ(DMA1_STREAM5_IRQ) = received, IRQ(DMA1_STREAM6_IRQ) = sent,
    IRQ(USART2_IRQ) = on_usart,
};

static uint8_t buffer[SIZE];
static uint32_t left, from, sending;

/* Send what has come and not been sent, up to the end of the buffer. */
static void send(void)
{
    uint32_t to = SIZE - RX->ndtr;

    if (sending || to == from)
        return;
    sending = (to > from ? to : SIZE) - from;
    DMA1_HIFCR = TX_FLAGS;
    TX->m0ar = (uint32_t)(buffer + from);
    TX->ndtr = sending;
    TX->cr = CHANNEL_4 | MINC | TO_PERIPHERAL | TCIE | EN;
}

static void received(void)
{
    DMA1_HIFCR = RX_FLAGS;
    send();
}

static void sent(void)
{
    DMA1_HIFCR = TX_FLAGS;
    from = (from + sending) % SIZE;
    left -= sending;
    sending = 0;
    if (!left)
        done();
    send();
}

static void on_usart(void)
{
    (void)USART2->sr;
    (void)USART2->dr; /* clears IDLE */
    send();
}

void reset(void)
{
    left = TIMES;
    from = sending = 0;
    fast_begin();
    NVIC->iser[0] = 1u << DMA1_STREAM5_IRQ | 1u << DMA1_STREAM6_IRQ;
    NVIC->iser[USART2_IRQ / 32] = 1u << USART2_IRQ % 32;
    RX->par = TX->par = (uint32_t)&USART2->dr;
    RX->m0ar = (uint32_t)buffer;
    RX->ndtr = SIZE;
    RX->cr = CHANNEL_4 | MINC | CIRC | HTIE | TCIE | EN;
    USART2->cr3 = 1u << 7 | 1u << 6; /* DMAT, DMAR */
    USART2->cr1 = USART_CR1_UE | USART_CR1_TE | USART_CR1_RE | USART_CR1_IDLEIE;
    for (;;)
        wfi();
}
