/* session: state, adopted record, queue of events. Must never raise an event for
 * something that is not so (yet). */
#include "core/session.h"

#include <string.h>

const char *ag_state_name(ag_state s)
{
    switch (s) {
    case AG_STATE_NO_SESSION: return "NO_SESSION";
    case AG_STATE_AUTHENTICATED: return "AUTHENTICATED";
    case AG_STATE_UNKNOWN: break;
    }
    return "UNKNOWN";
}

const char *ag_reason_name(ag_reason r)
{
    static const char *const names[] = {
        "NO_TOKEN", "FOUND_TOKEN", "AUTHENTICATED", "LOGOUT", "INVALID", "CLEAR"
    };
    return names[r];
}

void ag_session_free(const ag_alloc *a, ag_session *s)
{
    ag_record_free(a, &s->record);
    ag_record_free(a, &s->unsaved);
    ag_str_free(a, &s->unsaved_base);
    s->state = AG_STATE_UNKNOWN;
    s->n_events = 0;
}

/* A listener that fell far behind sees the newest changes; the state it ends in is right. */
static void add_event(ag_session *s, ag_reason reason)
{
    if (s->n_events == AG_MAX_EVENTS) {
        memmove(s->events, s->events + 1, sizeof s->events - sizeof s->events[0]);
        s->n_events--;
    }
    s->events[s->n_events].state = (unsigned char)s->state;
    s->events[s->n_events].reason = (unsigned char)reason;
    s->n_events++;
}

static void take_over(const ag_alloc *a, ag_session *s, ag_record *r)
{
    ag_record_move(a, &s->record, r);
    s->state = s->record.refresh_token.p != NULL ? AG_STATE_AUTHENTICATED : AG_STATE_NO_SESSION;
    s->version++;
}

void ag_session_adopt(const ag_alloc *a, ag_session *s, ag_record *r, ag_reason reason)
{
    ag_state before = s->state;
    take_over(a, s, r);
    if (s->state != before)
        add_event(s, reason);
}

void ag_session_login(const ag_alloc *a, ag_session *s, ag_record *r)
{
    ag_record_free(a, &s->unsaved);
    ag_str_free(a, &s->unsaved_base);
    take_over(a, s, r);
    add_event(s, AG_REASON_AUTHENTICATED);
}

bool ag_session_take_event(ag_session *s, ag_event *out)
{
    if (s->n_events == 0)
        return false;
    *out = s->events[0];
    s->n_events--;
    memmove(s->events, s->events + 1, s->n_events * sizeof s->events[0]);
    return true;
}

bool ag_session_usable(const ag_env *env, const ag_session *s, ag_view refused)
{
    if (!ag_record_fresh(env, &s->record))
        return false;
    return refused.p == NULL || !ag_view_eq(refused, ag_str_view(&s->record.access_token));
}
