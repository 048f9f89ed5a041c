/* authz_test: the authorization URL as bytes, and callbacks, each defect beside its good twin. */
#include "core/authz.h"
#include "tap.h"

#define STATE "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"

static bool sevens(void *ud, void *out, size_t n)
{
    (void)ud;
    memset(out, 7, n);
    return true;
}

static bool no_luck(void *ud, void *out, size_t n)
{
    (void)ud;
    (void)out;
    (void)n;
    return false;
}

static ag_env env_of(const ag_alloc *a, ag_random_fn random)
{
    ag_env env;
    memset(&env, 0, sizeof env);
    env.alloc = *a;
    env.random = random;
    return env;
}

static char issuer[] = "https://x.example", endpoint[] = "https://x.example/authorize";

static ag_metadata metadata(bool iss)
{
    ag_metadata m;
    memset(&m, 0, sizeof m);
    m.issuer = (ag_str){ issuer, sizeof issuer - 1 };
    m.authorization_endpoint = (ag_str){ endpoint, sizeof endpoint - 1 };
    m.iss_in_callback = iss;
    return m;
}

static tap_outcome url_for(const ag_alloc *a, const ag_authz_options *o, const char *want)
{
    const ag_env env = env_of(a, sevens);
    const ag_metadata m = metadata(false);
    ag_err e;
    ag_str url = { NULL, 0 };
    ag_login *l;
    tap_outcome got;
    ag_err_clear(&e);
    l = ag_login_new(&env, o->kind, o->redirect_uri, &e);
    if (l == NULL)
        return tap_outcome_of(false, &e);
    got = tap_outcome_of(ag_authz_url(a, &m, AG_LIT("app"), AG_LIT("openid offline_access"), o, l, &url, &e), &e);
    if (got == TAP_DONE && !tap_str_is(&url, want)) {
        printf("# %s\n", url.p);
        got = TAP_WRONG;
    }
    ag_str_free(a, &url);
    ag_login_free(a, l);
    return got;
}

#define START "https://x.example/authorize?response_type=code&client_id=app&redirect_uri="
#define MIDDLE "&scope=openid%20offline_access&code_challenge_method=S256&code_challenge=" \
    "3Ev4DHdHPRMPoN6GukAY_pi7IUAF5qWJHRK6kURvnoE&state=" STATE "&nonce=" STATE

static ag_authz_options options(ag_authz_kind kind, const char *redirect_uri)
{
    ag_authz_options o;
    memset(&o, 0, sizeof o);
    o.kind = kind;
    o.redirect_uri = ag_view_of(redirect_uri);
    o.max_age_s = AG_ANY_AGE;
    return o;
}

static tap_outcome plain(const ag_alloc *a)
{
    const ag_authz_options o = options(AG_AUTHZ_LOGIN, "http://127.0.0.1:8989/callback");
    return url_for(a, &o, START "http%3A%2F%2F127.0.0.1%3A8989%2Fcallback" MIDDLE
                   "&x_sso_enabled=false&x_suppress_idp_session_cookie=true");
}

static tap_outcome everything(const ag_alloc *a)
{
    ag_authz_options o = options(AG_AUTHZ_LOGIN, "com.example.app://cb");
    static const char *const values[AG_PARAM_COUNT] = {
        "my&state", "login", "hint", "a.b.c", "fr en", "dark", "signup", "google", "group", "act", "q=1", "jkt"
    };
    int i;
    for (i = 0; i < AG_PARAM_COUNT; i++)
        o.params[i] = ag_view_of(values[i]);
    o.max_age_s = 0;
    o.sso_enabled = true;
    return url_for(a, &o, START "com.example.app%3A%2F%2Fcb" MIDDLE "&x_state=my%26state&prompt=login&login_hint=hint"
                   "&id_token_hint=a.b.c&ui_locales=fr%20en&x_color_scheme=dark&x_page=signup&x_oauth_provider_alias=google"
                   "&x_authentication_flow_group=group&x_settings_action=act&x_settings_action_query=q%3D1&dpop_jkt=jkt"
                   "&max_age=0&x_sso_enabled=true");
}

