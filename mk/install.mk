# install: puts the modules and the Lua files where one Lua looks for them.
# Must never build for another Lua than the one asked for.

DESTDIR ?=
PREFIX ?= /usr/local
# LuaJIT looks where Lua 5.1 does.
LUA_ABI := $(if $(filter jit,$(LUA)),5.1,$(LUA))
LUA_LMOD ?= $(PREFIX)/share/lua/$(LUA_ABI)
LUA_CMOD ?= $(PREFIX)/lib/lua/$(LUA_ABI)

.PHONY: install
install: lua-$(LUA)
	@scripts/install-files '$(BUILD)/$(LUA)' '$(DESTDIR)$(LUA_LMOD)' '$(DESTDIR)$(LUA_CMOD)'
