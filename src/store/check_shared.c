/*
 * What the directory says of an account's access control lists.
 */
#include "base/error.h"
#include "store/acl_priv.h"
#include "store/check_priv.h"

/* One too many is no harm, and goes with the next change; one too few hides what is shared. */
static int check_subject(struct check *check, struct acl_subject subject)
{
    struct store *store = check->view->store;
    struct account_id owner = check->view->account->id;
    bool missing;
    int error = shared_is_missing(store, subject, owner, &missing);
    if (error || !missing)
        return error;
    bool mend = check_wrong(check, "the directory does not say that something is shared");
    return mend ? shared_put(store, NULL, subject, owner) : 0;
}

int check_shared(struct check *check)
{
    struct buffer subjects;
    buffer_init(&subjects, ACL_SUBJECTS_MAXIMUM * sizeof(struct acl_subject));
    int error = acl_subjects(check->transaction, &subjects);
    for (size_t at = 0; at < subjects.size && !error; at += sizeof(struct acl_subject)) {
        struct acl_subject subject;
        memcpy(&subject, subjects.data + at, sizeof(subject));
        error = check_subject(check, subject);
    }
    buffer_release(&subjects);
    return error == ERROR_CORRUPT ? 0 : error; /* check_rest has said so */
}