/* Each kind's response type; those that bring nothing back have nothing that would be checked then. */
static void kinds(void)
{
    static const struct {
        ag_authz_kind kind;
        const char *type;
    } rows[] = {
        { AG_AUTHZ_LOGIN, "?response_type=code&" }, { AG_AUTHZ_PROMOTION, "?response_type=code&" },
        { AG_AUTHZ_REAUTHENTICATION, "?response_type=code&" },
        { AG_AUTHZ_SETTINGS, "?response_type=urn%3Aauthgear%3Aparams%3Aoauth%3Aresponse-type%3Asettings-action&" },
        { AG_AUTHZ_PAGE, "?response_type=none&" },
        { AG_AUTHZ_PRE_AUTHENTICATED,
          "?response_type=urn%3Aauthgear%3Aparams%3Aoauth%3Aresponse-type%3Apre-authenticated-url%20token&" },
    };
    const ag_env env = env_of(&tap_alloc, sevens);
    const ag_metadata m = metadata(false);
    size_t i;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const ag_authz_options o = options(rows[i].kind, "https://x.example/page");
        const bool comes_back = rows[i].kind < AG_AUTHZ_PAGE;
        ag_str url = { NULL, 0 };
        ag_err e;
        ag_login *l = comes_back ? ag_login_new(&env, o.kind, o.redirect_uri, &e) : NULL;
        OK(ag_authz_url(&tap_alloc, &m, AG_LIT("app"), AG_LIT("openid"), &o, l, &url, &e)
           && strstr(url.p, rows[i].type) != NULL && (strstr(url.p, "&code_challenge=") != NULL) == comes_back
           && (strstr(url.p, "&state=") != NULL) == comes_back && (strstr(url.p, "&nonce=") != NULL) == comes_back,
           tap_name("kind", rows[i].type));
        ag_str_free(&tap_alloc, &url);
        if (l != NULL)
            ag_login_free(&tap_alloc, l);
    }
}

static void keeps_logins(void)
{
    ag_env env = env_of(&tap_alloc, sevens);
    ag_login *list = NULL, *l;
    ag_err e;
    int i;
    for (i = 0; i < 40; i++)
        ag_logins_add(&env, &list, ag_login_new(&env, AG_AUTHZ_SETTINGS, AG_LIT("a:b"), &e));
    for (i = 0, l = list; l != NULL; l = l->next)
        i++;
    OK(i == 16, "of too many the newest are kept");
    OK(ag_logins_take(&list, AG_LIT(STATE), AG_AUTHZ_LOGIN) == NULL, "not one of another kind");
    OK(ag_logins_take(&list, AG_LIT("x"), AG_AUTHZ_SETTINGS) == NULL, "not one of another state");
    l = ag_logins_take(&list, AG_LIT(STATE), AG_AUTHZ_SETTINGS);
    OK(l != NULL && l->kind == AG_AUTHZ_SETTINGS, "one of this kind");
    if (l != NULL)
        ag_login_free(&tap_alloc, l);
    env.boot_ms = 60 * 60 * 1000;
    ag_logins_add(&env, &list, ag_login_new(&env, AG_AUTHZ_LOGIN, AG_LIT("a:b"), &e));
    OK(list != NULL && list->next == NULL, "those of long ago are dropped");
    l = ag_logins_take(&list, AG_LIT(STATE), AG_AUTHZ_KINDS);
    OK(l != NULL && list == NULL, "one of any kind");
    if (l != NULL)
        ag_login_free(&tap_alloc, l);
}

