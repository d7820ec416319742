/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_LED_H
#define AGENT_LED_H

#include <stdbool.h>

/* The LED, which is the product's until the device shows itself. */
void led_start(void);

/* The server wants people to find this device, or not any more. */
void led_signal(bool is_on);

void led_poll(void);

#endif
