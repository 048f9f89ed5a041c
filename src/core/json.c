/* json: see json.h. Reading: the strict scanner, then cJSON. */
#include "core/json.h"

#include <math.h>
#include <string.h>

#include "core/json_scan.h"

#ifdef AG_TEST
/* Test builds hand cJSON our own allocator, so that its allocations fail in turn as well. The hooks are global to the
 * process, which is why no release build touches them. */
static void *test_malloc(size_t n)
{
    return ag_alloc_default.fn(ag_alloc_default.ud, NULL, n == 0 ? 1 : n);
}

static void test_free(void *p)
{
    ag_free(&ag_alloc_default, p);
}

static void install_hooks(void)
{
    static bool installed;
    cJSON_Hooks hooks = { test_malloc, test_free };
    if (!installed)
        cJSON_InitHooks(&hooks);
    installed = true;
}
#else
static void install_hooks(void)
{
}
#endif

static cJSON *as_cjson(ag_json *v)
{
    return (cJSON *)v;
}

const char *ag_json_version(void)
{
    return cJSON_Version();
}

const cJSON *ag_json_raw(const ag_json *v)
{
    return (const cJSON *)v;
}

static const ag_json *as_ours(const cJSON *v)
{
    return (const ag_json *)v;
}

ag_json *ag_json_parse(const char *p, size_t n, ag_err *e)
{
    cJSON *root;
    install_hooks();
    if (!ag_json_scan(&ag_alloc_default, p, n, e))
        return NULL;
    root = cJSON_ParseWithLength(p, n);
    if (root == NULL)
        ag_fail(e, AG_E_MEMORY, "out of memory");   /* what the scanner takes, cJSON takes */
    return (ag_json *)root;
}

/* Recurses as deep as the scanner lets a text be. */
static void wipe(cJSON *v)
{
    for (; v != NULL; v = v->next) {
        if (v->valuestring != NULL)
            ag_wipe(v->valuestring, strlen(v->valuestring));
        if (v->string != NULL)
            ag_wipe(v->string, strlen(v->string));
        wipe(v->child);
    }
}

void ag_json_free(ag_json *root)
{
    if (root == NULL)
        return;
    wipe(as_cjson(root));
    cJSON_Delete(as_cjson(root));
}

bool ag_json_is_object(const ag_json *v)
{
    return cJSON_IsObject(ag_json_raw(v)) != 0;
}

bool ag_json_is_array(const ag_json *v)
{
    return cJSON_IsArray(ag_json_raw(v)) != 0;
}

const ag_json *ag_json_first(const ag_json *v)
{
    return as_ours(ag_json_raw(v)->child);
}

const ag_json *ag_json_next(const ag_json *v)
{
    return as_ours(ag_json_raw(v)->next);
}

const ag_json *ag_json_get(const ag_json *object, const char *key)
{
    if (!ag_json_is_object(object))
        return NULL;
    return as_ours(cJSON_GetObjectItemCaseSensitive(ag_json_raw(object), key));
}

/* A string of the tree: it has no NUL inside, the scanner has seen to it. */
static bool string_of(const cJSON *v, ag_view *out)
{
    *out = (ag_view){ NULL, 0 };
    if (!cJSON_IsString(v) || v->valuestring == NULL)
        return false;
    *out = ag_view_of(v->valuestring);
    return true;
}

bool ag_json_string(const ag_json *object, const char *key, ag_view *out)
{
    return string_of(ag_json_raw(ag_json_get(object, key)), out);
}

bool ag_json_number(const ag_json *object, const char *key, double *out)
{
    const cJSON *v = ag_json_raw(ag_json_get(object, key));
    if (!cJSON_IsNumber(v))
        return false;
    *out = v->valuedouble;
    return true;
}

bool ag_json_int(const ag_json *object, const char *key, int64_t *out)
{
    double d;
    if (!ag_json_number(object, key, &d) || !(fabs(d) <= 9007199254740992.0))
        return false;
    if ((double)(int64_t)d != d)
        return false;
    *out = (int64_t)d;
    return true;
}

bool ag_json_bool(const ag_json *object, const char *key, bool *out)
{
    const cJSON *v = ag_json_raw(ag_json_get(object, key));
    if (!cJSON_IsBool(v))
        return false;
    *out = cJSON_IsTrue(v) != 0;
    return true;
}

bool ag_json_has_string(const ag_json *object, const char *key, ag_view want)
{
    const cJSON *v = ag_json_raw(ag_json_get(object, key));
    ag_view have;
    bool found = false;
    if (string_of(v, &have))
        return want.p != NULL && ag_view_eq(have, want);
    if (!cJSON_IsArray(v) || want.p == NULL)
        return false;
    for (v = v->child; v != NULL; v = v->next) {
        if (!string_of(v, &have))
            return false;
        found = found || ag_view_eq(have, want);
    }
    return found;
}
