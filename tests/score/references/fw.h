/* What the references share: a clock in microseconds, pins by their names on the header, the
 * console. No reference is meant to be small, but to be right.
 * Registers come from bench/c/stm32f401.h. */
#ifndef FW_H
#define FW_H

#include "stm32f401.h"

#define TIM5 ((struct tim *)0x40000C00)
#define USART1 ((struct usart *)0x40011000)
#define TIM5_IRQ 50
#define RCC_APB1ENR_TIM5 (1u << 3)
#define RCC_APB2ENR_USART1 (1u << 4)
#define RCC_APB2ENR_USART6 (1u << 5)
#define USART_SR_RXNE (1u << 5)
#define USART_SR_TC (1u << 6)
#define USART_CR1_RE (1u << 2)
#define BAUD_9600 ((CLK + 4800u) / 9600u)

/* A near miss of each reference is built with -DMISS: what it does otherwise stands in MISS_OR. */
#ifdef MISS
#define MISS_OR(miss, right) (miss)
#else
#define MISS_OR(miss, right) (right)
#endif

#define PIN(port, n) ((port) * 16 + (n))
enum {
    A0 = PIN(0, 0), D2 = PIN(0, 10), D3 = PIN(1, 3), D4 = PIN(1, 5), D5 = PIN(1, 4),
    D6 = PIN(1, 10), D7 = PIN(0, 8), D8 = PIN(0, 9), D9 = PIN(2, 7), D10 = PIN(1, 6),
    D11 = PIN(0, 7), D12 = PIN(0, 6), LED = PIN(0, 5), BUTTON = PIN(2, 13)
};
#define MS 1000u
#define S 1000000u

VECTORS = {RESET(reset)};
void program(void);
static inline void take_note(void);

void reset(void)
{
    RCC->ahb1enr = RCC_AHB1ENR_GPIOA | RCC_AHB1ENR_GPIOB | RCC_AHB1ENR_GPIOC;
    RCC->apb1enr = RCC_APB1ENR_TIM5 | RCC_APB1ENR_USART2;
    RCC->apb2enr = RCC_APB2ENR_USART1;
    dsb();
    TIM5->psc = CLK / S - 1;
    TIM5->egr = 1;
    TIM5->cr1 = TIM_CR1_CEN;
    interrupts_off();
    NVIC->iser[TIM5_IRQ / 32] = 1u << TIM5_IRQ % 32;
    take_note();
    program();
    for (;;)
        ;
}

static inline uint32_t now(void) { return TIM5->cnt; }
static inline int past(uint32_t t) { return (int32_t)(now() - t) >= 0; }
#define TIM_SR_CC1IF (1u << 1)
static inline void alarm(uint32_t t)
{
    TIM5->ccr1 = t;
    TIM5->sr = ~TIM_SR_CC1IF;
}
static inline int rung(void) { return TIM5->sr & TIM_SR_CC1IF; }
/* Interrupts are off: what is pending wakes the core (Arm ARM B1.5.19) and needs no handler. */
static inline void until(uint32_t t)
{
    alarm(t);
    NVIC->icpr[TIM5_IRQ / 32] = 1u << TIM5_IRQ % 32;
    TIM5->dier = TIM_DIER_CC1IE;
    if (!past(t))
        while (!rung())
            wfi();
    TIM5->dier = 0;
    NVIC->icpr[TIM5_IRQ / 32] = 1u << TIM5_IRQ % 32;
}
/* How the pins were when they were last cared about; the console's own do not matter. */
static struct {
    uint32_t a, b, c;
} pins;
static inline uint32_t pins_a(void) { return GPIOA->idr | HIGH(2) | HIGH(3); }
static inline void take_note(void)
{
    pins.a = pins_a();
    pins.b = GPIOB->idr;
    pins.c = GPIOC->idr;
}
/* Until then, or until a pin has moved since the last time, or a byte is there. */
static inline void idle_until(uint32_t t)
{
    uint32_t a = pins.a, b = pins.b, c = pins.c;
    alarm(t);
    if (!past(t))
        while (!rung() && !(USART2->sr & USART_SR_RXNE) && !(USART1->sr & USART_SR_RXNE) &&
               pins_a() == a && GPIOB->idr == b && GPIOC->idr == c)
            ;
    take_note();
}
static inline void idle(void) { idle_until(now() + S); }
static inline uint32_t sooner(uint32_t a, uint32_t b) { return (int32_t)(a - b) < 0 ? a : b; }
/* Waits from the moment at which the last wait was to end: nothing adds up. */
static inline void after(uint32_t *t, uint32_t us) { until(*t += us); }

