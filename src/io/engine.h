/* engine: transfers that go on by themselves, on one thread of ours, while the
 * caller's does other things. Everything here is called on one thread at a time, and
 * never waits, but for ag_engine_wait and (for milliseconds) ag_engine_stop. Knows neither
 * Lua nor libcurl. The thread is made with the first job and joined by ag_engine_stop.
 *
 * What is shared between the two threads stands in engine_private.h, and how. After a fork the
 * child's jobs are all lost, and its next job starts a new thread. */
#ifndef AG_IO_ENGINE_H
#define AG_IO_ENGINE_H

#include "io/sock.h"
#include "io/transfer.h"

typedef struct ag_engine ag_engine;
typedef struct ag_job ag_job;

/* The maker's is the first reference; each is given back with ag_engine_unref, the last after
 * ag_engine_stop. Starts nothing. NULL: *e says why. */
ag_engine *ag_engine_new(const ag_alloc *a, ag_err *e);
void ag_engine_ref(ag_engine *g);
void ag_engine_unref(ag_engine *g);
/* Aborts what is under way, whose jobs fail with 'closed', and joins the thread. No job can be begun any more. */
void ag_engine_stop(ag_engine *g);
/* How many connections there may be, idle ones counted. */
void ag_engine_limits(ag_engine *g, long total, long per_host);

/* What is asked for from now on may begin some milliseconds later. Waking the thread is most of what a request costs the
 * caller: while some such come, the thread looks for them by itself. For callers that come back many times a second. */
void ag_engine_patient(ag_engine *g, bool patient);

/* Copies what is in r. The job is the caller's until ag_job_close. NULL: *e says why. */
ag_job *ag_engine_submit(ag_engine *g, const ag_transfer_request *r, ag_err *e);
/* A job that has something new to say, once for each news; borrowed. NULL: none has, for now. */
ag_job *ag_engine_ready(ag_engine *g);
/* A descriptor that is readable while ag_engine_ready has something to give. It is the engine's. */
bool ag_engine_descriptor(ag_engine *g, ag_sock *out, ag_err *e);
/* Waits at most seconds. True: something is ready. False also after a signal. */
bool ag_engine_wait(ag_engine *g, double seconds);

/* For a host that waits for sockets alone, in place of the descriptor. It connects to the path that listen gives (the
 * engine's until accept), then accept has it let in: bytes for it to read are news from now on. They are sent only after
 * rest; false: there is news already. A host that is gone may connect anew. */
const char *ag_engine_listen(ag_engine *g, ag_err *e);
bool ag_engine_accept(ag_engine *g, ag_err *e);
bool ag_engine_rest(ag_engine *g);
/* Something to read for that host, with no news. */
void ag_engine_poke(ag_engine *g);

/* Jobs whose end has not been told yet. */
size_t ag_engine_running(ag_engine *g);

/* The same as a transfer's (io/transfer.h). */
ag_step ag_job_step(ag_job *j);
void ag_job_accept(ag_job *j, ag_accept how);
/* p == NULL is the body's end. False: out of memory; the job has failed then. */
bool ag_job_feed(ag_job *j, ag_view piece);
int ag_job_status(const ag_job *j);         /* these once the headers are there, or it is over */
ag_view ag_job_headers(const ag_job *j);
ag_view ag_job_body(const ag_job *j);       /* after AG_STEP_CHUNK the chunk, after AG_STEP_DONE what was collected */
void ag_job_body_taken(ag_job *j);          /* after AG_STEP_CHUNK: the next may come */
bool ag_job_collected(const ag_job *j);
const char *ag_job_http_version(const ag_job *j);
void ag_job_error(const ag_job *j, ag_err *e);      /* after AG_STEP_ERROR */
bool ag_job_sent(const ag_job *j);
uint64_t ag_job_id(const ag_job *j);
/* The caller's mark on a job; 0: none. */
void ag_job_set_tag(ag_job *j, size_t tag);
size_t ag_job_tag(const ag_job *j);
/* Aborts it if it is not over, wipes what it holds, frees it. */
void ag_job_close(ag_job *j);

#endif
