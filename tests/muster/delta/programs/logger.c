/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled once per VERSION (1 to 3): a function is added, then a struct grows. Never run. */
#include <stdio.h>
#include <stdlib.h>

struct sample {
    int millivolts;
    char name[16];
#if VERSION >= 3
    int flags;
#endif
};

static struct sample samples[20];

#if VERSION >= 2
static int total(int count) {
    int sum = 0;
    for (int i = 0; i < count; i++) sum += samples[i].millivolts * 3;
    printf("total %d\n", sum);
    return sum;
}
#endif

static int lower(const void *a, const void *b) {
    return ((const struct sample *)a)->millivolts - ((const struct sample *)b)->millivolts;
}

int main(void) {
    for (int i = 0; i < 20; i++) {
        samples[i].millivolts = rand() % (100 + VERSION);
        snprintf(samples[i].name, sizeof samples[i].name, "sample %d", i);
#if VERSION >= 3
        samples[i].flags = i;
#endif
    }
#if VERSION >= 2
    total(10);
#endif
    qsort(samples, 20, sizeof samples[0], lower);
    for (int i = 0; i < 20; i++) printf("%s %d, version %d\n", samples[i].name, samples[i].millivolts, VERSION);
    return atoi(samples[0].name);
}
