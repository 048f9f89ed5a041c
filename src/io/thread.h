/* thread: one thread of ours. It gets no signals: those are the host's. Must never
 * outlive whoever started it: each is joined, except in a forked child, where it is gone. */
#ifndef AG_IO_THREAD_H
#define AG_IO_THREAD_H

#include <stdbool.h>

typedef struct ag_thread ag_thread;

#ifdef _WIN32
struct ag_thread {
    void *handle;
    void (*fn)(void *);
    void *arg;
};
#else
#include <pthread.h>
struct ag_thread {
    pthread_t id;
    void (*fn)(void *);
    void *arg;
};
#endif

/* t must stay where it is until it is joined. False: no more threads to be had. */
bool ag_thread_start(ag_thread *t, void (*fn)(void *), void *arg);
void ag_thread_join(ag_thread *t);

#endif
