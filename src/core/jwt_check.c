/* jwt_check: see jwt_check.h. Must hold nothing in release builds. */
#include "core/jwt_check.h"

#ifdef AG_TEST
int ag_jwt_check_off;

const char *ag_jwt_check_name(int check)
{
    static const char *const names[] = {
        "NONE",
#define AG_CHECK_NAME(name) #name,
        AG_JWT_CHECKS(AG_CHECK_NAME)
        AG_CALLER_CHECKS(AG_CHECK_NAME)
#undef AG_CHECK_NAME
    };
    return names[check];
}
#else
typedef int ag_jwt_check_unused; /* ISO C wants something in every file */
#endif
