/* SPDX-License-Identifier: Apache-2.0 */
/* Two releases of a program: RELEASE is 1 or 2. Each name says what becomes of it. */
typedef unsigned u32;
extern u32 stack_top;
int entry(u32 x);

__attribute__((section(".vectors"), used)) const u32 vectors[97] = {0x20010000, (u32)1};
static u32 counter = 7;
static volatile u32 state[8];
static const u32 curve_changed[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, RELEASE};

int first_same(u32 x) { return (int)(x * 3u); }

#if RELEASE == 1
int gone(u32 x) { return (int)(x ^ 0x5au); }
#else
int added(u32 x) { return (int)(state[x & 7u] * 77u + (x << 4) + 12345u); }
#endif

static __attribute__((noinline)) int grew(u32 x) {
    state[0] += x;
#if RELEASE == 2
    state[1] += x * 5u + 1u;
    state[2] ^= x >> 3;
    state[3] -= x << 2;
#endif
    return (int)state[0];
}

int constant_changed(u32 x) { return (int)(x + RELEASE * 16u); }
int moved(u32 x) { return (int)(x * 5u + 2u); }
int references(u32 x) { return moved(x) + first_same(x) + (int)curve_changed[x & 7u] + (int)counter; }
static int (*const table[])(u32) = {moved, references, constant_changed};
const char *text(u32 x) { return x ? "the first of two strings" : "and the second one"; }

int entry(u32 x) {
#if RELEASE == 1
    x += (u32)gone(x);
#else
    x += (u32)added(x);
#endif
    counter += x;
    return grew(x) + table[x % 3u](x) + (int)text(x)[0];
}
