/* What service.c and its rooms share: a core and one serial port, by interrupts, polling or DMA,
 * with SysTick beside it. Layout: machine/native/service.py.
 */
#ifndef FWGEN_SERVICE_H
#define FWGEN_SERVICE_H
#include "ops.h"

/* Tick n of a clock lies at time0 + floor((n - ticks0) * den / num): machine/time.py. */
typedef struct {
    int64_t time0, ticks0, num, den;
} Clock;

typedef struct {
    int64_t t_ps, start_ps, kind; /* kind: with what it is about << 8 */
} Happened;

enum { WOKE, SLEPT, RECEIVED, SENT, MOVED };    /* kinds */
enum { TIMERS = 3 };
/* Who interrupts; INTO and OUT_OF are streams. */
enum { PORT, INTO, OUT_OF, TICKS, FIRST_TIMER, LINES = FIRST_TIMER + TIMERS };
enum { SR, DR, BRR, CR1, CR2, CR3, REGISTERS }; /* of the port, in the order of their offsets */
enum { STREAMS = 2 };                           /* number INTO - INTO, OUT_OF - INTO */
enum { PORTS = 4, PINS = 16 };                  /* ports of pins, and pins of each */
/* Why it stopped, beside what ops.h has. */
enum { OVERRUN = 100, BAD_RETURN, BAD_STACK, NO_ROOM_TO_TELL, NOT_AWAKE_SO_LONG, BAD_TRANSFER };

typedef struct { /* a stream of the DMA: stm32/dma_v2/stream.py */
    int64_t cr, ndtr, par, m0ar, fcr, reload;
    int64_t at, left, total, done, fifo; /* fifo: the byte in it, or -1 */
    int32_t enabled, halfway, began; /* began: here */
} Stream;

/* A timer that counts up: stm32/tim_v1. ``at``: clocks of its counter since it was 0, up to which
 * SR is true; ``next_ps``: of what interrupts next, or -1. */
typedef struct {
    int64_t sr, dier, at, next_ps, order, read_ps;
} Beat;

typedef struct { /* a port of pins: stm32/gpio_v2.py */
    int64_t odr;
    int64_t moved_ps[PINS]; /* when the core last moved an output; -1: never */
} Latch;

typedef struct { /* an exception that is active */
    int32_t line;
    uint32_t frame;
} Nested;

/* What changes, and what is undone when something is refused. */
typedef struct {
    uint32_t r[16], nzcv;
    int64_t cycle, cost, refill, near, end, start; /* as in Hart */
    int64_t exclusive;                       /* as in Hart, or not open */
    int64_t now_ps;                          /* up to when events have happened */
    int64_t sr, cr1, cr3, dr, rdr, tdr, seen; /* tdr: -1 while empty */
    int64_t content, start_tick, end_tick, start_ps, end_ps; /* the frame going out; content -1 */
    int64_t received, over; /* frames: whose word is in, and whose end has passed */
    /* Of two events at once the one that was asked for first comes first. */
    int64_t asked, end_order, sample_order, sent_order, step_order, tick_order;
    int64_t asleep_since, asleep_cycles;
    int64_t asked_ps;
    int64_t port_read_ps, dma_read_ps;      /* when flags were looked at */
    int64_t entered_ps[LINES], fell_ps[LINES]; /* -1: never */
    /* The DMA: its flags; when its ports are free; the step that has them, or the look at who
     * wants them, in ticks and time. */
    int64_t flags[2], free_tick, until_tick, step_ps, after;
    Stream streams[STREAMS];
    int64_t tick0, value0, tick_ps; /* SysTick; tick_ps: of its exception */
    int32_t serving, step, asks;    /* serving: -1; asks: DMAT and DMAR, where they request */
    int32_t flagged;                /* COUNTFLAG */
    int32_t levels, pending;        /* sets of lines */
    int32_t depth, asleep, happened, served;
    Nested nested[LINES];
    Latch latches[PORTS];
    Beat beats[TIMERS];
    uint32_t frame, primask; /* the last one of Thread mode */
} Course;

typedef struct { /* an exception */
    int32_t number, priority, group;
    uint32_t handler;
} Line;

typedef struct { /* what of a stream does not change here */
    int32_t exists, number;
    int64_t shape, defined, free; /* of CR: what it must be; what is not reserved; what EN leaves free */
    int64_t register_cycles;           /* an access to the port */
} Wire;

enum { FLAGS = 5, TIMER_REGISTERS = 21 }; /* UIF, CC1IF to CC4IF; up to OR */
typedef struct { /* what of a timer does not change here */
    uint32_t base;         /* 0: there is none */
    uint32_t cleared_by_0; /* of SR */
    int64_t interrupts;    /* of DIER: those on its line */
    Clock clock;
    int64_t origin;        /* the tick at which the counter was 0 */
    int64_t prescale, period;
    int64_t phases[FLAGS]; /* clocks into a period at which a flag rises; -1: it does not */
    uint32_t held[TIMER_REGISTERS], known[TIMER_REGISTERS]; /* what those read; whether so */
} Timer;

