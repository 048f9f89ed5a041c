/* preload: what the archive for embedding holds inside: the tables that scripts/embed writes at build time.
 * Must never need Lua's headers: the tables are compiled once for all Luas. */
#ifndef AG_LUA_PRELOAD_H
#define AG_LUA_PRELOAD_H

#include <stddef.h>

struct lua_State;

/* One file of lua/, as it is there. Everything is static. */
typedef struct {
    const char *name;  /* as require has it: "authgear.client" */
    const char *chunk; /* for error messages: "@authgear/client.lua" */
    const unsigned char *text;
    size_t size;
} ag_embedded_file;

typedef struct {
    const char *name; /* "authgear.core" */
    int (*open)(struct lua_State *L);
} ag_embedded_module;

extern const ag_embedded_file ag_embedded_files[];
extern const size_t ag_embedded_file_count;
extern const ag_embedded_module ag_embedded_modules[];
extern const size_t ag_embedded_module_count;

#endif