static const struct {
    const char *url;
    bool iss;               /* does the metadata announce it? */
    ag_err_code want;
} callbacks[] = {
    { "http://127.0.0.1:1/cb?code=c&state=" STATE, false, AG_E_NONE },
    { "http://127.0.0.1:1/cb?state=" STATE "&code=c&x=1&x=2", false, AG_E_NONE },
    { "http://127.0.0.1:1/cb?code=c&state=" STATE "#_=_", false, AG_E_NONE },
    { "http://127.0.0.1:1/cb?code=c&iss=https%3A%2F%2Fx.example&state=" STATE, false, AG_E_NONE },
    { "http://127.0.0.1:1/cb?code=c&iss=https%3A%2F%2Fx.example&state=" STATE, true, AG_E_NONE },
    { "http://127.0.0.1:1/cb?code=c&state=" STATE, true, AG_E_ISSUER_MISMATCH },
    { "http://127.0.0.1:1/cb?code=c&iss=https%3A%2F%2Fy.example&state=" STATE, false, AG_E_ISSUER_MISMATCH },
    { "http://127.0.0.1:1/cb?code=c&iss=https%3A%2F%2Fx.example%2F&state=" STATE, false, AG_E_ISSUER_MISMATCH },
    { "http://127.0.0.1:1/cb?code=c&iss=&state=" STATE, false, AG_E_ISSUER_MISMATCH },
    { "http://127.0.0.1:1/cb?code=c&state=BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwd", false, AG_E_STATE_MISMATCH },
    { "http://127.0.0.1:1/cb?code=c&state=BwcHB", false, AG_E_STATE_MISMATCH },
    { "http://127.0.0.1:1/cb?code=c&state=", false, AG_E_STATE_MISMATCH },
    { "http://127.0.0.1:1/cb?code=c", false, AG_E_CALLBACK },
    { "http://127.0.0.1:1/cb?code=c&state=" STATE "&state=" STATE, false, AG_E_CALLBACK },
    { "http://127.0.0.1:1/cb?code=c&code=d&state=" STATE, false, AG_E_CALLBACK },
    { "http://127.0.0.1:1/cb?state=" STATE, false, AG_E_CALLBACK },
    { "http://127.0.0.1:1/cb?code=&state=" STATE, false, AG_E_CALLBACK },
    { "http://127.0.0.1:1/cb?code=%00&state=" STATE, false, AG_E_CALLBACK },
    { "http://127.0.0.1:1/cb?code=%zz&state=" STATE, false, AG_E_CALLBACK },
    { "http://127.0.0.1:2/cb?code=c&state=" STATE, false, AG_E_CALLBACK },
    { "http://127.0.0.1:1/cb/?code=c&state=" STATE, false, AG_E_CALLBACK },
    { "https://127.0.0.1:1/cb?code=c&state=" STATE, false, AG_E_CALLBACK },
    { "http://127.0.0.1:1/cb#code=c&state=" STATE, false, AG_E_CALLBACK },
    { "http://127.0.0.1:1/cb", false, AG_E_CALLBACK },
    { "", false, AG_E_CALLBACK },
    { "http://127.0.0.1:1/cb?error=access_denied&error_description=no%20way&state=" STATE, false, AG_E_OAUTH },
    { "http://127.0.0.1:1/cb?error=access_denied&code=c&state=" STATE, false, AG_E_OAUTH },
    { "http://127.0.0.1:1/cb?error=access_denied&state=other", false, AG_E_STATE_MISMATCH },
    { "http://127.0.0.1:1/cb?error=access_denied&error=x&state=" STATE, false, AG_E_CALLBACK },
};

