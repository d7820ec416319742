/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PRODUCT_CONFIG_H
#define PRODUCT_CONFIG_H

#include <stdint.h>

/* What product.toml says. The build writes the one instance: templates/product_config.c.jinja. */
struct product_config {
    const char *name;
    uint16_t product_id;
    uint16_t version;
    uint32_t security_counter;
    uint32_t trial_deadline_s; /* an unconfirmed image gives up so long after its start */
    uint32_t watchdog_s;       /* the independent watchdog's period */
};

extern const struct product_config product_config;

#endif
