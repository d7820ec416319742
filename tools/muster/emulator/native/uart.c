/* SPDX-License-Identifier: Apache-2.0 */
/* USART1-3, UART4-5, USART6 (RM0033 section 24), 8 data bits, no DMA. One data register each way, as on
 * silicon: a byte that meets a full one is lost. Each line is sampled bit by bit at the receiver's own
 * rate, so a wrong baud rate yields the garbage that it would on a wire. */
#include "emu.h"

enum { PE = 1, FE = 2, NE = 4, ORE = 8, IDLE = 16, RXNE = 32, TC = 64, TXE = 128, LBD = 256, CTS = 512 };
enum { CR1_RE = 4, CR1_TE = 8, CR1_IDLEIE = 16, CR1_RXNEIE = 32, CR1_TCIE = 64, CR1_TXEIE = 128, CR1_PCE = 1 << 10,
       CR1_M = 1 << 12, CR1_UE = 1 << 13, CR1_OVER8 = 1 << 15 };
enum { CR3_EIE = 1, UNREAD_LIMIT = 1 << 20 };

/* Alternate functions (datasheet table 8): port, pin. */
struct route { int8_t uart, port, pin, rx; uint8_t af; };
static const struct route routes[] = {
    {0, 0, 9, 0, 7}, {0, 1, 6, 0, 7}, {0, 0, 10, 1, 7}, {0, 1, 7, 1, 7},
    {1, 0, 2, 0, 7}, {1, 3, 5, 0, 7}, {1, 0, 3, 1, 7}, {1, 3, 6, 1, 7},
    {2, 1, 10, 0, 7}, {2, 2, 10, 0, 7}, {2, 3, 8, 0, 7}, {2, 1, 11, 1, 7}, {2, 2, 11, 1, 7}, {2, 3, 9, 1, 7},
    {3, 0, 0, 0, 8}, {3, 2, 10, 0, 8}, {3, 0, 1, 1, 8}, {3, 2, 11, 1, 8},
    {4, 2, 12, 0, 8}, {4, 3, 2, 1, 8},
    {5, 2, 6, 0, 8}, {5, 6, 14, 0, 8}, {5, 2, 7, 1, 8}, {5, 6, 9, 1, 8},
};

static bool routed(const struct emu *e, int index, bool rx)
{
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        if (routes[i].uart == index && routes[i].rx == rx
            && emu_gpio_is_af(e, routes[i].port, routes[i].pin, routes[i].af))
            return true;
    return false;
}

static int irq_of(int index)
{
    static const uint8_t irq[UARTS] = {37, 38, 39, 52, 53, 71};
    return irq[index];
}

static void update_irq(struct emu *e, int index)
{
    const struct uart *u = &e->s.uart[index];
    uint32_t wanted = ((u->cr1 & CR1_RXNEIE) ? RXNE | ORE : 0) | ((u->cr1 & CR1_TXEIE) ? TXE : 0)
        | ((u->cr1 & CR1_TCIE) ? TC : 0) | ((u->cr1 & CR1_IDLEIE) ? IDLE : 0);
    emu_irq_level(e, irq_of(index), (u->cr1 & CR1_UE) && (u->sr & wanted) != 0);
}

void emu_uart_reset(struct emu *e, int index)
{
    struct uart *u = &e->s.uart[index];
    *u = (struct uart){.sr = TXE | TC, .host_baud = u->host_baud, .line_free_ps = u->line_free_ps};
    e->s.when[EV_TX0 + index] = e->s.when[EV_IDLE0 + index] = EMU_NEVER;
    emu_irq_level(e, irq_of(index), false);
}

/* Power gone: nothing is on the wires any more. */
void emu_uart_power_off(struct emu *e)
{
    for (int i = 0; i < UARTS; i++)
        emu_bytes_clear(&e->rx[i]);
}

static uint64_t device_bit_ps(const struct emu *e, int index)
{
    const struct uart *u = &e->s.uart[index];
    uint64_t pclk = index == 0 || index == 5 ? e->s.rcc.pclk2_hz : e->s.rcc.pclk1_hz;
    uint64_t div = u->brr & 0xFFFF;
    if (u->cr1 & CR1_OVER8) /* DIV_Fraction has three bits: BRR[3] is kept 0; in eighths */
        div = (div >> 4) * 8 + (div & 7);
    if (div < 8 || pclk == 0)
        return 0;
    return div * PS_PER_S / pclk;
}

static uint64_t host_bit_ps(const struct emu *e, int index) { return PS_PER_S / e->s.uart[index].host_baud; }

