/* session: what the client knows of its session, and the events that follow from
 * changes. Must never show a token that is not stored (law 5). */
#ifndef AG_CORE_SESSION_H
#define AG_CORE_SESSION_H

#include "core/env.h"
#include "core/record.h"

typedef enum ag_state { AG_STATE_UNKNOWN, AG_STATE_NO_SESSION, AG_STATE_AUTHENTICATED } ag_state;

typedef enum ag_reason {
    AG_REASON_NO_TOKEN, AG_REASON_FOUND_TOKEN, AG_REASON_AUTHENTICATED,
    AG_REASON_LOGOUT, AG_REASON_INVALID, AG_REASON_CLEAR
} ag_reason;

typedef struct ag_event {
    unsigned char state, reason;
} ag_event;

#define AG_MAX_EVENTS 16

typedef struct ag_session {
    ag_state state;
    ag_record record;           /* as it is stored; owned */
    ag_record unsaved;          /* rotated by the server, not stored yet; owned */
    ag_str unsaved_base;        /* the refresh token that `unsaved` was made from */
    unsigned long version;      /* grows whenever `record` changes */
    ag_event events[AG_MAX_EVENTS];
    unsigned n_events;
} ag_session;

const char *ag_state_name(ag_state s);
const char *ag_reason_name(ag_reason r);
void ag_session_free(const ag_alloc *a, ag_session *s);
/* Takes over what is stored (moves *r); the state follows from it: a refresh token is there or not.
 * reason: for the event, when the state changed. */
void ag_session_adopt(const ag_alloc *a, ag_session *s, ag_record *r, ag_reason reason);
/* Like adopt, but the event is raised even if the state is the same (a new login). */
void ag_session_login(const ag_alloc *a, ag_session *s, ag_record *r);
bool ag_session_take_event(ag_session *s, ag_event *out);
/* Can the access token be used: it is fresh, and not the one that was refused. */
bool ag_session_usable(const ag_env *env, const ag_session *s, ag_view refused);

#endif
