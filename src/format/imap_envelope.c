#include "format/address.h"
#include "format/imap_string_priv.h"

/* (name source-route local-part domain). A domain that is missing is "", as NIL there means the
 * beginning or the end of a group. */
static void write_address(struct imap_writer *writer, const struct address *address)
{
    if (address->kind == ADDRESS_GROUP_BEGIN) {
        mime_write_raw(writer, "(NIL NIL ");
        mime_write_string(writer, address->name);
        mime_write_raw(writer, " NIL)");
        return;
    }
    if (address->kind == ADDRESS_GROUP_END) {
        mime_write_raw(writer, "(NIL NIL NIL NIL)");
        return;
    }
    mime_write_raw(writer, "(");
    mime_write_nstring(writer, address->name);
    mime_write_raw(writer, " ");
    mime_write_nstring(writer, address->route);
    mime_write_raw(writer, " ");
    mime_write_string(writer, address->local);
    mime_write_raw(writer, " ");
    mime_write_string(writer, address->domain);
    mime_write_raw(writer, ")");
}

/* Appends the list's addresses; whether there were any. */
static bool write_addresses(struct imap_writer *writer, const struct mime_field *field)
{
    size_t count = 0;
    for (; field; field = field->next) {
        struct address_parser parser;
        struct address address;
        address_parser_init(&parser, field->value);
        while (address_next(&parser, &address)) {
            if (count >= writer->address_maximum && address.kind != ADDRESS_GROUP_END) {
                writer->cut = true;
                if (parser.in_group)
                    mime_write_raw(writer, "(NIL NIL NIL NIL)");
                break;
            }
            mime_write_raw(writer, count ? "" : "(");
            write_address(writer, &address);
            count++;
        }
        writer->cut |= parser.cut;
        if (count >= writer->address_maximum)
            break;
    }
    if (count)
        mime_write_raw(writer, ")");
    return count > 0;
}

/* Sender and Reply-To are From where they are absent or empty (RFC 9051 section 7.5.2). */
static void write_list(struct imap_writer *writer, const struct mime_part *part,
                       enum mime_field_name name)
{
    mime_write_raw(writer, " ");
    if (write_addresses(writer, part->fields[name]))
        return;
    bool defaults = name == MIME_SENDER || name == MIME_REPLY_TO;
    if (!defaults || !write_addresses(writer, part->fields[MIME_FROM]))
        mime_write_raw(writer, "NIL");
}

void mime_write_envelope(struct imap_writer *writer, const struct mime_part *part)
{
    static const enum mime_field_name lists[] = {MIME_FROM, MIME_SENDER, MIME_REPLY_TO,
                                                 MIME_TO,   MIME_CC,     MIME_BCC};
    mime_write_raw(writer, "(");
    mime_write_field(writer, part->fields[MIME_DATE]);
    mime_write_raw(writer, " ");
    mime_write_field(writer, part->fields[MIME_SUBJECT]);
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        write_list(writer, part, lists[i]);
    mime_write_raw(writer, " ");
    mime_write_field(writer, part->fields[MIME_IN_REPLY_TO]);
    mime_write_raw(writer, " ");
    mime_write_field(writer, part->fields[MIME_MESSAGE_ID]);
    mime_write_raw(writer, ")");
}
