# install: puts the modules and the Lua files where one Lua looks for them.
# Must never build for another Lua than the one asked for.

DESTDIR ?=
PREFIX ?= /usr/local
# LuaJIT looks where Lua 5.1 does.
LUA_ABI := $(if $(filter jit,$(LUA)),5.1,$(LUA))
LUA_LMOD ?= $(PREFIX)/share/lua/$(LUA_ABI)
LUA_CMOD ?= $(PREFIX)/lib/lua/$(LUA_ABI)
# The command-line tool, and what runs it.
BINDIR ?= $(PREFIX)/bin
LUA_COMMAND ?= $(if $(filter jit,$(LUA)),luajit,lua$(LUA))

.PHONY: install rock rock-install
install: lua-$(LUA)
	@scripts/install-files '$(BUILD)/$(LUA)' '$(DESTDIR)' '$(LUA_LMOD)' '$(LUA_CMOD)' '$(BINDIR)' '$(LUA_COMMAND)'

# For programs that link everything in. Their Lua is theirs: pkg-config names libauthgear's other libraries only.
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
STATIC_NAME := authgear-$(if $(filter jit,$(LUA)),luajit,lua$(LUA))
STATIC_PACKAGES := $(foreach p,libcurl libcrypto libcjson,$(if $(filter $(p).a,$(notdir $(STATIC_WITH))),,$(p)))

.PHONY: install-static
install-static: static
	@scripts/install-static '$(BUILD)/$(LUA)/libauthgear.a' '$(STATIC_NAME)' '$(DESTDIR)' '$(PREFIX)' '$(LIBDIR)' \
	    '$(INCLUDEDIR)' '$(STATIC_PACKAGES)' '$(STATIC_LIBS)'

# For LuaRocks, which gives the headers and the directories and not the version.
header_says = $(shell sed -n 's/^\#define[ \t]*LUA_VERSION_NUM[ \t]*50\([1-4]\).*/5.\1/p' '$(LUA_INCDIR)/lua.h')
rock_lua = $(if $(wildcard $(LUA_INCDIR)/luajit.h),jit,$(header_says))

rock:
	+@$(MAKE) --no-print-directory LUA=$(rock_lua) lua-$(rock_lua)

rock-install:
	@scripts/install-files '$(BUILD)/$(rock_lua)' '' '$(LUA_LMOD)' '$(LUA_CMOD)'
