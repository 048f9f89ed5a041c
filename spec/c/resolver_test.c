/* resolver_test: the resolver's request and answer, and what an incoming request shows, with bytes and each allocation failing.
 * The hostile cases are in spec/resolve_spec.lua. */
#include "core/bearer.h"
#include "core/resolver.h"
#include "tap.h"

#define VALID "X-Authgear-Session-Valid: true\r\n"
#define USER "X-Authgear-User-Id: user-1\r\n"

static const char whole[] = VALID USER "X-Authgear-User-Anonymous: false\r\nX-Authgear-User-Verified: true\r\n"
    "x-authgear-user-roles: a,bc\r\nX-Authgear-Session-Amr: pwd\r\nX-Authgear-Session-Authenticated-At: 1795460398\r\n"
    "Date: today\r\nX-Authgear-User-Something-New: 1\r\n";

static void answers(void)
{
    ag_resolved r;
    ag_err e;
    OK(ag_resolver_read(&tap_alloc, ag_view_of(whole), &r, &e), "a whole answer");
    OK(tap_view_is(r.claims.sub, "user-1") && r.claims.roles.n == 2 && ag_texts_have(&r.claims.roles, AG_LIT("bc"))
       && !ag_texts_have(&r.claims.roles, AG_LIT("a,bc")), "its user and roles");
    OK(r.claims.auth_time == 1795460398 && r.claims.is_anonymous == AG_FLAG_FALSE && r.claims.is_verified == AG_FLAG_TRUE
       && r.claims.can_reauthenticate == AG_FLAG_ABSENT && r.claims.exp == AG_TIME_ABSENT, "its flags and times");
    ag_resolved_free(&tap_alloc, &r);
    OK(ag_resolver_read(&tap_alloc, AG_LIT(VALID USER), &r, &e), "the least that lets in");
    ag_resolved_free(&tap_alloc, &r);
    OK(!ag_resolver_read(&tap_alloc, AG_LIT(USER), &r, &e) && e.code == AG_E_INVALID_TOKEN && strcmp(e.reason, "session") == 0,
       "no session");
    OK(!ag_resolver_read(&tap_alloc, AG_LIT(""), &r, &e) && e.code == AG_E_INVALID_TOKEN, "nothing at all");
    OK(!ag_resolver_read(&tap_alloc, AG_LIT(VALID), &r, &e) && e.code == AG_E_INVALID_RESPONSE, "a session without a user");
    OK(!ag_resolver_read(&tap_alloc, AG_LIT(VALID VALID USER), &r, &e) && e.code == AG_E_INVALID_RESPONSE, "valid twice");
    OK(!ag_resolver_read(&tap_alloc, AG_LIT("X-Authgear-Session-Valid : true\r\n" USER), &r, &e)
       && e.code == AG_E_INVALID_TOKEN, "a space before the colon");
    OK(!ag_resolver_read(&tap_alloc, AG_LIT("Date: x\r\n X-Authgear-Session-Valid: true\r\n" USER), &r, &e)
       && e.code == AG_E_INVALID_TOKEN, "a folded line");
}

static void copies(void)
{
    ag_buf b;
    ag_resolved r;
    ag_err e;
    ag_buf_init(&b, &tap_alloc, AG_BUF_NO_LIMIT);
    ag_resolver_copy(&b, ag_view_of(whole));
    OK(!b.bad && ag_resolver_read(&tap_alloc, (ag_view){ b.p, b.n }, &r, &e) && r.claims.roles.n == 2, "a copy reads as well");
    ag_resolved_free(&tap_alloc, &r);
    ag_buf_char(&b, '\0');
    OK(!b.bad && strstr(b.p, "Date") == NULL && strstr(b.p, "New") == NULL, "and has nothing else");
    ag_buf_free(&b);
}

