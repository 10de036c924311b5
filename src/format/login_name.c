#include "format/login_name.h"

#include "base/error.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool is_alphanumeric(char c)
{
    c = lower(c);
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* atext of RFC 5321 section 4.1.2, and the dot. */
static bool is_local(char c)
{
    return is_alphanumeric(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~.", c));
}

static int check_local(struct slice local)
{
    if (local.size == 0)
        return ERROR_SYNTAX;
    for (size_t i = 0; i < local.size; i++)
        if (!is_local(local.data[i]))
            return ERROR_SYNTAX;
    return local.size > ADDRESS_LOCAL_MAXIMUM ? ERROR_LIMIT : 0;
}

/* A label begins and ends with a letter or digit (RFC 1123 section 2.1). */
static int check_domain(struct slice domain)
{
    char before = '.';
    for (size_t i = 0; i <= domain.size; i++) {
        char c = i < domain.size ? domain.data[i] : '.';
        bool edge = before == '.' || (c == '.' && before == '-');
        if (!(is_alphanumeric(c) || (!edge && (c == '-' || c == '.'))))
            return ERROR_SYNTAX;
        before = c;
    }
    return domain.size > ADDRESS_DOMAIN_MAXIMUM ? ERROR_LIMIT : 0;
}

static void append_lower(struct buffer *normal, struct slice part)
{
    char *room = buffer_reserve(normal, part.size);
    if (!room)
        return;
    for (size_t i = 0; i < part.size; i++)
        room[i] = lower(part.data[i]);
    buffer_commit(normal, part.size);
}

int address_normalise(struct slice name, const char *default_domain, struct buffer *normal)
{
    size_t at = slice_find(name, '@');
    struct slice local = slice_sub(name, 0, at);
    struct slice domain =
        at < name.size ? slice_sub(name, at + 1, name.size) : slice_from_string(default_domain);
    int error = check_local(local);
    if (!error)
        error = check_domain(domain);
    if (error)
        return error;
    if (local.size + 1 + domain.size > normal->maximum - normal->size)
        return ERROR_LIMIT;
    append_lower(normal, local);
    buffer_append_byte(normal, '@');
    append_lower(normal, domain);
    return buffer_error(normal);
}

bool address_is_listed(const struct config_list *list, const char *default_domain,
                       struct slice name)
{
    bool listed = false;
    struct buffer normal;
    buffer_init(&normal, ADDRESS_LOCAL_MAXIMUM + 1 + ADDRESS_DOMAIN_MAXIMUM);
    for (size_t i = 0; i < list->count && !listed; i++) {
        buffer_clear(&normal);
        struct slice item = slice_from_string(list->items[i]);
        listed = address_normalise(item, default_domain, &normal) == 0 &&
                 slice_equal(buffer_slice(&normal), name);
    }
    buffer_release(&normal);
    return listed;
}
