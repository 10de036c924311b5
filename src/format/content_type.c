#include "format/content_type.h"

#include "base/error.h"
#include "format/field_priv.h"
#include "format/text.h"

/* A parameter as it stands in the field. */
struct raw_parameter {
    struct slice name;  /* without RFC 2231's marks */
    struct slice value; /* without its quotes, quoted pairs as they stand */
    int section;        /* of a continued one, from 0; -1: not continued */
    bool extended;      /* its name ends in "*" */
    bool quoted;
};

struct raw_value {
    struct slice type, subtype;
    struct raw_parameter parameters[CONTENT_PARAMETERS_MAXIMUM];
    size_t count;
    bool cut;
};

/* A token as RFC 2045 section 5.1 has it, 8-bit bytes included. */
static struct slice take_token(struct slice s, size_t *offset)
{
    size_t start = *offset;
    while (*offset < s.size && (unsigned char)s.data[*offset] > ' ' && s.data[*offset] != 0x7f &&
           !memchr("()<>@,;:\\\"/[]?=", s.data[*offset], 15))
        ++*offset;
    return slice_make(s.data + start, *offset - start);
}

/* An unquoted value goes up to the ";", whatever is in it; a comment behind blanks is none of it,
 * "(Plain text)" in RFC 2045 section 5.1's example. */
static struct slice take_bare_value(struct slice s, size_t *offset)
{
    size_t start = *offset, end;
    while (*offset < s.size && s.data[*offset] != ';')
        ++*offset;
    for (end = start; end < *offset; end++)
        if (s.data[end] == '(' && end > start && field_is_blank(s.data[end - 1]))
            break;
    return field_trim(slice_make(s.data + start, end - start));
}

static void take_value(struct slice s, size_t *offset, struct raw_parameter *parameter)
{
    *offset = field_skip_cfws(s, *offset);
    parameter->quoted = *offset < s.size && s.data[*offset] == '"';
    if (!parameter->quoted) {
        parameter->value = take_bare_value(s, offset);
        return;
    }
    size_t start = *offset + 1, end = field_quoted_end(s, start);
    parameter->value = slice_sub(s, start, end - start);
    *offset = end < s.size ? end + 1 : end;
}

/* RFC 2231: name*, name*section and name*section*. */
static void split_name(struct raw_parameter *parameter)
{
    struct slice *name = &parameter->name;
    parameter->section = -1;
    parameter->extended = name->size > 1 && name->data[name->size - 1] == '*';
    if (parameter->extended)
        name->size--;
    size_t star = slice_find(*name, '*');
    if (star == 0 || star == name->size || name->size - star > 4)
        return;
    int section = 0;
    for (size_t i = star + 1; i < name->size; i++) {
        if (name->data[i] < '0' || name->data[i] > '9')
            return;
        section = section * 10 + (name->data[i] - '0');
    }
    if (star + 1 < name->size) {
        parameter->section = section;
        name->size = star;
    }
}

static void take_parameters(struct slice s, size_t offset, struct raw_value *value)
{
    while ((offset = field_skip_cfws(s, offset)) < s.size) {
        struct raw_parameter parameter = {.name = take_token(s, &offset)};
        offset = field_skip_cfws(s, offset);
        if (offset >= s.size || s.data[offset] != '=') {
            if (!parameter.name.size)
                offset++; /* a separator, or what has no place here */
            continue;
        }
        offset++;
        take_value(s, &offset, &parameter);
        if (!parameter.name.size)
            continue;
        if (value->count == CONTENT_PARAMETERS_MAXIMUM) {
            value->cut = true;
            return;
        }
        split_name(&parameter);
        value->parameters[value->count++] = parameter;
    }
}

static int scan(struct slice field, bool with_subtype, struct raw_value *value)
{
    value->count = 0;
    value->cut = field.size > CONTENT_VALUE_MAXIMUM;
    field = slice_sub(field, 0, CONTENT_VALUE_MAXIMUM);
    size_t offset = field_skip_cfws(field, 0);
    value->type = take_token(field, &offset);
    value->subtype = slice_make(NULL, 0);
    if (with_subtype) {
        offset = field_skip_cfws(field, offset);
        if (offset >= field.size || field.data[offset] != '/')
            return ERROR_SYNTAX;
        offset = field_skip_cfws(field, offset + 1);
        value->subtype = take_token(field, &offset);
    }
    if (!value->type.size || (with_subtype && !value->subtype.size))
        return ERROR_SYNTAX;
    take_parameters(field, offset, value);
    return 0;
}

