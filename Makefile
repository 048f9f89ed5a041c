# Authgear SDK for Lua. `make help` lists the targets.
#
# This file says what can be asked for; how it is compiled stands in mk/.
# Must never fetch anything from the network by itself: scripts/install-deps does,
# and says so first.

LUA ?= 5.4
BUILD ?= build
VERSIONS := 5.1 5.2 5.3 5.4 jit

# Before anything names a target, so that a bare `make` builds.
.PHONY: all
all: lua-$(LUA)

include mk/config.mk
include mk/build.mk
include mk/install.mk

.PHONY: all-lua test-modules deps demo test bench bench-nginx lint sanitize soak clean help

all-lua: $(VERSIONS:%=lua-%)

# Everything the specs load, without running them.
test-modules: $(VERSIONS:%=test-lua-%) test-c

deps:
	scripts/install-deps build test

demo:
	scripts/install-deps demo
	+$(MAKE) --no-print-directory lua-5.4
	scripts/demo

# TESTS="spec/fetch_spec.lua ..." and TEST_LUAS="5.4 jit" narrow it down.
test:
	scripts/install-deps build test
	+$(MAKE) --no-print-directory -j$(JOBS) test-modules
	scripts/test

bench:
	scripts/install-deps build bench
	+$(MAKE) --no-print-directory all-lua
	scripts/bench

bench-nginx:
	scripts/install-deps build bench
	+$(MAKE) --no-print-directory lua-jit
	BENCH="$(wildcard bench/nginx/*.lua)" scripts/bench

lint:
	scripts/install-deps build lint
	scripts/lint

sanitize:
	scripts/install-deps build test sanitize
	scripts/sanitize

soak:
	scripts/install-deps build test
	+$(MAKE) --no-print-directory -j$(JOBS) test-modules
	AUTHGEAR_SOAK=1 scripts/test

clean:
	rm -rf $(BUILD)

help:
	@echo 'make                 the modules for Lua $(LUA), into $(BUILD)/$(LUA) (LUA=5.1|5.2|5.3|5.4|jit)'
	@echo 'make all-lua         the modules for all five Luas'
	@echo '                     (CURL_LIBS=-l:libcurl-gnutls.so.4 on either: on another libcurl, here that of GnuTLS)'
	@echo 'make static          libauthgear.a for Lua $(LUA), to link into a program (docs/embedding.md)'
	@echo 'make demo            log in, stay logged in, call a server: a story to read'
	@echo 'make test            installs what is missing, builds, runs every spec on every Lua'
	@echo 'make bench           speed and size, as ratios, in a table'
	@echo 'make bench-nginx     the same inside nginx, beside a client on cosockets and proxy_pass'
	@echo 'make lint            strict C builds, luacheck, the laws about files and includes'
	@echo 'make sanitize        the specs under ASan, UBSan and valgrind'
	@echo 'make soak            the specs at length'
	@echo 'make install         for LUA=$(LUA) below DESTDIR=$(DESTDIR) PREFIX=$(PREFIX)'
	@echo '                     (LUA_LMOD=$(LUA_LMOD), LUA_CMOD=$(LUA_CMOD), BINDIR=$(BINDIR))'
	@echo 'make install-static  libauthgear.a, authgear.h and a pkg-config file, below the same'
	@echo 'make deps            installs what building and testing need (Debian)'
	@echo 'make clean           removes $(BUILD)'
