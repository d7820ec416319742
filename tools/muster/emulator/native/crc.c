/* SPDX-License-Identifier: Apache-2.0 */
/* The CRC unit (RM0033 section 4): polynomial 0x04C11DB7, words, nothing reflected. */
#include "emu.h"

uint32_t emu_crc_read(struct emu *e, int index, uint32_t off)
{
    (void)index;
    if (off == 0)
        return e->s.crc;
    return off == 4 ? e->s.crc_idr : 0;
}

void emu_crc_write(struct emu *e, int index, uint32_t off, uint32_t value, uint32_t mask)
{
    (void)index;
    value &= mask;
    if (off == 0) {
        e->s.crc ^= value;
        for (int i = 0; i < 32; i++)
            e->s.crc = e->s.crc << 1 ^ ((e->s.crc >> 31) ? 0x04C11DB7 : 0);
    } else if (off == 4) {
        e->s.crc_idr = value & 0xFF;
    } else if (off == 8 && (value & 1)) {
        e->s.crc = UINT32_MAX;
    }
}
