/* See ops.h. Each case of the switch is one instruction of Arm ARM DDI0403 A7.7, or a part of one:
 * write-back and shifted operands are steps of their own. As registers do not matter once a stretch
 * is refused, no order within an instruction has to be kept but that of its accesses.
 *
 * The firmware is not trusted: every address goes through `load` and `store`, which alone touch
 * memory. The ops are: Python made them.
 */
#include "ops.h"

#include <string.h>

enum { UNALIGNED = 4, NEAR = 64, FAR = 128, LINE = 4, MOST_REFILL = 3 }; /* as in blocks.c */
enum { LAYOUT = 7 };
enum { SP = 13, LR = 14, PC = 15, HELD = 16, ZERO = 17, REGISTERS = 18 };
enum { MEMORY_ONLY = -1 };       /* a cycle: what lies outside the areas is refused */
enum { KEEP = 2, SHIFTED = 3 }; /* of the carry; else it is the carry itself */
enum { RECENT = 32 };           /* blocks branched to: a power of 2 */
static const uint32_t EXC_RETURN = 0xFFFFFFE0u; /* the least: B1.5.8 */

struct Op {
    uint8_t kind, d, n, m;
    uint8_t s;     /* sets flags; of an access: must be aligned; of LDM, STM: writes back */
    uint8_t carry; /* what a logical operation that sets flags does to C */
    uint8_t x;     /* amount of a shift, fourth register, steps to skip */
    uint8_t condition;
    uint32_t imm, address;
    int32_t before; /* cycles from the start of the block */
    int32_t link;   /* where in the runs the block at `imm` is: a guess */
    int32_t stop;   /* as `before` where the core may pause before it, less its wait; or -1 */
};

/* Pairs: with an immediate, and with a register. As native/ops.py has them. */
enum {
    REFUSE,
    AND_I, AND_R, BIC_I, BIC_R, ORR_I, ORR_R, ORN_I, ORN_R, EOR_I, EOR_R, MOV_I, MOV_R, MVN_I,
    MVN_R, ADD_I, ADD_R, ADC_I, ADC_R, SBC_I, SBC_R, SUB_I, SUB_R, RSB_I, RSB_R,
    LSL_I, LSL_R, LSR_I, LSR_R, ASR_I, ASR_R, ROR_I, ROR_R, RRX,
    MOVT, BFI, UBFX, SBFX,
    MUL, MLA, MLS, UMULL, SMULL, UMLAL, SMLAL, UDIV, SDIV,
    SXTH, SXTB, UXTH, UXTB, REV, REV16, REVSH, RBIT, CLZ,
    LDR_I, LDR_R, LDRH_I, LDRH_R, LDRB_I, LDRB_R, LDRSH_I, LDRSH_R, LDRSB_I, LDRSB_R,
    STR_I, STR_R, STRH_I, STRH_R, STRB_I, STRB_R,
    LDRD, STRD, LDM, STM, LDREX, STREX, CLREX,
    CPS, GET_MASK, SET_MASK,
    B, BCC, CBZ, CBNZ, BL, BLX, BX, JUMP, TABLE,
    SKIP, ALIGNED_SP, NOTHING, WAIT,
    KINDS
};

/* The area that holds all of an access; NULL and `part` where one holds its beginning only. */
static const Area *area_of(const Hart *hart, uint32_t address, uint32_t size, int *part) {
    int32_t n;
    *part = 0;
    for (n = 0; n < hart->area_count; n++) {
        const Area *area = &hart->areas[n];
        uint32_t offset = address - area->base; /* wraps to something large below the base */
        if (offset < area->size) {
            if (size <= area->size - offset)
                return area;
            *part = 1;
            return NULL;
        }
    }
    return NULL;
}

static uint32_t get(const uint8_t *from, uint32_t size) {
    if (size == 1)
        return from[0];
    if (size == 2)
        return (uint32_t)from[0] | (uint32_t)from[1] << 8;
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
           (uint32_t)from[3] << 24;
}

static void put(uint8_t *to, uint32_t size, uint32_t value) {
    to[0] = (uint8_t)value;
    if (size > 1)
        to[1] = (uint8_t)(value >> 8);
    if (size > 2) {
        to[2] = (uint8_t)(value >> 16);
        to[3] = (uint8_t)(value >> 24);
    }
}