/* What a receiver with bits of `to_ps` makes of a byte sent with bits of `from_ps`. Up to 4 % apart: the
 * byte. Further: the levels found in the middle of each bit as the receiver counts them, and never the
 * byte by luck. `framing` tells that no stop bit was found. */
static uint8_t resample(uint8_t byte, uint64_t from_ps, uint64_t to_ps, bool *framing)
{
    uint32_t line = (uint32_t)byte << 1 | 0xFFFFFE00; /* start bit 0, data, then stop and idle */
    uint64_t apart = from_ps > to_ps ? from_ps - to_ps : to_ps - from_ps;
    uint8_t got = 0;
    *framing = false;
    if (apart * 25 <= from_ps)
        return byte;
    for (uint64_t i = 1; i <= 9; i++) {
        uint64_t at = (2 * i + 1) * to_ps / (2 * from_ps);
        uint32_t bit = at > 31 ? 1 : line >> at & 1;
        if (i <= 8)
            got |= (uint8_t)(bit << (i - 1));
        else
            *framing = !bit;
    }
    return got == byte ? got ^ 0x80 : got;
}

static uint32_t clock_enabled(const struct emu *e, int index)
{
    static const uint8_t bus[UARTS] = {4, 3, 3, 3, 3, 4}, bit[UARTS] = {4, 17, 18, 19, 20, 5};
    return e->s.rcc.enr[bus[index]] >> bit[index] & 1;
}

void emu_uart_rx_event(struct emu *e, int index)
{
    struct uart *u = &e->s.uart[index];
    uint64_t bit_ps = device_bit_ps(e, index), due_ps = e->event_ps;
    bool framing;
    uint8_t byte;
    emu_bytes_take(&e->rx[index], &byte, 1);
    u->line_free_ps = due_ps;
    if (e->rx[index].start != e->rx[index].end) {
        u->line_free_ps = due_ps + 10 * host_bit_ps(e, index);
        emu_clock_at(e, EV_RX0 + index, u->line_free_ps);
    }
    if (!clock_enabled(e, index) || (u->cr1 & (CR1_UE | CR1_RE)) != (CR1_UE | CR1_RE) || bit_ps == 0
        || !routed(e, index, true))
        return;
    byte = resample(byte, host_bit_ps(e, index), bit_ps, &framing);
    emu_clock_at(e, EV_IDLE0 + index, due_ps + 10 * bit_ps);
    if (u->sr & RXNE) {
        u->sr |= ORE;
        e->s.counters.overruns++;
    } else {
        u->rdr = byte;
        u->sr |= RXNE | (framing ? FE : 0);
    }
    update_irq(e, index);
}

void emu_uart_idle_event(struct emu *e, int index)
{
    e->s.uart[index].sr |= IDLE;
    update_irq(e, index);
}

static void begin_shift(struct emu *e, int index, uint8_t byte, uint64_t from_ps)
{
    struct uart *u = &e->s.uart[index];
    uint64_t bit_ps = device_bit_ps(e, index);
    uint64_t half_bits = 20 + ((u->cr1 & CR1_M) ? 2u : 0u);
    static const uint8_t stop[4] = {2, 1, 4, 3}; /* in half bits: 1, 0.5, 2, 1.5 */
    half_bits += stop[u->cr2 >> 12 & 3];
    half_bits -= 2;
    u->shift = byte;
    u->shifting = true;
    emu_clock_at(e, EV_TX0 + index, bit_ps ? from_ps + half_bits * bit_ps / 2 : EMU_NEVER);
}

void emu_uart_tx_event(struct emu *e, int index)
{
    struct uart *u = &e->s.uart[index];
    uint64_t bit_ps = device_bit_ps(e, index), due_ps = e->event_ps;
    bool framing;
    uint8_t byte = resample(u->shift, bit_ps, host_bit_ps(e, index), &framing);
    u->shifting = false;
    if (u->tdr_full) {
        u->tdr_full = false;
        u->sr |= TXE;
        begin_shift(e, index, u->tdr, due_ps);
    } else {
        u->sr |= TC;
    }
    update_irq(e, index);
    if (!routed(e, index, false)) {
        emu_violation(e, EMU_UART_PIN, (uint32_t)index + 1, 0);
        return;
    }
    emu_bytes_push(&e->tx[index], &byte, 1);
    if (e->tx[index].end - e->tx[index].start > UNREAD_LIMIT) /* nobody reads: the oldest go */
        e->tx[index].start++;
    if (e->uart_watched[index] && e->uart_callback)
        e->uart_callback(e->uart_ctx, index + 1, byte, due_ps);
}