/* The section with this number of the continued parameter that `first` begins. */
static const struct raw_parameter *find_section(const struct raw_value *value,
                                                const struct raw_parameter *first, int section)
{
    for (size_t i = 0; i < value->count; i++)
        if (value->parameters[i].section == section &&
            slice_equal_nocase(value->parameters[i].name, first->name))
            return &value->parameters[i];
    return NULL;
}

static bool may_stand_in_extended(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("!#$&+-.^_`{|}~", c));
}

/* Writes a section's value: quoted pairs resolved, folds undone; percent-encoded where a plain
 * section stands in an extended parameter. Returns the size, at most three times the value's. */
static size_t write_section(const struct raw_parameter *parameter, bool encode, char *out)
{
    static const char hex[] = "0123456789ABCDEF";
    struct slice in = parameter->value;
    size_t size = 0;
    for (size_t i = 0; i < in.size; i++) {
        char c = in.data[i];
        if (c == '\\' && parameter->quoted && i + 1 < in.size)
            c = in.data[++i];
        if (c == '\r' || c == '\n' || c == '\0')
            continue;
        if (encode && !may_stand_in_extended(c)) {
            out[size++] = '%';
            out[size++] = hex[(unsigned char)c >> 4];
            out[size++] = hex[c & 15];
        } else {
            out[size++] = c;
        }
    }
    return size;
}

static bool needs_encoding(const struct raw_parameter *first, const struct raw_parameter *section)
{
    return first->extended && !section->extended;
}

/* The room write_joined may need. */
static size_t joined_size(const struct raw_value *value, const struct raw_parameter *first)
{
    size_t size = first->value.size;
    const struct raw_parameter *section;
    for (int i = 1; first->section == 0 && (section = find_section(value, first, i)); i++)
        size += section->value.size * (needs_encoding(first, section) ? 3 : 1);
    return size;
}

static size_t write_joined(const struct raw_value *value, const struct raw_parameter *first,
                           char *out)
{
    size_t size = write_section(first, false, out);
    const struct raw_parameter *section;
    for (int i = 1; first->section == 0 && (section = find_section(value, first, i)); i++)
        size += write_section(section, needs_encoding(first, section), out + size);
    return size;
}

/* A copy in upper case, with what stands behind it. */
static struct slice upper(struct slice s, const char *suffix, struct arena *arena)
{
    size_t more = strlen(suffix);
    char *copy = arena_alloc(arena, s.size + more);
    if (!copy)
        return slice_make(NULL, 0);
    for (size_t i = 0; i < s.size; i++)
        copy[i] = (char)(s.data[i] >= 'a' && s.data[i] <= 'z' ? s.data[i] - 32 : s.data[i]);
    memcpy(copy + s.size, suffix, more);
    return slice_make(copy, s.size + more);
}

static void keep_parameter(const struct raw_value *raw, const struct raw_parameter *first,
                           struct arena *arena, struct content_value *value)
{
    size_t size = joined_size(raw, first);
    char *text = arena_alloc(arena, size);
    if (!text)
        return;
    value->arena_bytes += size + first->name.size + 32;
    struct content_parameter *parameter = &value->parameters[value->parameter_count++];
    parameter->name = upper(first->name, first->extended ? "*" : "", arena);
    parameter->value = slice_make(text, write_joined(raw, first, text));
    parameter->extended = first->extended;
}

static int parse(struct slice field, bool with_subtype, struct arena *arena,
                 struct content_value *value)
{
    struct raw_value raw;
    int error = scan(field, with_subtype, &raw);
    if (error)
        return error;
    struct content_value result = {.type = upper(raw.type, "", arena),
                                   .subtype = upper(raw.subtype, "", arena),
                                   .cut = raw.cut};
    result.arena_bytes = raw.type.size + raw.subtype.size + raw.count * sizeof(*result.parameters);
    result.parameters = arena_alloc_array(arena, raw.count, sizeof(*result.parameters));
    if (!result.parameters)
        return ERROR_LIMIT;
    for (size_t i = 0; i < raw.count; i++)
        if (raw.parameters[i].section <= 0)
            keep_parameter(&raw, &raw.parameters[i], arena, &result);
    if (arena_failed(arena))
        return ERROR_LIMIT;
    *value = result;
    return 0;
}

int content_type_parse(struct slice field, struct arena *arena, struct content_value *value)
{
    return parse(field, true, arena, value);
}

int content_disposition_parse(struct slice field, struct arena *arena, struct content_value *value)
{
    return parse(field, false, arena, value);
}

