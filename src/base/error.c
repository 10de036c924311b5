#include "base/error.h"

#include <errno.h>
#include <stddef.h>

static const struct {
    const char *name;
    const char *text;
    bool temporary;
} errors[] = {
    [-ERROR_NONE] = {"none", "No error", false},
    [-ERROR_NOT_FOUND] = {"not-found", "It does not exist", false},
    [-ERROR_EXISTS] = {"exists", "It exists already", false},
    [-ERROR_DENIED] = {"denied", "Permission denied", false},
    [-ERROR_SYNTAX] = {"syntax", "The input is malformed", false},
    [-ERROR_LIMIT] = {"limit", "A limit was reached", false},
    [-ERROR_QUOTA] = {"quota", "The quota is used up", false},
    [-ERROR_MEMORY] = {"memory", "Out of memory", true},
    [-ERROR_SPACE] = {"space", "The disk is full", true},
    [-ERROR_IO] = {"io", "Input or output failed", true},
    [-ERROR_CORRUPT] = {"corrupt", "Stored data is damaged", false},
    [-ERROR_BUSY] = {"busy", "It is in use or away at the moment", true},
    [-ERROR_TIMEOUT] = {"timeout", "It took too long", true},
    [-ERROR_CONFLICT] = {"conflict", "It was changed in the meantime", true},
    [-ERROR_CANNOT_CALCULATE] = {"cannot-calculate", "Changes are not kept that far back", false},
    [-ERROR_CLOSED] = {"closed", "The connection was closed", true},
    [-ERROR_INVALID] = {"invalid", "The argument is not valid here", false},
    [-ERROR_UNSUPPORTED] = {"unsupported", "Not supported here", false},
    [-ERROR_PROTOCOL] = {"protocol", "The peer broke the protocol", false},
};

static size_t error_index(int code)
{
    size_t count = sizeof(errors) / sizeof(errors[0]);
    return code <= 0 && (size_t)-code < count ? (size_t)-code : (size_t)-ERROR_INVALID;
}

const char *error_name(int code)
{
    return errors[error_index(code)].name;
}

const char *error_text(int code)
{
    return errors[error_index(code)].text;
}

bool error_is_temporary(int code)
{
    return errors[error_index(code)].temporary;
}

int error_from_errno(int errnum)
{
    switch (errnum) {
    case 0:
        return ERROR_NONE;
    case ENOENT:
    case ENOTDIR:
        return ERROR_NOT_FOUND;
    case EEXIST:
    case ENOTEMPTY:
        return ERROR_EXISTS;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERROR_DENIED;
    case ENOMEM:
        return ERROR_MEMORY;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return ERROR_SPACE;
    case EAGAIN:
    case EBUSY:
    case EMFILE:
    case ENFILE:
        return ERROR_BUSY;
    case ETIMEDOUT:
        return ERROR_TIMEOUT;
    case EPIPE:
    case ECONNRESET:
        return ERROR_CLOSED;
    case EINVAL:
        return ERROR_INVALID;
    case ENOSYS:
    case EOPNOTSUPP:
        return ERROR_UNSUPPORTED;
    default:
        return ERROR_IO;
    }
}