static void write_dr(struct emu *e, int index, uint8_t byte)
{
    struct uart *u = &e->s.uart[index];
    if (u->sr_seen & TC)
        u->sr &= ~(uint32_t)TC;
    u->sr_seen &= ~(uint32_t)TC;
    if ((u->cr1 & (CR1_UE | CR1_TE)) != (CR1_UE | CR1_TE))
        return;
    if (!u->shifting) {
        u->sr &= ~(uint32_t)TC; /* it stays low while a frame is under way */
        begin_shift(e, index, byte, e->s.now_ps);
        return;
    }
    if (u->tdr_full)
        emu_violation(e, EMU_UART_OVERWRITE, (uint32_t)index + 1, 0);
    u->tdr = byte;
    u->tdr_full = true;
    u->sr &= ~(uint32_t)(TXE | TC);
}

uint32_t emu_uart_reg_read(struct emu *e, int index, uint32_t off)
{
    struct uart *u = &e->s.uart[index];
    switch (off) {
    case 0x00:
        u->sr_seen = u->sr;
        return u->sr;
    case 0x04: /* SR then DR clears the errors that SR showed */
        u->sr &= ~(RXNE | (u->sr_seen & (PE | FE | NE | ORE | IDLE)));
        u->sr_seen = 0;
        update_irq(e, index);
        return u->rdr;
    case 0x08: return u->brr;
    case 0x0C: return u->cr1;
    case 0x10: return u->cr2;
    case 0x14: return u->cr3;
    case 0x18: return u->gtpr;
    default: return 0;
    }
}

void emu_uart_reg_write(struct emu *e, int index, uint32_t off, uint32_t value, uint32_t mask)
{
    struct uart *u = &e->s.uart[index];
    uint32_t before = u->cr1;
    switch (off) {
    case 0x00: /* RXNE, TC, LBD and CTS are cleared by writing 0 */
        u->sr &= (value | ~mask) | ~(uint32_t)(RXNE | TC | LBD | CTS);
        break;
    case 0x04: write_dr(e, index, (uint8_t)value); break;
    case 0x08: emu_set(&u->brr, value & 0xFFFF, mask); break;
    case 0x0C:
        emu_set(&u->cr1, value & 0xBFFF, mask);
        if ((before & CR1_UE) && !(u->cr1 & CR1_UE)) { /* stops at once; the byte under way is lost */
            u->shifting = u->tdr_full = false;
            u->sr |= TXE | TC;
            emu_clock_at(e, EV_TX0 + index, EMU_NEVER);
        }
        break;
    case 0x10: emu_set(&u->cr2, value & 0x7F6F, mask); break;
    case 0x14: emu_set(&u->cr3, value & 0xFFF, mask); break;
    case 0x18: emu_set(&u->gtpr, value & 0xFFFF, mask); break;
    default: break;
    }
    update_irq(e, index);
}

/* The host's side of the wires. */

void emu_uart_send(struct emu *e, int uart, const uint8_t *data, size_t len)
{
    int index = uart - 1;
    struct uart *u = &e->s.uart[index];
    bool idle = e->rx[index].start == e->rx[index].end;
    if (!e->s.powered || len == 0)
        return;
    emu_bytes_push(&e->rx[index], data, len);
    if (!idle)
        return;
    if (u->line_free_ps < e->s.now_ps)
        u->line_free_ps = e->s.now_ps;
    u->line_free_ps += 10 * host_bit_ps(e, index);
    emu_clock_at(e, EV_RX0 + index, u->line_free_ps);
}

size_t emu_uart_pending(struct emu *e, int uart) { return e->rx[uart - 1].end - e->rx[uart - 1].start; }

size_t emu_uart_read(struct emu *e, int uart, uint8_t *out, size_t room)
{
    return emu_bytes_take(&e->tx[uart - 1], out, room);
}

void emu_uart_set_baud(struct emu *e, int uart, uint32_t baud) { e->s.uart[uart - 1].host_baud = baud; }

void emu_uart_watch(struct emu *e, int uart, int on) { e->uart_watched[uart - 1] = on != 0; }

void emu_set_uart_callback(struct emu *e, void (*fn)(void *ctx, int uart, uint8_t byte, uint64_t time_ps), void *ctx)
{
    e->uart_callback = fn;
    e->uart_ctx = ctx;
}
