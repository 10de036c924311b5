/*
 * The cluster a test runs on: that of tests/harness/cluster.py, which says where it is.
 */
#ifndef TEST_CLUSTER_H
#define TEST_CLUSTER_H

#include "rados/cluster.h"

/* A client of its own each time, as another node would be. */
static struct cluster *test_cluster_with(unsigned timeout)
{
    struct cluster_options options = {.config = getenv("CHAPAR_CEPH_CONFIG"),
                                      .pool = getenv("CHAPAR_CEPH_POOL"),
                                      .timeout = timeout};
    struct cluster *cluster;
    assert_int_equal(cluster_create(&options, &cluster), 0);
    assert_int_equal(cluster_connect(cluster), 0);
    return cluster;
}

static inline struct cluster *test_cluster(void)
{
    return test_cluster_with(0);
}

/* A new one at each call. */
static const char *test_namespace(void)
{
    static char name[32];
    static unsigned count;
    snprintf(name, sizeof(name), "test-%d-%u", (int)getpid(), count++);
    return name;
}

#endif
