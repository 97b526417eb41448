/* Code that the engine has run before, run again without it: what starting the engine costs more
 * than the code does. Python says what each instruction does (machine/armv7m/ops.py, layout:
 * machine/native/ops.py); here it is done, with the same cycles as the block hook would count.
 */
#ifndef FWGEN_OPS_H
#define FWGEN_OPS_H
#include <stdint.h>

#if defined(_WIN32)
#define FWGEN_PUBLIC __declspec(dllexport)
#else
#define FWGEN_PUBLIC __attribute__((visibility("default")))
#endif

typedef struct Op Op; /* one instruction: private to ops.c and armv7m/ops.py */

typedef struct { /* a block, as armv7m/blocks.py has it */
    uint32_t address, size;
    int64_t cost, refill, landing, near, flags;
    int32_t first, count; /* its instructions in ``ops`` */
    int64_t has_it;
} Run;

typedef struct { /* plain memory */
    uint32_t base, size;
    uint8_t *data;
    int32_t writable;
} Area;

typedef struct { /* a store that can be taken back */
    uint32_t address, before;
    int32_t size;
} Undo;

/* Outside the areas: 0 refuses it (then nothing of it was done). ``cycle``: when it happens. */
typedef int (*Load)(void *world, uint32_t address, int size, int64_t cycle, uint32_t *value);
typedef int (*Store)(void *world, uint32_t address, int size, int64_t cycle, uint32_t value);

typedef struct {
    uint32_t r[16];  /* r[15]: where to go on, without the Thumb bit; or EXC_RETURN */
    uint32_t nzcv;   /* the flags, in bits 3 to 0 */
    int32_t attend;  /* pause before the next instruction; behind the block where that has an IT */
    /* As in Clockwork: the block that ran last began at ``cycle``, cost ``cost`` and ended at
     * ``end``; ``refill`` is what a taken branch out of it costs, ``near`` what it waits where it
     * goes to the line of the flash that follows. */
    int64_t cycle, cost, refill, near, end, start;
    const Run *runs; /* by address, rising; no address twice */
    const Op *ops;
    const Area *areas;
    int32_t run_count, area_count;
    Undo *undo;      /* one for each store into an area since the caller set ``undone`` to 0 */
    int32_t undone, undo_size;
    Load load;
    Store store;
    void *world;
    int64_t due;      /* by this cycle to pause, at the first place where that can be */
    /* The exclusive monitor: the address that it is open for, and what was read there; CLOSED, or
     * NOT_KNOWN while nothing told. */
    int64_t exclusive;
    uint32_t exclusive_value;
    uint32_t primask;
    int64_t patience; /* instructions that may still run: counted down */
    int32_t why;      /* why it was refused, and where */
    uint32_t where;
    int32_t no_masks; /* PRIMASK is out of reach: without privilege */
} Hart;

enum { CLOSED = -1, NOT_KNOWN = -2 }; /* Hart.exclusive */
/* How a stretch of code ended. */
enum { REFUSED, RETURNED, WAITS, PAUSED };
/* Why it was refused: no such block is known (``where``: its address); an instruction that has no
 * op; the load or store of an address outside memory was refused; no room to take stores back;
 * no patience left; a branch that changes what code waits for the flash. */
enum { UNKNOWN_BLOCK = 1, NO_OP, NO_ACCESS, NO_ROOM, TOO_LONG, NEWS };

/* Run from r[15] on: to a branch to EXC_RETURN (RETURNED; it is in r[15]), to a WFI at the end of a
 * block (WAITS; r[15] is behind it), to a place between two instructions, none in an IT block, where
 * ``due`` or ``attend`` want it (PAUSED), or until something has to be done by the engine (REFUSED;
 * then registers are anything, and memory is what ``undo`` says how to take back). A callback may
 * change ``due`` and ``attend``. */
FWGEN_PUBLIC int fwgen_run_ops(Hart *hart);
/* To be called once, when ``runs`` and ``ops`` (so many of them) are there. */
FWGEN_PUBLIC void fwgen_link_ops(Hart *hart, int32_t count);
/* Take back the stores, newest first, down to ``undone`` of before. */
FWGEN_PUBLIC void fwgen_take_back(Hart *hart, int32_t undone);

#endif