static inline struct gpio *port_of(int pin)
{
    return (struct gpio *)(0x40020000u + 0x400u * (uint32_t)(pin >> 4));
}
static inline void mode(int pin, uint32_t kind)
{
    struct gpio *p = port_of(pin);
    uint32_t n = pin & 15;
    p->moder = (p->moder & ~LANE(n)) | kind << 2 * n;
}
static inline void output(int pin) { mode(pin, 1); }
static inline void set(int pin, int high)
{
    port_of(pin)->bsrr = high ? HIGH(pin & 15) : LOW(pin & 15);
}
static inline int level(int pin) { return port_of(pin)->idr >> (pin & 15) & 1; }
static inline void pulled_up(int pin)
{
    struct gpio *p = port_of(pin);
    uint32_t n = pin & 15;
    mode(pin, 0);
    p->pupdr = (p->pupdr & ~LANE(n)) | 1u << 2 * n;
}

/* A button that pulls its pin low; its contact may chatter for less than 20 ms. */
struct button {
    int pin, held, seen;
    uint32_t since;
};
static inline struct button button_on(int pin)
{
    struct button b = {pin, 0, 0, 0};
    return b;
}
/* 1 when it has just been pressed, -1 when released, else 0. */
static inline int look(struct button *b)
{
    int is = !level(b->pin);
    if (is != b->seen) {
        b->seen = is;
        b->since = now();
    }
    if (is == b->held || !past(b->since + 20 * MS))
        return 0;
    b->held = is;
    return is ? 1 : -1;
}

/* When a button wants to be looked at again, if it does not move before. */
static inline uint32_t due(const struct button *b)
{
    return b->seen != b->held ? b->since + 20 * MS : now() + S;
}

static inline void serve(struct usart *u, uint32_t brr)
{
    u->brr = brr;
    u->cr1 = USART_CR1_UE | USART_CR1_TE | USART_CR1_RE;
}
/* USART2 on PA2 and PA3. */
static inline void console(void)
{
    serve(USART2, BAUD_115200);
    GPIOA->pupdr |= 1u << 2 * 3;
    GPIOA->afrl |= 7u << 4 * 2 | 7u << 4 * 3;
    mode(PIN(0, 2), 2);
    mode(PIN(0, 3), 2);
}
/* USART1 on D8 (TX) and D2 (RX). */
static inline void second_port(uint32_t brr)
{
    serve(USART1, brr);
    GPIOA->pupdr |= 1u << 2 * 10;
    GPIOA->afrh |= 7u << 4 * 1 | 7u << 4 * 2;
    mode(PIN(0, 9), 2);
    mode(PIN(0, 10), 2);
}
static void put_to(struct usart *u, char c)
{
    while (!(u->sr & USART_SR_TXE))
        ;
    u->dr = (uint8_t)c;
}
static inline void put(char c) { put_to(USART2, c); }
static inline void say(const char *text)
{
    while (*text)
        put(*text++);
}
static inline void line(const char *text)
{
    say(text);
    say("\r\n");
}
static inline void number(uint32_t n)
{
    char digits[11];
    char *at = digits + sizeof digits;
    *--at = 0;
    do
        *--at = (char)('0' + n % 10);
    while (n /= 10);
    say(at);
}
static inline void hex2(uint32_t n)
{
    put("0123456789ABCDEF"[n >> 4 & 15]);
    put("0123456789ABCDEF"[n & 15]);
}
static inline int heard(void) { return USART2->sr & USART_SR_RXNE; }
static inline char get(void)
{
    while (!heard())
        ;
    return (char)USART2->dr;
}
/* A line without its end; at most ``room`` - 1 characters of it. */
static inline uint32_t get_line(char *text, uint32_t room)
{
    uint32_t n = 0;
    for (;;) {
        char c = get();
        if (c == '\n')
            break;
        if (c != '\r' && n < room - 1)
            text[n++] = c;
    }
    text[n] = 0;
    return n;
}
static inline int same(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}
static inline int is_digit(char c) { return c >= '0' && c <= '9'; }
static inline const char *read_number(const char *at, uint32_t *n)
{
    *n = 0;
    while (is_digit(*at))
        *n = *n * 10 + (uint32_t)(*at++ - '0');
    return at;
}

/* A square wave on a pin from *t on, for so long; *t is then the end. */
static inline void wave(int pin, uint32_t high_us, uint32_t low_us, uint32_t *t, uint32_t for_us)
{
    uint32_t end = *t + for_us, next = *t;
    while ((int32_t)(end - next) > 0) {
        set(pin, 1);
        until(next += high_us);
        set(pin, 0);
        until(next += low_us);
    }
    *t = end;
    until(end);
}
#endif
