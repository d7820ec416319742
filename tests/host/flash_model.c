/* SPDX-License-Identifier: Apache-2.0 */
#include "flash_model.h"

#include <string.h>

#include "ota/sector.h"

static uint32_t next_noise(struct flash_model *model) {
    /* xorshift32 (Marsaglia, 2003) */
    model->noise ^= model->noise << 13;
    model->noise ^= model->noise >> 17;
    model->noise ^= model->noise << 5;
    return model->noise;
}

static bool is_inside(uint32_t addr, uint32_t len) {
    return addr >= OTA_FLASH_ADDR && addr - OTA_FLASH_ADDR <= OTA_FLASH_SIZE &&
           len <= OTA_FLASH_SIZE - (addr - OTA_FLASH_ADDR);
}

static enum ota_status model_read(void *ctx, uint32_t addr, void *out, uint32_t len) {
    struct flash_model *model = ctx;
    if (model->is_off || !is_inside(addr, len)) return OTA_ERR_FLASH_RANGE;
    memcpy(out, model->bytes + (addr - OTA_FLASH_ADDR), len);
    model->reads += len;
    return OTA_OK;
}

/* What the operation that begins now comes to. */
enum fate { FATE_DONE, FATE_CUT, FATE_TORN, FATE_FAILED };

static enum fate begin_operation(struct flash_model *model) {
    uint32_t number = model->operations++;
    if (number == model->cut_at) {
        model->is_off = true;
        return model->is_torn ? FATE_TORN : FATE_CUT;
    }
    return number == model->fail_at ? FATE_FAILED : FATE_DONE;
}

static enum ota_status model_program(void *ctx, uint32_t addr, const void *bytes, uint32_t len) {
    struct flash_model *model = ctx;
    const uint8_t *want = bytes;
    if (model->is_off || !is_inside(addr, len) || ((addr | len) & 3) != 0) return OTA_ERR_FLASH_RANGE;
    for (uint32_t off = 0; off < len; off += 4) {
        uint8_t *word = model->bytes + (addr - OTA_FLASH_ADDR) + off;
        enum fate fate = begin_operation(model);
        if (fate == FATE_CUT || fate == FATE_FAILED) return OTA_ERR_FLASH_PROGRAM;
        uint32_t spared = fate == FATE_TORN ? next_noise(model) : 0;
        for (uint32_t i = 0; i < 4; i++) word[i] &= (uint8_t)(want[off + i] | spared >> (8 * i));
        if (fate == FATE_TORN || memcmp(word, want + off, 4) != 0) return OTA_ERR_FLASH_PROGRAM;
    }
    return OTA_OK;
}

static enum ota_status model_erase(void *ctx, uint32_t sector) {
    struct flash_model *model = ctx;
    if (model->is_off || sector >= OTA_SECTOR_COUNT) return OTA_ERR_FLASH_RANGE;
    uint8_t *first = model->bytes + (ota_sector_addr(sector) - OTA_FLASH_ADDR);
    uint32_t size = ota_sector_size(sector);
    enum fate fate = begin_operation(model);
    if (fate == FATE_CUT || fate == FATE_FAILED) return OTA_ERR_FLASH_ERASE;
    model->erases[sector]++;
    if (fate == FATE_DONE) {
        memset(first, 0xFF, size);
        return OTA_OK;
    }
    /* Half erased: some stretches are blank, some as before, some are noise. */
    for (uint32_t off = 0; off < size; off += 256) {
        uint32_t kind = next_noise(model) % 3;
        if (kind == 0) memset(first + off, 0xFF, 256);
        for (uint32_t i = 0; kind == 1 && i < 256; i++) first[off + i] |= (uint8_t)next_noise(model);
    }
    return OTA_ERR_FLASH_ERASE;
}

void flash_model_init(struct flash_model *model) {
    memset(model, 0, sizeof *model);
    memset(model->bytes, 0xFF, sizeof model->bytes);
    model->cut_at = FLASH_MODEL_NEVER;
    model->fail_at = FLASH_MODEL_NEVER;
    model->noise = 1;
}

void flash_model_port(struct flash_model *model, struct ota_flash *flash) {
    flash->ctx = model;
    flash->read = model_read;
    flash->program = model_program;
    flash->erase = model_erase;
}
