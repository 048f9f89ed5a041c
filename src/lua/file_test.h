/* file_test: the switches of io/sys_test for Lua, as `test` in authgear.file.
 * Test builds (-DAG_TEST) only. */
#ifndef AG_LUA_FILE_TEST_H
#define AG_LUA_FILE_TEST_H

#ifdef AG_TEST
#include "io/sys_test.h"
#include "lua/compat.h"

void ag_file_test_push(lua_State *L); /* the table of functions, on the stack */
#endif

#endif
