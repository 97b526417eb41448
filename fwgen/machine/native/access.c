/* Hooks in C before accesses and watched instructions: what armv7m/bus.py and armv7m/watch.py do
 * in Python, for those that need no look.
 *
 * An access to a known place passes at its exact cycle. What it reads is answered from here where
 * Python has said what that will be, and until when; that it was read Python hears later
 * (`fwgen_looks`), before anything else happens.
 */
#include "clockwork.h"

enum { READ_PROT = 23, WRITE_PROT = 22 }; /* uc_mem_type */
enum { CONDITIONAL = 32 };                /* a flag of a block: armv7m/blocks.py */
enum { PLACES = 4096, MOST_LOOKS = 64, SHYEST = 63 };
#define PPB UINT64_C(0xE0000000)

struct Place {
    uint64_t key;                        /* address << 3 | size; 0 is free */
    int64_t value, growth, since, until; /* what it reads: then, more each cycle, up to when */
    int64_t epoch;                       /* of what it reads */
    int64_t cycle;                       /* of the last read that Python does not know of */
    int64_t used;                        /* how often it was answered for in this epoch */
    int64_t asked, shy, waited; /* reads to let pass before it is asked for again: it was no use */
    Place *before;       /* the one looked at before, while ``pending`` */
    int64_t pending;
};

typedef struct {
    Clockwork *at;
    uint64_t base; /* of a stretch outside memory */
} Stretch;

typedef struct {
    int64_t base, by, shift, offset, mask; /* base and by: the engine's ids, by -1: none */
    Clockwork *at;
    void (*slow)(void *uc, uint64_t address, uint32_t size, void *user);
} Watch;

typedef struct {
    uint64_t key;
    int64_t cycle;
} Look;

static Place *place_of(const Clockwork *at, uint64_t key) {
    uint64_t slot = (key * UINT64_C(0x9E3779B97F4A7C15)) >> 20 & (PLACES - 1);
    while (at->places[slot].key && at->places[slot].key != key)
        slot = (slot + 1) & (PLACES - 1);
    return &at->places[slot];
}

static uint32_t reg(const Clockwork *at, void *uc, int64_t id) {
    uint32_t value[2] = {0}; /* room for any register */
    at->reg_read(uc, (int)id, value);
    return value[0];
}

/* Whether the access passes; notes its PC and cycle. */
static bool passes(Clockwork *at, void *uc, int kind, uint64_t address, int size) {
    const Entry *block;
    uint32_t pc;
    if (!at->plain || at->attention || !at->table || !at->places || at->start < 0)
        return false;
    if (kind != READ_PROT && kind != WRITE_PROT)
        return false;
    if (!place_of(at, address << 3 | (uint64_t)size)->key)
        return false;
    block = find(at, (uint64_t)at->start << 12 | (uint64_t)(at->end - at->start));
    if (!block->key)
        return false;
    pc = reg(at, uc, at->pc);
    if ((int64_t)pc < at->start || (int64_t)pc >= at->end)
        return false;
    if (address >= PPB && reg(at, uc, at->control) & 1)
        return false;
    if (block->flags & CONDITIONAL) {
        uint32_t plain[2] = {1 << 24}; /* else the engine leaks the IT state */
        at->reg_write(uc, (int)at->epsr, plain);
    }
    at->access_pc = pc;
    at->access_cycle = at->cycle + block->prefix[((int64_t)pc - at->start) >> 1];
    return true;
}

PUBLIC bool fwgen_on_access(void *uc, int kind, uint64_t address, int size, int64_t value,
                            void *user) {
    Clockwork *at = user;
    if (passes(at, uc, kind, address, size))
        return true;
    at->access_pc = -1;
    if (kind == WRITE_PROT)
        at->epoch++;
    return at->refused(uc, kind, address, size, value, NULL);
}

/* Whether Python is to say what the place will read: not always where that was of no use. */
static int wanted(Place *place) {
    if (place->used)
        place->shy = 0;
    else if (place->asked)
        place->shy = place->shy * 2 + 1 < SHYEST ? place->shy * 2 + 1 : SHYEST;
    place->epoch = -1;
    place->used = 0;
    place->asked = place->waited++ >= place->shy;
    if (place->asked)
        place->waited = 0;
    return (int)place->asked;
}

PUBLIC uint64_t fwgen_on_read(void *uc, uint64_t offset, uint32_t size, void *user) {
    Stretch *from = user;
    Clockwork *at = from->at;
    uint64_t address = from->base + offset;
    int64_t pc = at->access_pc, cycle = at->access_cycle;
    int keep = 0;
    (void)uc;
    at->access_pc = -1;
    if (pc >= 0) {
        Place *place = place_of(at, address << 3 | size);
        if (place->key && place->epoch == at->epoch && cycle < place->until &&
            (place->pending || at->looks < MOST_LOOKS)) {
            if (!place->pending) {
                place->pending = 1;
                place->before = at->looked;
                at->looked = place;
                at->looks++;
            }
            place->cycle = cycle;
            place->used++;
            return (uint32_t)(place->value + place->growth * (cycle - place->since));
        }
        keep = place->key && wanted(place);
    }
    return at->read(address, size, pc, cycle, keep);
}

PUBLIC void fwgen_on_write(void *uc, uint64_t offset, uint32_t size, uint64_t value, void *user) {
    Stretch *from = user;
    Clockwork *at = from->at;
    int64_t pc = at->access_pc;
    (void)uc;
    at->access_pc = -1;
    at->epoch++;
    at->write(from->base + offset, size, value, pc, at->access_cycle);
}

/* The places answered for, in the order in which they were last looked at; gives how many. */
PUBLIC int64_t fwgen_looks(Clockwork *at, Look *into) {
    int64_t count = 0;
    Place *place;
    for (place = at->looked; place; place = place->before) {
        int64_t slot = count++;
        for (; slot && into[slot - 1].cycle > place->cycle; slot--)
            into[slot] = into[slot - 1];
        into[slot].key = place->key;
        into[slot].cycle = place->cycle;
        place->pending = 0;
    }
    at->looked = NULL;
    at->looks = 0;
    return count;
}

/* A peripheral is there, whole: accesses pass. Places beyond the table's stay unknown, and slow. */
PUBLIC void fwgen_know(Clockwork *at, uint64_t key) {
    if (!at->places)
        at->places = calloc(PLACES, sizeof(Place));
    if (at->places && at->places_used < PLACES / 2) {
        Place *place = place_of(at, key);
        at->places_used += !place->key;
        place->key = key;
        place->epoch = -1;
    }
}

/* What reads of a known place will give, while nothing else happens: up to a cycle. */
PUBLIC void fwgen_answer(Clockwork *at, uint64_t key, int64_t value, int64_t growth, int64_t since,
                         int64_t until) {
    Place *place = at->places ? place_of(at, key) : NULL;
    if (!place || !place->key)
        return;
    place->value = value;
    place->growth = growth;
    place->since = since;
    place->until = until;
    place->epoch = at->epoch;
}

PUBLIC void fwgen_end(Clockwork *at) {
    free(at->places);
    at->places = at->looked = NULL;
    at->places_used = at->looks = 0;
}

PUBLIC void fwgen_on_watched(void *uc, uint64_t address, uint32_t size, void *user) {
    Watch *watch = user;
    uint32_t value = reg(watch->at, uc, watch->base) + (uint32_t)watch->offset;
    if (watch->by >= 0)
        value += reg(watch->at, uc, watch->by) << watch->shift;
    if (watch->mask ? value & (uint32_t)watch->mask : !value)
        watch->slow(uc, address, size, NULL);
}
