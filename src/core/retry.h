/* retry: which failures pass by themselves, and how long to wait before the next try.
 * Must never decide that a request may be sent again: that is its flow's to know. */
#ifndef AG_CORE_RETRY_H
#define AG_CORE_RETRY_H

#include "core/env.h"
#include "core/err.h"

typedef struct ag_retry_options {
    unsigned retries;       /* tries after the first; 0: none */
    double base_s;          /* the first pause is at most this, each further one at most twice the one before */
    double max_s;           /* and never more than this, unless the server asks for more */
} ag_retry_options;

#define AG_RETRY_DEFAULT { 2, 0.25, 5.0 }

/* Is the failure one that may pass by itself: no connection, no answer, no such name? Not: a bad certificate. */
bool ag_retry_is_passing(const ag_err *e);
/* The same of an answer: 429, 502, 503, 504 (RFC 9110 section 15.6, RFC 6585 section 4). */
bool ag_retry_is_passing_status(int status);
/* May a request with this method be sent again though the first may have been acted on (RFC 9110 section 9.2.2)? */
bool ag_retry_is_idempotent(const char *method);
/* Seconds to wait before try number done + 2; negative: there is none. Exponential with full jitter, or what the server
 * asked for (retry_after seconds, 0: nothing) if that is longer. */
double ag_retry_pause(const ag_env *env, const ag_retry_options *o, unsigned done, double retry_after);

#endif
