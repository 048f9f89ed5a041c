/* authgear: the Authgear SDK for Lua inside a C or C++ program (libauthgear.a, made by `make static`). How to use it
 * stands in docs/embedding.md. Must never need another header, so that a host's own lua.h is the one that counts. */
#ifndef AUTHGEAR_H
#define AUTHGEAR_H

#ifdef __cplusplus
extern "C" {
#endif

struct lua_State;

/* Makes `require "authgear"` (and each of its modules) work in this state without a module path and without dynamic
 * loading: an entry in package.preload for each module. Nothing is loaded or compiled before it is required.
 *
 * Call it once per state, after the package library was opened (luaL_openlibs). An entry that is there already stays, so
 * a host may put a module of its own in the place of one of ours first, and calling it again does nothing.
 * The stack is left as it was. Raises nothing but Lua's memory error; to be safe from that too, call it protected: it is a
 * lua_CFunction without arguments and without results. Returns 0. */
int authgear_preload(struct lua_State *L);

#ifdef __cplusplus
}
#endif

#endif