typedef struct { /* what of a port of pins does not change here */
    uint32_t base;                  /* 0: there is none */
    uint32_t outputs, plain, fixed; /* pins that follow ODR; those that may move; IDR but for these */
} Pads;

typedef struct {
    Course course, kept;
    Hart hart;
    Clock hclk, kernel, ahb;
    int64_t until_ps; /* what is due then, and later, is not for here */
    Line lines[LINES];
    /* Exceptions of Thread mode. status: xPSR without the flags; least: where the main stack must
     * not go below; frame_size: 104 where room is left for floating-point state. aligned: STKALIGN,
     * of Thread mode and of handlers. */
    uint32_t link, status, least, frame_size;
    int32_t aligned, handlers_aligned;
    uint32_t process, main; /* what is interrupted is on the process stack; where main's is then */
    uint32_t sleeps_on_exit, unprivileged;
    int64_t entry_cycles, return_cycles, vector_cycles;
    /* The port. */
    uint32_t base;
    uint32_t offsets[REGISTERS], readable[REGISTERS], tells[REGISTERS];
    uint32_t held[REGISTERS];       /* what those read that do not change here */
    uint32_t free_cr1, free_cr3, cleared_by_0; /* bits that may change; of SR */
    int32_t room;                   /* for what is told */
    int64_t frame_ticks;            /* 0: it does not send */
    int64_t frames, began, length, sampled; /* coming in: the first is under way, the last is left */
    const uint8_t *data;
    Happened *told;
    /* The DMA. memory_cycles: an access to each area; 0 where it has no way there. */
    uint32_t dma_base, clears;      /* clears: the bits of LIFCR */
    Wire wires[STREAMS];
    const int64_t *memory_cycles;
    /* SysTick. */
    int32_t counts, divided;        /* counts: it is known here, and runs */
    uint32_t reload, tick_ctrl;
    Pads pads[PORTS];
    Timer timers[TIMERS];
    uint32_t wanted; /* an address that nobody here knows, and that refused */
} Service;

int64_t fwgen_time_of(const Clock *clock, int64_t tick);
int64_t fwgen_ticks_at(const Clock *clock, int64_t t_ps);
int64_t fwgen_cycle_of(const Clock *clock, int64_t t_ps);

int fwgen_refuse(Service *s, uint32_t why);
int fwgen_tell(Service *s, int kind, int64_t t_ps, int64_t start_ps, int about);
/* The level of an interrupt line. */
void fwgen_line(Service *s, int line, int level, int64_t t_ps);
void fwgen_pend(Service *s, int line);

/* What happens next by itself. */
enum { NOTHING, OVER, SAMPLED, OUT, STEP_OVER, TICK, BEAT }; /* BEAT, and which timer */
typedef struct {
    int what;
    int64_t t_ps, order;
} Next;
void fwgen_sooner(Next *next, int what, int64_t t_ps, int64_t order);

/* The rooms. 0 of an access or an event: it is refused. */
void fwgen_port_next(const Service *s, Next *next);
int fwgen_port_happens(Service *s, int what, int64_t t_ps);
int fwgen_port_load(Service *s, int n, int64_t t_ps, uint32_t *value);
int fwgen_port_store(Service *s, int n, uint32_t value, uint32_t mask, int64_t t_ps);

void fwgen_dma_next(const Service *s, Next *next);
int fwgen_dma_happens(Service *s, int64_t t_ps);
int fwgen_dma_raised(Service *s, int stream, int64_t t_ps);
int fwgen_dma_load(Service *s, uint32_t offset, uint32_t *value);
int fwgen_dma_store(Service *s, uint32_t offset, uint32_t value, int64_t t_ps);

void fwgen_ticks_next(const Service *s, Next *next);
int fwgen_ticks_happen(Service *s, int64_t t_ps);
int fwgen_ticks_load(Service *s, uint32_t offset, int64_t t_ps, uint32_t *value);
/* Put a tick's time, after ``tick0`` and ``value0`` were given. */
void fwgen_ticks_arm(Service *s);

void fwgen_timers_next(const Service *s, Next *next);
int fwgen_timer_happens(Service *s, int timer, int64_t t_ps);
int fwgen_timer_load(Service *s, int timer, uint32_t offset, int64_t t_ps, uint32_t *value);
int fwgen_timer_store(
    Service *s, int timer, uint32_t offset, uint32_t value, uint32_t mask, int64_t t_ps);

/* ``t_ps``: of the access. */
int fwgen_pins_load(Service *s, int port, uint32_t offset, int64_t t_ps, uint32_t *value);
int fwgen_pins_store(Service *s, int port, uint32_t offset, uint32_t value, int64_t t_ps);

/* A byte of plain memory; NULL where there is none (or it cannot be written). */
uint8_t *fwgen_memory(const Service *s, uint32_t address, uint32_t size, int writable, int32_t *area);
/* Note bytes of RAM before they are changed. */
int fwgen_note(Service *s, uint32_t address, const uint8_t *at, uint32_t size);

#endif
