/*
 * What the load generators do alike: connect, send, keep to a rate, note what was done. A failure
 * ends the program: a server that refuses or goes away is not what is measured.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "base/clock.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LOAD_CONNECTIONS_MAXIMUM = 1000, LOAD_LINE_MAXIMUM = 1024 };

static inline void load_fail(const char *what)
{
    perror(what);
    exit(1);
}

/* To the port of this machine, from one of its addresses (127.0.0.2; NULL: any). */
static inline int load_connect_from(uint16_t port, const char *source)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in own = {.sin_family = AF_INET};
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (source && (inet_pton(AF_INET, source, &own.sin_addr) != 1 ||
                   setsockopt(server, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) ||
                   bind(server, (struct sockaddr *)&own, sizeof(own))))
        load_fail(source);
    if (server < 0 || connect(server, (struct sockaddr *)&address, sizeof(address)) < 0)
        load_fail("connect");
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return server;
}

static inline int load_connect(uint16_t port)
{
    return load_connect_from(port, NULL);
}

static inline int load_compare_times(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

/* "RATE MEDIAN P99": of what took `times` (microseconds each, which are sorted) and began at start.
 */
static inline void load_print(uint32_t *times, long count, uint64_t start_us)
{
    double seconds = (double)(clock_monotonic_us() - start_us) / 1e6;
    qsort(times, (size_t)count, sizeof(*times), load_compare_times);
    printf("%.0f %u %u\n", (double)count / seconds, times[count / 2], times[count * 99 / 100]);
}

static inline void load_send(int server, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = write(server, bytes, size);
        if (sent <= 0)
            load_fail("write");
        bytes += sent;
        size -= (size_t)sent;
    }
}

/* Number n (from 0) of what is done at `rate` a second is not begun before n / rate seconds after
 * the start; 0: at once. What was held up is made up for. */
static inline void load_wait(uint64_t start_us, long number, long rate)
{
    uint64_t due = rate ? start_us + (uint64_t)number * 1000000 / (uint64_t)rate : 0;
    uint64_t now = clock_monotonic_us();
    if (now < due)
        usleep((useconds_t)(due - now));
}

#endif