static void requests(void)
{
    ag_resolver_query q = { { NULL, 0 }, { NULL, 0 }, AG_LIT("token"), { NULL, 0 } };
    ag_request r;
    ag_err e;
    memset(&r, 0, sizeof r);
    OK(ag_resolver_request(&tap_alloc, AG_LIT("https://a.test"), false, &q, &r, &e)
       && tap_str_is(&r.url, "https://a.test/_resolver/resolve") && tap_str_is(&r.headers, "Authorization: Bearer token\r\n")
       && strcmp(r.method, "GET") == 0 && r.secret, "a token at the endpoint");
    q = (ag_resolver_query){ AG_LIT("http://[::1]:9/r"), AG_LIT("a.test"), { NULL, 0 }, AG_LIT("session=x") };
    OK(ag_resolver_request(&tap_alloc, AG_LIT("https://a.test"), false, &q, &r, &e)
       && tap_str_is(&r.url, "http://[::1]:9/r") && tap_str_is(&r.headers, "Host: a.test\r\nCookie: session=x\r\n"),
       "a cookie elsewhere");
    q.url = AG_LIT("http://b.test/r");
    OK(!ag_resolver_request(&tap_alloc, AG_LIT("https://a.test"), false, &q, &r, &e) && e.code == AG_E_INSECURE_URL, "without TLS");
    OK(ag_resolver_request(&tap_alloc, AG_LIT("https://a.test"), true, &q, &r, &e), "which can be allowed");
    q.cookie = AG_LIT("session=x\r\nX: y");
    OK(!ag_resolver_request(&tap_alloc, AG_LIT("https://a.test"), true, &q, &r, &e) && e.code == AG_E_INVALID_ARGUMENT
       && strstr(e.message, "session=") == NULL, "a line break");
    q.cookie = (ag_view){ NULL, 0 };
    OK(!ag_resolver_request(&tap_alloc, AG_LIT("https://a.test"), true, &q, &r, &e) && e.code == AG_E_INVALID_ARGUMENT,
       "about nothing");
    ag_request_free(&tap_alloc, &r);
}

static tap_outcome reading(const ag_alloc *a)
{
    ag_resolved r;
    ag_err e;
    bool ok = ag_resolver_read(a, ag_view_of(whole), &r, &e);
    ag_resolved_free(a, &r);
    return tap_outcome_of(ok, &e);
}

static tap_outcome asking(const ag_alloc *a)
{
    const ag_resolver_query q = { { NULL, 0 }, AG_LIT("a.test"), AG_LIT("CANARY-token"), AG_LIT("session=CANARY-x") };
    ag_request r;
    ag_err e;
    bool ok;
    memset(&r, 0, sizeof r);
    ok = ag_resolver_request(a, AG_LIT("https://a.test"), false, &q, &r, &e);
    ag_request_free(a, &r);
    return tap_outcome_of(ok, &e);
}

static void shown(void)
{
    ag_view v = { NULL, 0 };
    char *p = tap_exact("Bearer", 6);
    OK(ag_bearer_read((ag_view){ p, 6 }, &v) == AG_SHOWN_BAD, "a scheme and no more");
    free(p);
    OK(ag_bearer_read((ag_view){ NULL, 0 }, &v) == AG_SHOWN_NONE, "no header");
    OK(ag_bearer_read(AG_LIT("bEARER  a.b="), &v) == AG_SHOWN_GOOD && tap_view_is(v, "a.b="), "a token");
    p = tap_exact("s", 1);
    OK(ag_cookie_read((ag_view){ p, 1 }, AG_LIT("s"), &v) == AG_SHOWN_NONE, "a name and no more");
    free(p);
    p = tap_exact("a=b; s=", 7);
    OK(ag_cookie_read((ag_view){ p, 7 }, AG_LIT("s"), &v) == AG_SHOWN_BAD, "an empty cookie");
    free(p);
    OK(ag_cookie_read(AG_LIT("a=b;  s=x=y ; s2=z"), AG_LIT("s"), &v) == AG_SHOWN_BAD, "a space behind");
    OK(ag_cookie_read(AG_LIT("a=b;  s=x=y; s2=z"), AG_LIT("s"), &v) == AG_SHOWN_GOOD && tap_view_is(v, "x=y"), "a cookie");
    OK(ag_cookie_read((ag_view){ NULL, 0 }, AG_LIT("s"), &v) == AG_SHOWN_NONE, "no cookies");
}

int main(void)
{
    answers();
    copies();
    requests();
    shown();
    tap_canary = "CANARY-";
    tap_each_alloc("reading an answer", reading, 1);
    tap_each_alloc("asking", asking, 4);
    OK(tap_live == 0, "nothing is held");
    return tap_end();
}
