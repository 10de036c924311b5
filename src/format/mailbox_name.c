#include "format/mailbox_name.h"

#include "base/error.h"
#include "format/utf8_priv.h"

/* Modified base64: "," instead of "/", no padding. */
static const char digits[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static bool stands_for_itself(uint32_t code)
{
    return code >= 0x20 && code <= 0x7e;
}

static void append_code(struct buffer *utf8, uint32_t code)
{
    char bytes[4];
    buffer_append(utf8, slice_make(bytes, utf8_write(code, bytes)));
}

/* A shifted section's UTF-16 units become code points here; `high` waits for its other half. */
static int take_unit(struct buffer *utf8, uint32_t unit, uint32_t *high)
{
    bool is_low = unit >= 0xdc00 && unit <= 0xdfff;
    if ((*high != 0) != is_low)
        return ERROR_SYNTAX;
    if (is_low) {
        append_code(utf8, 0x10000 + ((*high - 0xd800) << 10) + (unit - 0xdc00));
        *high = 0;
    } else if (unit >= 0xd800 && unit <= 0xdbff) {
        *high = unit;
    } else if (stands_for_itself(unit) || unit == 0) {
        return ERROR_SYNTAX;
    } else {
        append_code(utf8, unit);
    }
    return 0;
}

/* The section between "&" and "-". */
static int decode_section(struct slice section, struct buffer *utf8)
{
    uint32_t bits = 0, high = 0;
    unsigned count = 0;
    for (size_t i = 0; i < section.size; i++) {
        const char *digit = memchr(digits, section.data[i], sizeof(digits));
        if (!digit)
            return ERROR_SYNTAX;
        bits = (bits << 6 | (uint32_t)(digit - digits)) & 0x3fffff;
        count += 6;
        if (count >= 16) {
            count -= 16;
            if (take_unit(utf8, bits >> count & 0xffff, &high))
                return ERROR_SYNTAX;
        }
    }
    /* What is left over is padding: less than a digit, and zero. */
    return high || count >= 6 || (bits & ((1U << count) - 1)) ? ERROR_SYNTAX : 0;
}

static int decode_name(struct slice wire, struct buffer *utf8)
{
    size_t section_end = 0; /* just behind the last shifted section's "-" */
    for (size_t i = 0; i < wire.size;) {
        if (!stands_for_itself((unsigned char)wire.data[i]))
            return ERROR_SYNTAX;
        if (wire.data[i] != '&') {
            buffer_append_byte(utf8, wire.data[i++]);
            continue;
        }
        struct slice section = slice_sub(wire, i + 1, SIZE_MAX);
        section.size = slice_find(section, '-');
        if (i + 1 + section.size == wire.size)
            return ERROR_SYNTAX;
        if (section.size == 0) {
            buffer_append_byte(utf8, '&');
        } else {
            /* "&...-&...-" would be one section in the canonical encoding. */
            if ((section_end && section_end == i) || decode_section(section, utf8))
                return ERROR_SYNTAX;
            section_end = i + section.size + 2;
        }
        i += section.size + 2;
    }
    return buffer_error(utf8);
}

int mailbox_name_from_utf7(struct slice wire, struct buffer *utf8)
{
    size_t before = utf8->size;
    int error = decode_name(wire, utf8);
    if (error)
        buffer_truncate(utf8, before);
    return error;
}

struct section_writer {
    struct buffer *wire;
    uint32_t bits;
    unsigned count;
    bool open;
};

static void write_unit(struct section_writer *writer, uint32_t unit)
{
    if (!writer->open)
        buffer_append_byte(writer->wire, '&');
    writer->open = true;
    writer->bits = writer->bits << 16 | unit;
    writer->count += 16;
    while (writer->count >= 6) {
        writer->count -= 6;
        buffer_append_byte(writer->wire, digits[writer->bits >> writer->count & 63]);
    }
}

static void close_section(struct section_writer *writer)
{
    if (!writer->open)
        return;
    if (writer->count)
        buffer_append_byte(writer->wire, digits[writer->bits << (6 - writer->count) & 63]);
    buffer_append_byte(writer->wire, '-');
    *writer = (struct section_writer){.wire = writer->wire};
}

static int encode_name(struct slice utf8, struct buffer *wire)
{
    struct section_writer writer = {.wire = wire};
    for (size_t i = 0; i < utf8.size;) {
        uint32_t code;
        size_t size = utf8_read(slice_sub(utf8, i, 4), &code);
        if (!size || !code)
            return ERROR_SYNTAX;
        i += size;
        if (stands_for_itself(code)) {
            close_section(&writer);
            buffer_append_byte(wire, (char)code);
            if (code == '&')
                buffer_append_byte(wire, '-');
        } else if (code < 0x10000) {
            write_unit(&writer, code);
        } else {
            write_unit(&writer, 0xd800 + ((code - 0x10000) >> 10));
            write_unit(&writer, 0xdc00 + ((code - 0x10000) & 0x3ff));
        }
    }
    close_section(&writer);
    return buffer_error(wire);
}

int mailbox_name_to_utf7(struct slice utf8, struct buffer *wire)
{
    size_t before = wire->size;
    int error = encode_name(utf8, wire);
    if (error)
        buffer_truncate(wire, before);
    return error;
}
