/* authgear.terminal: the terminal for the command-line tool. Must never be loaded by anything else.
 *
 *   terminal.is_terminal(fd)        0, 1 or 2
 *   terminal.interrupt_ends(on)     true: Ctrl-C ends the process; false: as before *   terminal.fill_streams()         keeps the places of closed standard streams from being taken
 */
#include "io/terminal.h"
#include "lua/compat.h"

static int l_is_terminal(lua_State *L)
{
    lua_pushboolean(L, ag_terminal_is((int)luaL_checkinteger(L, 1)));
    return 1;
}

static int l_interrupt_ends(lua_State *L)
{
    ag_terminal_interrupt_ends(lua_toboolean(L, 1));
    return 0;
}

static int l_fill_streams(lua_State *L)
{
    (void)L;
    ag_terminal_fill_streams();
    return 0;
}

AG_EXPORT int luaopen_authgear_terminal(lua_State *L);

int luaopen_authgear_terminal(lua_State *L)
{
    static const luaL_Reg module[] = {
        { "is_terminal", l_is_terminal }, { "interrupt_ends", l_interrupt_ends }, { "fill_streams", l_fill_streams },
        { NULL, NULL }
    };
    luaL_newlib(L, module);
    return 1;
}
