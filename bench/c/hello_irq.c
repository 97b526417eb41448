/* "hello" over the console, at once and then every second: the USART2 interrupt sends the text,
 * the SysTick interrupt begins it; the core sleeps whenever neither runs. */
#include "console.h"

static void on_tick(void);
static void on_usart(void);
VECTORS = {RESET(reset), SYSTICK = on_tick, IRQ(USART2_IRQ) = on_usart};

static const char text[] = "hello\r\n";
static const char *next;

static void on_tick(void)
{
    next = text;
    USART2->cr1 = USART_ON | USART_CR1_TXEIE;
}

static void on_usart(void)
{
    const char *at = next;

    USART2->dr = (uint8_t)*at++;
    next = at;
    if (!*at)
        USART2->cr1 = USART_ON;
}

void reset(void)
{
    console_begin(0);
    on_tick();
    tick_every(CLK, SYST_CSR_CLKSOURCE);
    SCB->scr = SCB_SCR_SLEEPONEXIT;
    for (;;)
        wfi();
}
