/*
 * Address lists (RFC 5322 section 3.4 with the obsolete forms of section 4.4, UTF-8 as in RFC
 * 6532), as a pull parser that takes garbage for what it most likely was meant to be.
 *
 *     struct address_parser parser;
 *     struct address address;
 *     address_parser_init(&parser, value);
 *     while (address_next(&parser, &address))
 *         ...
 *
 * It reads each byte a constant number of times, takes no memory, and does not block.
 */
#ifndef FORMAT_ADDRESS_H
#define FORMAT_ADDRESS_H

#include "base/slice.h"

enum {
    ADDRESS_WORDS_MAXIMUM = 1024, /* bytes of each of an address's parts; the rest is cut off */
    ADDRESS_LIST_MAXIMUM = 2000,  /* addresses that are taken from a field */
};

enum address_kind {
    ADDRESS_MAILBOX,
    ADDRESS_GROUP_BEGIN, /* name is the group's */
    ADDRESS_GROUP_END,   /* comes for every group that began */
};

/* One address; the slices live until the next call. */
struct address {
    enum address_kind kind;
    struct slice name;   /* display name without quotes, encoded words as they stand; for want of
                            one the comment behind the address, "user@host (Name)" */
    struct slice route;  /* obs-route without its ":", "@a,@b" */
    struct slice local;  /* local part without quotes */
    struct slice domain; /* empty: none given. A domain literal with its brackets */
};

struct address_text {
    size_t size;
    char data[ADDRESS_WORDS_MAXIMUM];
};

/* All members are private but `cut`. */
struct address_parser {
    bool cut; /* an address was cut, or there were more than ADDRESS_LIST_MAXIMUM */
    bool in_group;
    struct slice field;
    size_t offset, count;
    struct address_text name, route, local, domain, comment;
};

/* The field's value, folds as they stand. It stays the caller's and must outlive the parser. */
void address_parser_init(struct address_parser *parser, struct slice field);

/* The next address; false at the end. */
bool address_next(struct address_parser *parser, struct address *address);

#endif