/* 0, or why not. */
static int load(Hart *hart, const Area **last, uint32_t address, uint32_t size, int64_t cycle,
                uint32_t *value) {
    const Area *area = *last;
    int part;
    if (!area || address - area->base >= area->size ||
        size > area->size - (address - area->base)) {
        area = area_of(hart, address, size, &part);
        if (!area) {
            if (part || cycle < 0 || address & (size - 1) || !hart->load)
                return NO_ACCESS;
            *value = 0;
            if (!hart->load(hart->world, address, (int)size, cycle, value))
                return NO_ACCESS;
            if (size < 4)
                *value &= (1u << 8 * size) - 1;
            return 0;
        }
        *last = area;
    }
    *value = get(area->data + (address - area->base), size);
    return 0;
}

static int store(Hart *hart, const Area **last, uint32_t address, uint32_t size, int64_t cycle,
                 uint32_t value) {
    const Area *area = *last;
    uint8_t *to;
    Undo *undo;
    int part = 0;
    if (!area || address - area->base >= area->size || size > area->size - (address - area->base))
        area = area_of(hart, address, size, &part);
    if (size < 4)
        value &= (1u << 8 * size) - 1;
    if (!area || !area->writable) {
        if (part || cycle < 0 || address & (size - 1) || !hart->store)
            return NO_ACCESS;
        return hart->store(hart->world, address, (int)size, cycle, value) ? 0 : NO_ACCESS;
    }
    *last = area;
    if (hart->undone < 0 || hart->undone >= hart->undo_size)
        return NO_ROOM;
    to = area->data + (address - area->base);
    undo = &hart->undo[hart->undone++];
    undo->address = address;
    undo->before = get(to, size);
    undo->size = (int32_t)size;
    put(to, size, value);
    return 0;
}

FWGEN_PUBLIC void fwgen_take_back(Hart *hart, int32_t undone) {
    if (undone < 0)
        undone = 0;
    while (hart->undone > undone) {
        const Undo *undo = &hart->undo[--hart->undone];
        int part;
        const Area *area = area_of(hart, undo->address, (uint32_t)undo->size, &part);
        if (area && area->writable)
            put(area->data + (undo->address - area->base), (uint32_t)undo->size, undo->before);
    }
}

/* The run that begins at an address, or -1. */
static int32_t search(const Hart *hart, uint32_t address) {
    int32_t low = 0, high = hart->run_count;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (hart->runs[middle].address < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low < hart->run_count && hart->runs[low].address == address ? low : -1;
}

/* A7.3.1. N is bit 31 of `n`, Z is set where `z` is 0, C is 0 or 1, V is bit 31 of `v`. */
static int holds(int condition, uint32_t n, uint32_t z, uint32_t c, uint32_t v) {
    int yes;
    switch (condition >> 1) {
    case 0: yes = z == 0; break;
    case 1: yes = c != 0; break;
    case 2: yes = n >> 31 != 0; break;
    case 3: yes = v >> 31 != 0; break;
    case 4: yes = c && z; break;
    case 5: yes = !((n ^ v) >> 31); break;
    case 6: yes = z && !((n ^ v) >> 31); break;
    default: return 1;
    }
    return yes != (condition & 1);
}

static uint32_t sar(uint32_t value, uint32_t amount) { /* below 32 */
    uint32_t fill = value >> 31 ? ~(0xFFFFFFFFu >> amount) : 0;
    return value >> amount | fill;
}

static uint32_t ror(uint32_t value, uint32_t amount) {
    amount &= 31;
    return amount ? value >> amount | value << (32 - amount) : value;
}

static uint32_t reversed(uint32_t value) {
    return value >> 24 | (value >> 8 & 0xFF00) | (value & 0xFF00) << 8 | value << 24;
}

static uint32_t mirrored(uint32_t value) {
    value = (value >> 1 & 0x55555555) | (value & 0x55555555) << 1;
    value = (value >> 2 & 0x33333333) | (value & 0x33333333) << 2;
    value = (value >> 4 & 0x0F0F0F0F) | (value & 0x0F0F0F0F) << 4;
    return reversed(value);
}

static uint32_t zeros(uint32_t value) {
    uint32_t count = 0;
    if (!value)
        return 32;
    while (!(value >> 31)) {
        value <<= 1;
        count++;
    }
    return count;
}

/* The product of two as signed numbers: no shift or overflow of a signed one. */
static uint64_t product(uint32_t a, uint32_t b) {
    uint64_t x = a >> 31 ? a | ~UINT64_C(0xFFFFFFFF) : a;
    uint64_t y = b >> 31 ? b | ~UINT64_C(0xFFFFFFFF) : b;
    return x * y;
}

static uint32_t quotient(uint32_t a, uint32_t b) { /* b is not 0; INT_MIN / -1 is INT_MIN */
    uint32_t x = a >> 31 ? 0u - a : a, y = b >> 31 ? 0u - b : b;
    return (a ^ b) >> 31 ? 0u - x / y : x / y;
}

/* An operation on r[n] and either operand. */
#define BOTH(NAME, ...)                                                                            \
    case NAME##_I: {                                                                               \
        const uint32_t a = r[op->n], b = op->imm;                                                  \
        __VA_ARGS__                                                                                \
        break;                                                                                     \
    }                                                                                              \
    case NAME##_R: {                                                                               \
        const uint32_t a = r[op->n], b = r[op->m];                                                 \
        __VA_ARGS__                                                                                \
        break;                                                                                     \
    }