const struct content_parameter *content_parameter_find(const struct content_value *value,
                                                       const char *name)
{
    const struct content_parameter *found = NULL;
    struct slice wanted = slice_from_string(name);
    for (size_t i = 0; i < value->parameter_count; i++) {
        const struct content_parameter *parameter = &value->parameters[i];
        struct slice base =
            slice_sub(parameter->name, 0, parameter->name.size - parameter->extended);
        if (slice_equal(base, wanted) && (!found || (parameter->extended && !found->extended)))
            found = parameter;
    }
    return found;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decodes; returns the size. In and out may be the same. */
static size_t percent_decode(struct slice in, char *out)
{
    size_t size = 0;
    for (size_t i = 0; i < in.size; i++) {
        int high = in.data[i] == '%' && i + 2 < in.size ? hex_value(in.data[i + 1]) : -1;
        int low = high >= 0 ? hex_value(in.data[i + 2]) : -1;
        if (low >= 0) {
            out[size++] = (char)(high << 4 | low);
            i += 2;
        } else {
            out[size++] = in.data[i];
        }
    }
    return size;
}

/* Cuts charset'language' off an extended value; without the marks all of it is the value. */
static struct slice split_extended(struct slice value, struct slice *charset)
{
    size_t first = slice_find(value, '\'');
    struct slice rest = slice_sub(value, first + 1, SIZE_MAX);
    size_t second = slice_find(rest, '\'');
    *charset = slice_make(NULL, 0);
    if (first == value.size || second == rest.size)
        return value;
    *charset = slice_sub(value, 0, first);
    return slice_sub(rest, second + 1, SIZE_MAX);
}

int content_parameter_decode(const struct content_parameter *parameter, struct buffer *utf8)
{
    if (!parameter->extended)
        return text_decode_header(parameter->value, utf8);
    struct slice charset;
    struct slice encoded = split_extended(parameter->value, &charset);
    struct buffer bytes;
    buffer_init(&bytes, encoded.size);
    char *room = buffer_reserve(&bytes, encoded.size);
    if (room) {
        buffer_commit(&bytes, percent_decode(encoded, room));
        if (text_to_utf8(charset, buffer_slice(&bytes), utf8) == ERROR_UNSUPPORTED)
            text_to_utf8(slice_make(NULL, 0), buffer_slice(&bytes), utf8);
    }
    int error = room ? buffer_error(utf8) : buffer_error(&bytes);
    buffer_release(&bytes);
    return error;
}

/* The boundary, joined and decoded. One whose raw form is several times too long cannot become
 * short enough by decoding: three bytes for each, and the marks. */
static void find_boundary(const struct raw_value *value, char *boundary, size_t *size)
{
    char text[4 * CONTENT_BOUNDARY_MAXIMUM];
    for (size_t i = 0; i < value->count; i++) {
        const struct raw_parameter *first = &value->parameters[i];
        if (first->section > 0 || !slice_equal_nocase(first->name, SLICE("boundary")))
            continue;
        *size = joined_size(value, first);
        if (*size > sizeof(text))
            return;
        struct slice found = slice_make(text, write_joined(value, first, text)), charset;
        if (first->extended) {
            found = split_extended(found, &charset);
            found.size = percent_decode(found, text);
            found.data = text;
        }
        /* A boundary does not end in blanks (RFC 2046 section 5.1.1). */
        while (found.size && field_is_blank(found.data[found.size - 1]))
            found.size--;
        *size = found.size;
        if (found.size <= CONTENT_BOUNDARY_MAXIMUM)
            memcpy(boundary, found.data, found.size);
        return;
    }
}

enum content_kind content_kind(struct slice field, char boundary[CONTENT_BOUNDARY_MAXIMUM],
                               size_t *boundary_size)
{
    struct raw_value value;
    *boundary_size = 0;
    if (scan(field, true, &value))
        return CONTENT_KIND_INVALID;
    if (slice_equal_nocase(value.type, SLICE("multipart"))) {
        find_boundary(&value, boundary, boundary_size);
        return slice_equal_nocase(value.subtype, SLICE("digest")) ? CONTENT_KIND_DIGEST
                                                                  : CONTENT_KIND_MULTIPART;
    }
    if (slice_equal_nocase(value.type, SLICE("message")) &&
        (slice_equal_nocase(value.subtype, SLICE("rfc822")) ||
         slice_equal_nocase(value.subtype, SLICE("global"))))
        return CONTENT_KIND_MESSAGE;
    return CONTENT_KIND_OTHER;
}
