/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/status.h"

/* What product code sees of Muster. A product defines the two functions below; the agent's main calls them:
 *
 *     agent_init(); product_setup(); for (;;) { product_loop(); agent_poll(); sleep until the next interrupt }
 *
 * product_loop() must return within the watchdog's time (watchdog_s in product.toml), and soon if the device is to
 * answer quickly. */
void product_setup(void);
void product_loop(void);

/* Starts everything: clocks, board, console, update machinery. main() calls it; it never fails: what is broken on this
 * device (no identity page, no boot log) is told in the device's own answers. */
void agent_init(void);

/* Serves the serial link, drives a running update, keeps the trial's deadline and feeds the watchdog. */
void agent_poll(void);

/* Milliseconds since the start, modulo 2^32: compare by subtraction. */
uint32_t agent_time_ms(void);

/* The board's user LED (D7). */
void agent_led(bool on);

/* People look for this device: somebody has asked the server to have it show itself. Until a product brings a function
 * of its own here, the LED flashes meanwhile, whatever agent_led() says. */
typedef void (*agent_signal_pointer)(bool is_on);
void agent_on_signal(agent_signal_pointer show);

/* An update is about to be downloaded, and the device to restart with it. Until a product brings a function of its own
 * here that happens at once; the function says for how many seconds it is put off, 0: not at all. `most_s` is as long
 * as whoever rolls it out lets it wait. Then the function is asked again, until that time is over. Some updates do not
 * ask.
 */
typedef uint32_t (*agent_update_pointer)(uint32_t most_s);
void agent_on_update(agent_update_pointer postpone);

/* Log. A line goes to the serial console as text: "<ms> <level> <text>". Known conversions: %d %i %u %x %c %s %%, with
 * l, a width and leading zeros. A line longer than 127 characters is cut. Not from an interrupt.
 * Lines of level warn and error go to the server as well, as far as there is room for them: 12 lines of 100 characters
 * between two check-ins. */
enum agent_level { AGENT_DEBUG, AGENT_INFO, AGENT_WARN, AGENT_ERROR };
__attribute__((format(printf, 2, 3))) void agent_log(enum agent_level level, const char *format, ...);

/* Functions and variables are added in product_setup(): the server learns of them when a session begins.
 *
 * Functions that the outside may call by name (at most 12 characters that stay valid; at most 15 functions). `argument`
 * ends with a zero byte and has at most 622 others. OTA_ERR_BUFFER when there is no room, or the name is too long. */
typedef int32_t (*agent_function_pointer)(const char *argument);
OTA_MUST_CHECK enum ota_status agent_function(const char *name, agent_function_pointer function);

/* Variables that the outside may read by name (at most 12 characters that stay valid; at most 20 variables). What is
 * pointed to is read when somebody asks; of a text at most 622 bytes. OTA_ERR_BUFFER as above. */
OTA_MUST_CHECK enum ota_status agent_variable_int(const char *name, const int32_t *value);
OTA_MUST_CHECK enum ota_status agent_variable_double(const char *name, const double *value);
OTA_MUST_CHECK enum ota_status agent_variable_text(const char *name, const char *value);
OTA_MUST_CHECK enum ota_status agent_variable_bool(const char *name, const bool *value);

/* Tells the server, and whoever listens there, that something happened: a name of 1 to 64 bytes that does not begin
 * with "spark/", and at most 255 bytes of data. It is sent soon, at most once a second, kept until the server has it,
 * and lost at a reset. OTA_ERR_BUFFER: too long, or four events wait already. Not from an interrupt. */
OTA_MUST_CHECK enum ota_status agent_publish(const char *name, const char *data);

/* Storage that survives resets and updates: values under keys of 0 to 255, together at most 16 KiB (16 bytes a value
 * counted on top). A write is atomic: power that stops on the way leaves the old value. It stalls the CPU
 * for up to seconds when the store must be compacted. OTA_ERR_NOT_FOUND, OTA_ERR_BUFFER (`room` too small),
 * OTA_ERR_STORE_FULL. */
OTA_MUST_CHECK enum ota_status agent_store_read(uint8_t key, void *out, uint32_t room, uint32_t *len);
OTA_MUST_CHECK enum ota_status agent_store_write(uint8_t key, const void *value, uint32_t len);

#endif
