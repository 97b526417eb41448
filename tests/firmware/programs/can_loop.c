/* STM32F4DISCOVERY at 16 MHz: CAN1 in self-test at 500 kbit/s sends a counter in two frames, a long
 * one among them, and prints what came through the filters. */
#include "chip.h"
#include "console.h"

#define CAN1(offset) WORD(0x40006400 + (offset))
#define MCR CAN1(0x00)
#define MSR CAN1(0x04)
#define TSR CAN1(0x08)
#define RF0R CAN1(0x0C)
#define BTR CAN1(0x1C)
#define FMR CAN1(0x200)

#ifndef MODES
#define MODES (BIT(31) | BIT(30)) /* SILM, LBKM */
#endif
#ifndef BRP
#define BRP 4u
#endif
#ifndef IDENTIFIER
#define IDENTIFIER 0x123u
#endif
#ifndef SCALE
#define SCALE BIT(0) /* 32 bits */
#endif
#ifndef FINIT
#define FINIT 0u
#endif

static void send(unsigned box, uint32_t id, uint32_t data)
{
    while (!(TSR & BIT(26 + box)))
        ;
    CAN1(0x184 + 16 * box) = 4;
    CAN1(0x188 + 16 * box) = data;
    CAN1(0x180 + 16 * box) = id | 1;
}

static void show(const char *before)
{
    uint32_t id = CAN1(0x1B0);

    put_text(before);
    put_hex(id & BIT(2) ? id >> 3 : id >> 21);
    put_text(" ");
    put_number(CAN1(0x1B4) & 15);
    put_text(" ");
    put_number(CAN1(0x1B8));
#ifndef NOT_RELEASED
    RF0R = BIT(5);
#endif
}

int main(void)
{
    console_begin(16000000, 115200);
    RCC_APB1ENR |= BIT(25);
    dsb();
    MCR &= ~BIT(1);
    MCR |= BIT(0);
    while (!(MSR & BIT(0)))
        ;
    BTR = MODES | (BRP - 1) | 4u << 16 | 1u << 20;
    FMR |= 1;
    CAN1(0x20C) = SCALE;          /* FS1R */
    CAN1(0x204) = BIT(0);         /* FM1R: a list */
    CAN1(0x240) = IDENTIFIER << 21;
    CAN1(0x244) = 0x1234567u << 3 | BIT(2);
    CAN1(0x21C) = BIT(0);         /* FA1R */
    FMR = (FMR & ~1u) | FINIT;
    MCR &= ~BIT(0);
    while (MSR & BIT(0))
        ;
    for (uint32_t n = 0;; n++) {
        send(0, 0x123u << 21, n);
        send(1, 0x1234567u << 3 | BIT(2), n + 1000);
        send(2, 0x124u << 21, 0); /* nobody's */
        for (unsigned got = 0; got < 2; got++) {
            while (!(RF0R & 3))
                ;
            show(got ? " " : "");
        }
        put_text("\r\n");
    }
}