#define LOGIC(NAME, RESULT)                                                                        \
    BOTH(NAME, const uint32_t y = RESULT; (void)a; if (op->s) {                                    \
        nf = zf = y;                                                                               \
        if (op->carry != KEEP)                                                                     \
            cf = op->carry == SHIFTED ? shifted : op->carry;                                       \
    } r[op->d] = y;)
/* AddWithCarry(X, Y, IN): A2.2.1. */
#define ADDS(NAME, X, Y, IN)                                                                       \
    BOTH(NAME, const uint32_t p = X, q = Y, in = IN; const uint32_t y = p + q + in; if (op->s) {   \
        nf = zf = y;                                                                               \
        cf = (uint32_t)(((uint64_t)p + q + in) >> 32);                                             \
        vf = (p ^ y) & (q ^ y);                                                                    \
    } r[op->d] = y;)
/* A shift of r[n] by `by`, 0 to 255: A2.2.1. */
#define SHIFT(NAME, RESULT)                                                                        \
    BOTH(NAME, const uint32_t by = b & 0xFF; uint32_t y = a; shifted = cf; if (by) { RESULT }      \
         if (op->s) {                                                                              \
             nf = zf = y;                                                                          \
             cf = shifted;                                                                         \
         } r[op->d] = y;)
#define ADDRESS_I (r[op->n] + op->imm)
#define ADDRESS_R (r[op->n] + (r[op->m] << op->x) + op->imm)
#define LOADS(NAME, SIZE, HOW)                                                                     \
    case NAME##_I:                                                                                 \
        address = ADDRESS_I;                                                                       \
        LOAD(SIZE, HOW)                                                                            \
        break;                                                                                     \
    case NAME##_R:                                                                                 \
        address = ADDRESS_R;                                                                       \
        LOAD(SIZE, HOW)                                                                            \
        break;
#define LOAD(SIZE, HOW)                                                                            \
    if (op->s && address & (SIZE - 1))                                                             \
        REFUSED_FOR(NO_ACCESS)                                                                     \
    TRY(load(hart, &last, address, SIZE, cycle + op->before, &value))                              \
    r[op->d] = HOW;                                                                                \
    LOOK
#define STORES(NAME, SIZE)                                                                         \
    case NAME##_I:                                                                                 \
        address = ADDRESS_I;                                                                       \
        STORE(SIZE)                                                                                \
        break;                                                                                     \
    case NAME##_R:                                                                                 \
        address = ADDRESS_R;                                                                       \
        STORE(SIZE)                                                                                \
        break;
#define STORE(SIZE)                                                                                \
    if (op->s && address & (SIZE - 1))                                                             \
        REFUSED_FOR(NO_ACCESS)                                                                     \
    TRY(store(hart, &last, address, SIZE, cycle + op->before, r[op->d]))                           \
    LOOK
/* What the access brought may be due within this block. */
#define LOOK                                                                                       \
    if ((hart->attend || hart->due < cycle + cost) && !has_it) {                                   \
        const int64_t into = hart->attend ? 0 : hart->due - cycle;                                 \
        slack = into < slack ? into : slack;                                                       \
    }
#define TRY(CALL)                                                                                  \
    {                                                                                              \
        why = CALL;                                                                                \
        if (why)                                                                                   \
            goto refused;                                                                          \
    }
#define REFUSED_FOR(WHY)                                                                           \
    {                                                                                              \
        why = WHY;                                                                                 \
        goto refused;                                                                              \
    }
#define GO(WHERE, HINT)                                                                            \
    {                                                                                              \
        next = WHERE;                                                                              \
        hint = HINT;                                                                               \
        goto block;                                                                                \
    }