static void reads_callbacks(void)
{
    const ag_env env = env_of(&tap_alloc, sevens);
    ag_err e;
    ag_login *l = ag_login_new(&env, AG_AUTHZ_LOGIN, AG_LIT("http://127.0.0.1:1/cb"), &e);
    size_t i;
    for (i = 0; i < sizeof callbacks / sizeof callbacks[0]; i++) {
        const ag_metadata m = metadata(callbacks[i].iss);
        size_t n = strlen(callbacks[i].url);
        char *exact = tap_exact(callbacks[i].url, n);
        ag_str code = { NULL, 0 };
        bool ok;
        ag_err_clear(&e);
        ok = ag_callback_read(&tap_alloc, &m, l, (ag_view){ exact, n }, &code, &e);
        OK(ok == (callbacks[i].want == AG_E_NONE) && e.code == callbacks[i].want && (!ok || tap_str_is(&code, "c")),
           tap_name("callback", callbacks[i].url));
        if (callbacks[i].want == AG_E_OAUTH)
            OK(strcmp(e.oauth_error, "access_denied") == 0, tap_name("its error", callbacks[i].url));
        ag_str_free(&tap_alloc, &code);
        free(exact);
    }
    ag_login_free(&tap_alloc, l);
}

static tap_outcome reads(const ag_alloc *a)
{
    const ag_env env = env_of(a, sevens);
    const ag_metadata m = metadata(true);
    ag_str code = { NULL, 0 };
    ag_err e;
    ag_login *l;
    tap_outcome got;
    ag_err_clear(&e);
    l = ag_login_new(&env, AG_AUTHZ_LOGIN, AG_LIT("http://127.0.0.1:1/cb"), &e);
    if (l == NULL)
        return tap_outcome_of(false, &e);
    got = tap_outcome_of(ag_callback_read(a, &m, l, AG_LIT("http://127.0.0.1:1/cb?code=c&iss=https%3A%2F%2Fx.example&state=" STATE),
                                          &code, &e), &e);
    ag_str_free(a, &code);
    ag_login_free(a, l);
    return got;
}

static void redirect_uris(void)
{
    static const struct {
        const char *uri;
        bool good;
    } uris[] = {
        { "http://127.0.0.1:8989/callback", true }, { "http://[::1]:8989/callback", true }, { "com.example.app://callback", true },
        { "com.example.app:/callback", true }, { "https://example.com/cb?x=1", true },
        { "callback", false }, { "/callback", false }, { ":x", false }, { "http://a/b#c", false }, { "http://a/ b", false },
        { "http://a/\xC3\xBC", false }, { "http://a/\r\nX: y", false }, { "", false },
    };
    const ag_env env = env_of(&tap_alloc, sevens);
    const ag_metadata m = metadata(false);
    size_t i;
    for (i = 0; i < sizeof uris / sizeof uris[0]; i++) {
        const ag_authz_options o = options(AG_AUTHZ_LOGIN, uris[i].uri);
        ag_err e;
        ag_str url = { NULL, 0 };
        ag_login *l = ag_login_new(&env, AG_AUTHZ_LOGIN, ag_view_of(uris[i].uri), &e);
        ag_err_clear(&e);
        OK(ag_authz_url(&tap_alloc, &m, AG_LIT("app"), AG_LIT("openid"), &o, l, &url, &e) == uris[i].good
           && (uris[i].good || e.code == AG_E_INVALID_URL), tap_name("redirect URI", uris[i].uri));
        ag_str_free(&tap_alloc, &url);
        ag_login_free(&tap_alloc, l);
    }
}

static void needs_randomness(void)
{
    const ag_env env = env_of(&tap_alloc, no_luck);
    ag_err e;
    OK(ag_login_new(&env, AG_AUTHZ_LOGIN, AG_LIT("http://127.0.0.1:1/cb"), &e) == NULL && e.code == AG_E_RANDOM, "no random bytes: no login");
}

int main(void)
{
    tap_each_alloc("the plain URL", plain, 3);
    tap_each_alloc("the URL with everything", everything, 3);
    tap_each_alloc("a callback", reads, 3);
    kinds();
    keeps_logins();
    reads_callbacks();
    redirect_uris();
    needs_randomness();
    OK(tap_live == 0, "nothing is held at the end");
    return tap_end();
}
