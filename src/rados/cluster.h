/*
 * A connection to a Ceph cluster: what kv/rados and blob/rados of one process share.
 *
 *     cluster_create ── reads files, starts no thread ──> confinement ──> cluster_connect ──
 * threads
 *
 * So that everything librados starts is confined with the process, its files are read first: the
 * configuration, and the key of the user. The cluster's monitors are named in the configuration by
 * their addresses (mon_host): a confined process has no resolver.
 *
 * Every operation has a time limit, after which it is ERROR_BUSY; librados finds the cluster again
 * by itself when it comes back.
 */
#ifndef RADOS_CLUSTER_H
#define RADOS_CLUSTER_H

#include "base/buffer.h"

#include <rados/librados.h>

struct cluster;

/* The namespaces of Chapar's own pool: accounts and the directory, bodies, credentials. A Ceph user
 * may be limited to those it needs. */
#define CLUSTER_MAIL  "mail"
#define CLUSTER_BLOBS "blobs"
#define CLUSTER_AUTH  "auth"

enum {
    CLUSTER_TIMEOUT = 5, /* seconds: of one operation, and of connecting */
    /* What one write operation may carry: osd_max_write_size is 90 MB. */
    CLUSTER_WRITE_MAXIMUM = 64 * 1024 * 1024,
};

struct cluster_options {
    const char *config; /* path of the configuration; NULL or "": /etc/ceph/ceph.conf */
    const char *user;   /* without "client."; NULL or "": admin */
    const char *pool;   /* must be there */
    unsigned timeout;   /* seconds; 0: CLUSTER_TIMEOUT */
};

/* Reads what it must from files. ERROR_NOT_FOUND: there is no such file; ERROR_SYNTAX: it cannot be
 * read as a configuration; ERROR_INVALID: an option is empty or too long. */
int cluster_create(const struct cluster_options *options, struct cluster **cluster);

/* The one that chapar.conf names, for the Ceph user given; "" is rados_user's. *cluster is NULL
 * when the engine is another. */
struct config;
int cluster_from_config(const struct config *config, const char *user, struct cluster **cluster);

/* Blocks. ERROR_BUSY: nobody answered in time; ERROR_DENIED: the key is not accepted;
 * ERROR_NOT_FOUND: there is no such pool. After a failure it is freed, nothing else. */
int cluster_connect(struct cluster *cluster);

/* The engines on it must have been freed. */
void cluster_free(struct cluster **cluster);

/* TCP ports the cluster may be reached at: for confinement, before connecting. Calls fn for each
 * range. The monitors' are those in the configuration and Ceph's own. */
void cluster_each_ports(struct cluster *cluster,
                        void (*fn)(unsigned first, unsigned last, void *arg), void *arg);

/* A context for the objects of one namespace of the pool. Does not block. */
int cluster_open(struct cluster *cluster, const char *name_space, rados_ioctx_t *io);

/* The handle, for what is not about objects. */
rados_t cluster_handle(struct cluster *cluster);

/* The error for a negative result of librados; 0 for 0 and above. A client that was shut out of the
 * cluster gets ERROR_IO. */
int cluster_error(int result);

#endif
