#include "front/login/login_priv.h"

#include "base/counters.h"

void login_init(struct login *login, uv_loop_t *loop, const struct config *config, SSL_CTX *tls)
{
    *login = (struct login){.loop = loop, .config = config, .tls = tls};
    TAILQ_INIT(&login->listeners);
    TAILQ_INIT(&login->connections);
    TAILQ_INIT(&login->pumps);
    uv_timer_init(loop, &login->drain_timer);
    login->drain_timer.data = login;
}

static void close_streams(struct login *login)
{
    while (!TAILQ_EMPTY(&login->connections))
        connection_destroy(TAILQ_FIRST(&login->connections));
    while (!TAILQ_EMPTY(&login->pumps))
        pump_destroy(TAILQ_FIRST(&login->pumps));
}

void login_release(struct login *login)
{
    login->drained = NULL;
    listeners_close(login);
    close_streams(login);
    peers_release(login);
    uv_close((uv_handle_t *)&login->drain_timer, NULL);
    SSL_CTX_free(login->tls);
    login->tls = NULL;
}

static void finish_when_drained(struct login *login)
{
    void (*drained)(void *) = login->drained;
    if (!login->draining || login->open || !drained)
        return;
    login->drained = NULL;
    uv_timer_stop(&login->drain_timer);
    drained(login->drained_arg);
}

void login_opened(struct login *login)
{
    login->open++;
    counters_add(COUNTER_LOGIN_OPEN, 1);
}

void login_closed(struct login *login)
{
    login->open--;
    counters_add(COUNTER_LOGIN_OPEN, -1);
    finish_when_drained(login);
}

static void out_of_time(uv_timer_t *timer)
{
    close_streams(timer->data);
}

void login_drain(struct login *login, uint32_t seconds, void (*drained)(void *arg), void *arg)
{
    login->draining = true;
    login->drained = drained;
    login->drained_arg = arg;
    listeners_close(login);
    if (seconds != UINT32_MAX)
        uv_timer_start(&login->drain_timer, out_of_time, seconds * UINT64_C(1000), 0);
    while (!TAILQ_EMPTY(&login->connections))
        connection_dismiss(TAILQ_FIRST(&login->connections), "The server is restarting");
    finish_when_drained(login);
}
