/* flow: a state machine that asks for effects and is given their results; one step at
 * a time, by whoever drives it. Must never do an effect itself, and must never forget
 * what it asked for: a driver that was interrupted asks again and goes on. */
#ifndef AG_CORE_FLOW_H
#define AG_CORE_FLOW_H

#include "core/client.h"
#include "core/request.h"

typedef enum ag_fx {
    AG_FX_DONE,         /* finished well; see the flow's own header for its result */
    AG_FX_FAIL,         /* finished: flow->err */
    AG_FX_LOOK,         /* has the stored record changed since it was last loaded or stored?  -> flag */
    AG_FX_LOAD,         /* read the stored record                                           -> text (or not there) */
    AG_FX_STORE,        /* write flow->text durably                                         -> ok */
    AG_FX_DELETE,       /* remove the stored record durably                                 -> ok */
    AG_FX_LOCK,         /* take the storage's lock without waiting                          -> flag: got it */
    AG_FX_UNLOCK,       /* give it back                                                     -> ok */
    AG_FX_SEND,         /* send flow->request                                               -> answer */
    AG_FX_SLEEP,        /* wait flow->seconds                                               -> ok */
    AG_FX_REFRESH,      /* have the client's one refresh run, flow->text: the refused access token (or not there) -> ok */
    AG_FX_ASK,          /* ask the caller's 401 policy                                      -> number: ag_policy */
    AG_FX_KEEP,         /* have the storage keep flow->text as flow->name for flow->seconds, durably or not -> ok */
    AG_FX_TAKE,         /* have it hand out, once, what it keeps as flow->name              -> text (or not there) */
    AG_FX_END           /* have the session cleared, unless its access token is another than flow->text -> ok */
} ag_fx;

/* What the driver gives back. All borrowed, for the step only. */
typedef struct ag_input {
    bool ok;            /* false: the effect failed, err says how */
    bool flag;
    int number;
    ag_view text;
    ag_answer answer;
    const ag_err *err;
} ag_input;

typedef struct ag_flow ag_flow;
typedef void (*ag_resume_fn)(ag_flow *f, const ag_input *in);

typedef struct ag_flow_type {
    size_t size;                        /* of the whole struct that begins with ag_flow */
    void (*start)(ag_flow *f);
    void (*free)(ag_flow *f);           /* what the struct owns beyond ag_flow; may be NULL */
} ag_flow_type;

struct ag_flow {
    const ag_flow_type *type;
    ag_client *client;                  /* a reference */
    ag_flow *child;                     /* owned: runs in our place until it is finished */
    ag_resume_fn resume;                /* takes the result of what was asked for */
    ag_fx fx;                           /* what is wanted now */
    ag_err err;
    ag_request request;
    ag_str text;
    ag_view name;                       /* borrowed from the flow's own */
    double seconds;
    double timeout;                     /* seconds for one SEND; 0: the driver's own */
    unsigned retries;       /* made of the SEND that ag_flow_send wanted */
    ag_resume_fn sent;      /* takes what comes of it in the end */
    bool holds_lock;
    bool started;
    bool proved;            /* the request of this SEND has its proof (core/flow_dpop.h) */
    bool shown;             /* and the driver has been told of it */
    unsigned corrected;     /* why it is not the first one: of AG_DPOP_NONCE, AG_DPOP_TIME */
    ag_resume_fn proof_resume;      /* takes the SEND's result once there is a key */
    bool again;             /* SEND: the answer is there already, hand it in once more (memory ran out reading it) */
};

/* NULL: out of memory. */
ag_flow *ag_flow_new(ag_client *c, const ag_flow_type *type);
void ag_flow_free(ag_flow *f);          /* at any moment; the driver gives back a lock that it held */
/* The flow whose effect is wanted now (a child, or f itself). Starts f if it was not. */
ag_flow *ag_flow_wanting(ag_flow *f);
/* The same for a driver that begins, or begins again: a proof that may have gone out already is not used a second time. */
ag_flow *ag_flow_wanting_anew(ag_flow *f);
/* Hands in the result of the wanted effect. */
void ag_flow_step(ag_flow *f, const ag_input *in);

/* For the flows themselves. */
void ag_flow_want(ag_flow *f, ag_fx fx, ag_resume_fn resume);
void ag_flow_sleep(ag_flow *f, double seconds, ag_resume_fn resume);
void ag_flow_done(ag_flow *f);
void ag_flow_fail(ag_flow *f);          /* f->err is set */
void ag_flow_fail_with(ag_flow *f, const ag_err *e);
void ag_flow_call(ag_flow *f, ag_flow *child, ag_resume_fn resume);     /* child NULL: out of memory */

/* Flows that are parts of others. */
ag_flow *ag_discovery_flow(ag_client *c);               /* metadata are there afterwards */
/* Takes the lock (bounded by the client's lock_timeout). refused and usable_ends: stop waiting as soon as somebody
 * else has brought a usable token; then holds_lock stays false. On success the parent holds the lock. */
ag_flow *ag_lock_flow(ag_client *c, ag_flow *parent, bool usable_ends, ag_view refused);
/* Wants f->request sent, and again while the failure may pass by itself and the client's options and the caller's time
 * allow it. For requests that may arrive twice. */
void ag_flow_send(ag_flow *f, ag_resume_fn resume);
/* The token endpoint has refused with a Retry-After: note it. Has it asked not to be asked yet (f->err)? Nobody sends then,
 * however often the program calls. */
void ag_flow_note_rest(ag_flow *f, const ag_err *why);
bool ag_flow_must_rest(ag_flow *f);
void ag_flow_unlock(ag_flow *f, ag_resume_fn resume);   /* wants UNLOCK, or resumes at once when the lock is not held */
/* Give back the lock, if it is held, and finish the flow. */
void ag_flow_end_well(ag_flow *f);
void ag_flow_give_up(ag_flow *f, const ag_err *e);
/* Decodes a LOAD's result and adopts it; nothing stored counts as an empty record. False: f->err. */
bool ag_flow_adopt(ag_flow *f, const ag_input *in);

/* Wants the stored session gone: DELETE, or STORE of what must outlive it (keys). False: out of memory, f->err. */
bool ag_flow_want_ended(ag_flow *f, ag_resume_fn resume);
/* After a successful ag_flow_want_ended: adopts the end. */
void ag_flow_adopt_end(ag_flow *f, ag_reason reason);
/* Wants r stored with the next generation number. False: f->err. */
bool ag_flow_want_stored(ag_flow *f, ag_record *r, ag_resume_fn resume);

/* Whole flows; NULL: out of memory, unless said otherwise. */
ag_flow *ag_open_flow(ag_client *c);                    /* configure: learn what is stored */
/* refused not there: only if needed. demanded: the program wants another token, no server has refused this one. */
ag_flow *ag_refresh_flow(ag_client *c, ag_view refused, bool demanded);
/* The same for a machine, whose tokens come from its own credentials; ag_refresh_flow makes it. */
ag_flow *ag_machine_flow(ag_client *c, ag_view refused, bool demanded);
/* logout (revoke), clear_session_state (not). only: the access token of the session that is meant; not there: any. */
ag_flow *ag_end_flow(ag_client *c, bool revoke, bool force, ag_view only);

#endif
