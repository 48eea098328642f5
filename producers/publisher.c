#include "producers/publisher.h"

#include "producers/batch.h"
#include "producers/publish.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { IDLE_MS = 1000 };

struct publisher {
    struct publisher_settings settings;
    pthread_t thread;
    int asked_fd, returned_fd;
    /* Of the thread alone once it runs. */
    struct producer producer;
    struct json_out scratch;
    bool failed;
    /* Under the mutex. */
    pthread_mutex_t mutex;
    struct batch *submitted, *returned;
    bool is_out; /* from submit to take */
    bool stop;
};

/* Nobody else serves the handle between two batches: of each broker that is away an error would
 * come to lie in it every half a minute, for as long as there is nothing to publish (2.0.2). Not
 * after a failure: the messages that were not delivered are freed. */
static void serve_idle(struct publisher *publisher)
{
    if (publisher->producer.handle != NULL && !publisher->failed)
        (void)rd_kafka_poll(publisher->producer.handle, 0);
}

/* NULL: it is over. */
static struct batch *await_batch(struct publisher *publisher)
{
    struct pollfd asked = {.fd = publisher->asked_fd, .events = POLLIN};
    struct batch *batch = NULL;
    for (bool stop = false; batch == NULL && !stop;) {
        uint64_t count;
        /* Not on a condition variable: none waits by the clock that read_mono_ms reads. */
        if (poll(&asked, 1, IDLE_MS) == 0)
            serve_idle(publisher);
        ssize_t got = read(publisher->asked_fd, &count, sizeof count);
        (void)got; /* nothing, after IDLE_MS */
        (void)pthread_mutex_lock(&publisher->mutex);
        batch = publisher->submitted;
        publisher->submitted = NULL;
        stop = publisher->stop;
        (void)pthread_mutex_unlock(&publisher->mutex);
    }
    return batch;
}

/* A counter this low never blocks. */
static void signal_fd(int fd)
{
    ssize_t written = write(fd, &(uint64_t){1}, sizeof(uint64_t));
    assert(written == sizeof(uint64_t));
}

static void *run(void *context)
{
    struct publisher *publisher = context;
    for (struct batch *batch; (batch = await_batch(publisher)) != NULL;) {
        publish_batch(&publisher->settings, &publisher->producer, &publisher->scratch, batch);
        publisher->failed = batch->result == BATCH_FAILED;
        (void)pthread_mutex_lock(&publisher->mutex);
        publisher->returned = batch;
        signal_fd(publisher->returned_fd);
        (void)pthread_mutex_unlock(&publisher->mutex);
    }
    return NULL;
}

static void dispose(struct publisher *publisher)
{
    producer_close(&publisher->producer);
    json_out_free(&publisher->scratch);
    (void)pthread_mutex_destroy(&publisher->mutex);
    if (publisher->asked_fd >= 0)
        (void)close(publisher->asked_fd);
    if (publisher->returned_fd >= 0)
        (void)close(publisher->returned_fd);
    free(publisher);
}

/* Signals are for the loop's thread alone. */
static int start_thread(struct publisher *publisher)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = -pthread_create(&publisher->thread, NULL, run, publisher);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

int publisher_new(const struct publisher_settings *settings, int timeout_ms,
                  struct publisher **ret_publisher, char *reterr, size_t reterr_bytes)
{
    struct publisher *publisher = calloc(1, sizeof *publisher);
    if (publisher == NULL)
        return -ENOMEM;
    publisher->settings = *settings;
    int rc = pthread_mutex_init(&publisher->mutex, NULL);
    assert(rc == 0);
    publisher->asked_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    publisher->returned_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    rc = publisher->asked_fd < 0 || publisher->returned_fd < 0 ? -errno : 0;
    if (rc == 0)
        rc = producer_open(&publisher->producer, &publisher->settings,
                           settings->read_mono_ms() + timeout_ms, reterr, reterr_bytes);
    if (rc == 0)
        rc = start_thread(publisher);
    if (rc < 0) {
        dispose(publisher);
        return rc;
    }
    *ret_publisher = publisher;
    return 0;
}

int publisher_fd(const struct publisher *publisher)
{
    return publisher->returned_fd;
}

void publisher_submit(struct publisher *publisher, struct batch *batch)
{
    assert(batch->n_publications > 0 && batch->membership != NULL && batch_is_guarded(batch));
    (void)pthread_mutex_lock(&publisher->mutex);
    assert(!publisher->is_out);
    publisher->is_out = true;
    publisher->submitted = batch;
    (void)pthread_mutex_unlock(&publisher->mutex);
    signal_fd(publisher->asked_fd);
}

struct batch *publisher_take(struct publisher *publisher, int timeout_ms)
{
    struct pollfd returned = {.fd = publisher->returned_fd, .events = POLLIN};
    if (timeout_ms > 0)
        (void)poll(&returned, 1, timeout_ms);
    (void)pthread_mutex_lock(&publisher->mutex);
    struct batch *batch = publisher->returned;
    if (batch != NULL) {
        uint64_t count;
        publisher->returned = NULL;
        publisher->is_out = false;
        ssize_t got = read(publisher->returned_fd, &count, sizeof count);
        assert(got == sizeof count);
    }
    (void)pthread_mutex_unlock(&publisher->mutex);
    return batch;
}

void publisher_free(struct publisher *publisher)
{
    if (publisher == NULL)
        return;
    (void)pthread_mutex_lock(&publisher->mutex);
    assert(!publisher->is_out);
    publisher->stop = true;
    (void)pthread_mutex_unlock(&publisher->mutex);
    signal_fd(publisher->asked_fd);
    (void)pthread_join(publisher->thread, NULL);
    dispose(publisher);
}