FWGEN_PUBLIC int fwgen_run_ops(Hart *hart) {
    uint32_t r[REGISTERS], nf, zf, cf, vf, shifted = 0, next = hart->r[PC], where = next;
    uint32_t address, value;
    int64_t cycle = hart->cycle, cost = hart->cost, refill = hart->refill, end = hart->end;
    int64_t near = hart->near;
    int64_t slack; /* cycles into the block by which to pause */
    int32_t has_it;
    const Run *const runs = hart->runs;
    const Area *last = NULL;
    const Op *op = NULL, *stop;
    int32_t recent[RECENT], hint = -1;
    int why, how = REFUSED;

    memcpy(r, hart->r, sizeof hart->r);
    r[HELD] = r[ZERO] = 0;
    memset(recent, 0, sizeof recent);
    nf = hart->nzcv << 28;
    zf = ~hart->nzcv & 4;
    cf = hart->nzcv >> 1 & 1;
    vf = hart->nzcv << 31;
    if (r[SP] & 3 || hart->run_count <= 0) {
        why = r[SP] & 3 ? NO_OP : UNKNOWN_BLOCK;
        goto done;
    }

block:
    {
        const Run *run;
        int64_t at = (int64_t)next;
        if (hint < 0 || hint >= hart->run_count || runs[hint].address != next) {
            int32_t *slot = &recent[next >> 1 & (RECENT - 1)];
            hint = *slot;
            if (runs[hint].address != next) {
                hint = search(hart, next);
                if (hint < 0) {
                    why = UNKNOWN_BLOCK;
                    where = next;
                    goto done;
                }
                *slot = hint;
            }
        }
        run = &runs[hint];
        if (hart->patience <= 0) {
            why = TOO_LONG;
            where = next;
            goto done;
        }
        hart->patience -= run->count > 0 ? run->count : 1;
        cycle += cost; /* as fwgen_on_block */
        if (at != end) {
            cycle += refill + ((run->flags & UNALIGNED) && refill < MOST_REFILL);
            const int64_t lines = (at >> LINE) - ((end - 1) >> LINE);
            if (lines && lines != 1 && run->flags & FAR) {
                why = NEWS;
                where = next;
                goto done;
            }
            if (lines)
                cycle += lines == 1 && run->flags & NEAR ? near : run->landing;
        }
        hart->start = at;
        if (hart->attend || cycle >= hart->due) {
            cost = 0;
            end = at;
            how = PAUSED;
            why = 0;
            goto done;
        }
        cost = run->cost;
        slack = cycle + cost > hart->due ? hart->due - cycle : INT64_MAX;
        refill = run->refill;
        near = run->near;
        has_it = (int32_t)run->has_it;
        end = at + run->size;
        next = run->address + run->size;
        op = &hart->ops[run->first];
        stop = op + run->count;
        hint++; /* most often the one that follows */
    }

    for (; op < stop; op++) {
        if (op->stop >= slack && op->stop >= 0) {
            next = op->address;
            cost = op->stop;
            hart->start = end = next;
            how = PAUSED;
            why = 0;
            goto done;
        }
        switch (op->kind) {
            LOGIC(AND, a & b)
            LOGIC(BIC, a & ~b)
            LOGIC(ORR, a | b)
            LOGIC(ORN, a | ~b)
            LOGIC(EOR, a ^ b)
            LOGIC(MOV, b)
            LOGIC(MVN, ~b)
            ADDS(ADD, a, b, 0)
            ADDS(ADC, a, b, cf)
            ADDS(SBC, a, ~b, cf)
            ADDS(SUB, a, ~b, 1)
            ADDS(RSB, ~a, b, 1)
            SHIFT(LSL, {
                shifted = by <= 32 ? a >> (32 - by) & 1 : 0;
                y = by < 32 ? a << by : 0;
            })
            SHIFT(LSR, {
                shifted = by <= 32 ? a >> (by - 1) & 1 : 0;
                y = by < 32 ? a >> by : 0;
            })
            SHIFT(ASR, {
                shifted = by <= 32 ? a >> (by - 1) & 1 : a >> 31;
                y = sar(sar(a, by < 32 ? by : 31), by < 32 ? 0 : 1);
            })
            SHIFT(ROR, {
                y = ror(a, by);
                shifted = y >> 31;
            })
        case RRX:
            value = cf << 31 | r[op->n] >> 1;
            shifted = r[op->n] & 1;
            if (op->s) {
                nf = zf = value;
                cf = shifted;
            }
            r[op->d] = value;
            break;
        case MOVT:
            r[op->d] = (r[op->d] & 0xFFFF) | op->imm;
            break;
        case BFI:
            r[op->d] = (r[op->d] & ~op->imm) | (r[op->n] << op->x & op->imm);
            break;
        case UBFX:
            r[op->d] = r[op->n] >> op->x & op->imm;
            break;
        case SBFX:
            r[op->d] = sar(r[op->n] << op->x, op->imm);
            break;
        case MUL:
            value = r[op->n] * r[op->m];
            if (op->s)
                nf = zf = value;
            r[op->d] = value;
            break;
        case MLA:
            r[op->d] = r[op->n] * r[op->m] + r[op->x];
            break;
        case MLS:
            r[op->d] = r[op->x] - r[op->n] * r[op->m];
            break;
        case UMULL:
        case SMULL:
        case UMLAL:
        case SMLAL: { /* low into d, high into x */
            int sign = op->kind == SMULL || op->kind == SMLAL;
            uint64_t both = sign ? product(r[op->n], r[op->m]) : (uint64_t)r[op->n] * r[op->m];
            if (op->kind == UMLAL || op->kind == SMLAL)
                both += (uint64_t)r[op->x] << 32 | r[op->d];
            r[op->d] = (uint32_t)both;
            r[op->x] = (uint32_t)(both >> 32);
            break;
        }
        case UDIV: /* a divisor of 0 may have to be trapped */
            if (!r[op->m])
                REFUSED_FOR(NO_OP)
            r[op->d] = r[op->n] / r[op->m];
            break;
        case SDIV:
            if (!r[op->m])
                REFUSED_FOR(NO_OP)
            r[op->d] = quotient(r[op->n], r[op->m]);
            break;
        case SXTH:
            r[op->d] = sar(ror(r[op->m], op->x) << 16, 16);
            break;
        case SXTB:
            r[op->d] = sar(ror(r[op->m], op->x) << 24, 24);
            break;
        case UXTH:
            r[op->d] = ror(r[op->m], op->x) & 0xFFFF;
            break;
        case UXTB:
            r[op->d] = ror(r[op->m], op->x) & 0xFF;
            break;
        case REV:
            r[op->d] = reversed(r[op->m]);
            break;
        case REV16:
            r[op->d] = ror(reversed(r[op->m]), 16);
            break;
        case REVSH:
            r[op->d] = sar(reversed(r[op->m]), 16);
            break;
        case RBIT:
            r[op->d] = mirrored(r[op->m]);
            break;
        case CLZ:
            r[op->d] = zeros(r[op->m]);
            break;

            LOADS(LDR, 4, value)
            LOADS(LDRH, 2, value)
            LOADS(LDRB, 1, value)
            LOADS(LDRSH, 2, sar(value << 16, 16))
            LOADS(LDRSB, 1, sar(value << 24, 24))
            STORES(STR, 4)
            STORES(STRH, 2)
            STORES(STRB, 1)
        case LDRD: { /* into d and x */
            uint32_t high;
            address = ADDRESS_I;
            if (address & 3)
                REFUSED_FOR(NO_ACCESS)
            TRY(load(hart, &last, address, 4, MEMORY_ONLY, &value))
            TRY(load(hart, &last, address + 4, 4, MEMORY_ONLY, &high))
            r[op->d] = value;
            r[op->x] = high;
            break;
        }
        case STRD:
            address = ADDRESS_I;
            if (address & 3)
                REFUSED_FOR(NO_ACCESS)
            TRY(store(hart, &last, address, 4, MEMORY_ONLY, r[op->d]))
            TRY(store(hart, &last, address + 4, 4, MEMORY_ONLY, r[op->x]))
            break;
        case LDREX: /* x: its size */
            address = ADDRESS_I;
            if (address & (op->x - 1u))
                REFUSED_FOR(NO_ACCESS)
            TRY(load(hart, &last, address, op->x, cycle + op->before, &value))
            r[op->d] = hart->exclusive_value = value;
            hart->exclusive = address;
            LOOK
            break;
        case STREX: /* as the engine has it: what is there is compared, then written in any case */
            address = ADDRESS_I;
            if (address & (op->x - 1u))
                REFUSED_FOR(NO_ACCESS)
            if (hart->exclusive == NOT_KNOWN)
                REFUSED_FOR(NO_OP)
            shifted = hart->exclusive != address;
            if (!shifted) {
                TRY(load(hart, &last, address, op->x, cycle + op->before, &value))
                shifted = value != hart->exclusive_value;
                TRY(store(hart, &last, address, op->x, cycle + op->before,
                          shifted ? value : r[op->m]))
                LOOK
            }
            r[op->d] = shifted;
            hart->exclusive = CLOSED;
            break;
        case CLREX:
            hart->exclusive = CLOSED;
            break;
        case CPS: /* x: PRIMASK */
        case SET_MASK:
            if (hart->no_masks)
                REFUSED_FOR(NO_OP)
            value = op->kind == CPS ? op->x : r[op->n] & 1;
            if (hart->primask && !value)
                hart->attend = 1; /* to what waited, if anything did */
            hart->primask = value;
            LOOK
            break;
        case GET_MASK:
            if (hart->no_masks)
                REFUSED_FOR(NO_OP)
            r[op->d] = hart->primask;
            break;
        case LDM:
        case STM: { /* imm: the list; d: its size in bytes; x: below the base */
            uint32_t list = op->imm, base = r[op->n], number = 0;
            address = op->x ? base - op->d : base;
            if (address & 3)
                REFUSED_FOR(NO_ACCESS)
            for (; list; list >>= 1, number++) {
                if (!(list & 1))
                    continue;
                if (op->kind == STM) {
                    TRY(store(hart, &last, address, 4, MEMORY_ONLY, r[number]))
                } else { /* pc is held until the branch, which is a step of its own */
                    TRY(load(hart, &last, address, 4, MEMORY_ONLY, &value))
                    r[number == PC ? HELD : number] = value;
                }
                address += 4;
            }
            if (op->s)
                r[op->n] = op->x ? base - op->d : base + op->d;
            break;
        }

        case B:
            GO(op->imm, op->link)
        case BCC:
            if (holds(op->condition, nf, zf, cf, vf))
                GO(op->imm, op->link)
            break;
        case CBZ:
            if (!r[op->n])
                GO(op->imm, op->link)
            break;
        case CBNZ:
            if (r[op->n])
                GO(op->imm, op->link)
            break;
        case BL:
            r[LR] = next | 1;
            GO(op->imm, op->link)
        case BLX: /* what looks like EXC_RETURN is an address here: A7.7.19 */
            value = r[op->m];
            if (!(value & 1))
                REFUSED_FOR(NO_OP)
            r[LR] = next | 1;
            GO(value & ~1u, -1)
        case BX:
            value = r[op->m];
            if (value >= EXC_RETURN) {
                how = RETURNED;
                next = value;
                why = 0;
                goto done;
            }
            if (!(value & 1))
                REFUSED_FOR(NO_OP)
            GO(value & ~1u, -1)
        case JUMP:
            GO(r[op->m] & ~1u, -1)
        case TABLE:
            GO(op->imm + 2 * r[HELD], -1)

        case SKIP:
            if (!holds(op->condition, nf, zf, cf, vf))
                op += op->x;
            break;
        case ALIGNED_SP:
            if (r[SP] & 3)
                REFUSED_FOR(NO_OP)
            break;
        case NOTHING:
            break;
        case WAIT:
            how = WAITS;
            why = 0;
            goto done;
        default:
            REFUSED_FOR(NO_OP)
        }
    }
    goto block;

refused:
    where = op->address;
done:
    memcpy(hart->r, r, sizeof hart->r);
    hart->r[PC] = next;
    hart->nzcv = (nf >> 28 & 8) | (zf ? 0u : 4u) | cf << 1 | vf >> 31;
    hart->cycle = cycle;
    hart->cost = cost;
    hart->refill = refill;
    hart->near = near;
    hart->end = end;
    hart->why = why;
    hart->where = where;
    return how;
}

/* Where the blocks are that direct branches go to. */
FWGEN_PUBLIC void fwgen_link_ops(Hart *hart, int32_t count) {
    Op *ops = (Op *)hart->ops;
    int32_t n;
    for (n = 0; n < count; n++)
        if (ops[n].kind >= B && ops[n].kind <= BL)
            ops[n].link = search(hart, ops[n].imm);
}

/* How the structures are laid out, and how many kinds of op there are: Python must have the same. */
FWGEN_PUBLIC uint64_t fwgen_ops_layout(void) {
    return (uint64_t)LAYOUT << 56 | (uint64_t)KINDS << 48 | (uint64_t)sizeof(Op) << 40 |
           (uint64_t)sizeof(Run) << 32 | (uint64_t)sizeof(Area) << 24 |
           (uint64_t)sizeof(Undo) << 16 | (uint64_t)sizeof(Hart);
}
