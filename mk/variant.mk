# variant: from sources to modules, for one VARIANT (release, test, asan, tsan) and one VER
# (5.1 5.2 5.3 5.4 jit). Called by mk/build.mk.
#
#   src/core/*.c, src/io/*.c   know nothing of Lua: compiled once, into two archives
#   src/lua/<module>*.c        compiled per Lua, linked into that module
#   src/lua/, all the rest     compiled per Lua, into an archive
#   src/lua/preload.c, lua/    libauthgear.a: all of it for a program to link in
#
# A module takes from the archives only what it uses; one whose source is not there
# is left out. Everything is written beside its place and then moved, so that two
# makes in one tree do not hurt each other.

BUILD ?= build
include mk/config.mk

MODULES := core file curl loopback keyring terminal
# Which libcurl: -l:libcurl-gnutls.so.4 is Debian's other one.
CURL_LIBS ?= -lcurl
LIBS := $(CURL_LIBS) -lcjson -lcrypto -lm $(if $(filter windows,$(PLATFORM)),,-lpthread)
# libcurl's detached threads outlive a dlclose.
LDFLAGS_curl := $(NODELETE)
LIBS_keyring := $(KEYRING_LIBS)

# No tables for unwinding, an eighth of the size, where nothing is ever thrown through: -fexceptions below has them for
# the binding.
FLAGS_release := $(FORTIFY) -fno-asynchronous-unwind-tables
FLAGS_test := $(FORTIFY) -DAG_TEST -g -Werror
FLAGS_asan := -DAG_TEST -g -Werror -fno-omit-frame-pointer -fsanitize=address,undefined \
              -fno-sanitize-recover=undefined
LINK_asan := -fsanitize=address,undefined
FLAGS_tsan := -DAG_TEST -g -Werror -fno-omit-frame-pointer -fsanitize=thread
LINK_tsan := -fsanitize=thread
# Made small rather than quick: of the core and its binding, all but what runs for every request, every token that is
# verified, or every start. It runs when somebody logs in or a token is renewed, and makes a fifth of the module.
SMALL_release ?= -Os
QUICK := core/alloc core/b64 core/buf core/client core/crypto core/crypto_verify core/flow core/flow_fetch core/http \
         core/json_scan core/json_scan_keys core/json_scan_text core/json_walk core/jwks core/jws core/jwt core/jwt_cache \
         core/jwt_claims core/record core/session core/url core/url_host core/utf8 \
         lua/core lua/core_claims lua/core_client lua/core_flow lua/core_json lua/core_jwt
OUT_release := $(BUILD)
OUT_test := $(BUILD)/test
OUT_asan := $(BUILD)/asan
OUT_tsan := $(BUILD)/tsan

OBJ := $(BUILD)/obj/$(VARIANT)
OUT := $(OUT_$(VARIANT))

# Headers of the Lua asked for; LUA_INCDIR_<ver> may be given.
find_incdir = $(firstword $(patsubst %/lua.h,%,$(wildcard $(addsuffix /lua.h,$(1)))))
roots := /usr/include /usr/local/include /opt/homebrew/include
LUA_INCDIR_jit ?= $(call find_incdir,$(roots:%=%/luajit-2.1))
LUA_INCDIR_$(VER) ?= $(call find_incdir,$(roots:%=%/lua$(VER)) $(roots:%=%/lua-$(VER)) $(if $(filter 5.4,$(VER)),$(roots)))
INCDIR := $(LUA_INCDIR_$(VER))

CORE_SRC := $(sort $(wildcard src/core/*.c))
IO_SRC := $(sort $(filter-out src/io/platform_%,$(wildcard src/io/*.c)) $(wildcard src/io/platform_$(PLATFORM)*.c) \
    $(if $(filter linux macos,$(PLATFORM)),$(wildcard src/io/platform_posix.c)))
LUA_SRC := $(sort $(wildcard src/lua/*.c))
PRESENT := $(foreach m,$(MODULES),$(if $(wildcard src/lua/$(m).c),$(m)))
own_src = $(wildcard src/lua/$(1).c src/lua/$(1)_*.c)
PRELOAD_SRC := src/lua/preload.c
SHARED_SRC := $(filter-out $(PRELOAD_SRC) $(foreach m,$(MODULES),$(call own_src,$(m))),$(LUA_SRC))
# What a program has inside of it: no command-line tool, and nothing that loads libraries at run time.
INSIDE := $(filter-out keyring terminal,$(PRESENT))
LUA_FILES := $(shell find lua -name '*.lua' ! -path 'lua/authgear/cli/*' | LC_ALL=C sort)

objects = $(patsubst src/lua/%.c,$(OBJ)/lua/$(VER)/%.o,$(1))
CORE_A := $(OBJ)/libagcore.a
IO_A := $(OBJ)/libagio.a
LUA_A := $(OBJ)/lua/$(VER)/libaglua.a
# Under TSan only what has threads.
C_TESTS := $(patsubst spec/c/%_test.c,$(OUT)/c/%,$(sort $(wildcard spec/c/$(if $(filter tsan,$(VARIANT)),engine*,*)_test.c)))

small = $(if $(filter $(1),$(QUICK)),,$(SMALL_$(VARIANT)))
compile = $(CC) $(AG_CFLAGS) $(CFLAGS) $(FLAGS_$(VARIANT)) $(AG_CPPFLAGS) $(CPPFLAGS)
# $(begin) COMMAND $(place): COMMAND writes beside $@, which is replaced if all went well.
begin = @mkdir -p $(@D); echo '  $@';
place = -o $@.$$$$ && mv -f $@.$$$$ $@ || { rm -f $@.$$$$; exit 1; }
deps = -MMD -MP -MT $@ -MF $(@:.o=.d)
archive = $(begin) rm -f $@.$$$$; $(AR) rc $@.$$$$ $^ && mv -f $@.$$$$ $@ || { rm -f $@.$$$$; exit 1; }

.PHONY: archives modules static c-tests FORCE
.SECONDARY:

archives: $(CORE_A) $(IO_A)
modules: $(PRESENT:%=$(OUT)/$(VER)/authgear/%.so)
static: $(OUT)/$(VER)/libauthgear.a
c-tests: $(C_TESTS)

# Changes when the flags do, and everything with it.
$(OBJ)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(compile) $(SMALL_$(VARIANT)) $(QUICK)' > $@.$$$$; cmp -s $@.$$$$ $@ && rm -f $@.$$$$ || mv -f $@.$$$$ $@

$(OBJ)/core/%.o: src/core/%.c $(OBJ)/flags
	$(begin) $(compile) $(call small,core/$*) -fvisibility=hidden $(deps) -c $< $(place)

$(OBJ)/io/%.o: src/io/%.c $(OBJ)/flags
	$(begin) $(compile) $(SYSTEM_CPPFLAGS) -fvisibility=hidden $(deps) -c $< $(place)

# -fexceptions: a Lua that was compiled as C++ raises errors through our functions.
$(OBJ)/lua/$(VER)/%.o: src/lua/%.c $(OBJ)/flags | have-lua
	$(begin) $(compile) $(if $(filter core%,$*),$(call small,lua/$*)) $(SYSTEM_CPPFLAGS) -fexceptions -I$(INCDIR) $(deps) -c $< $(place)

# $^ without the stale: an archive of just these objects.
$(CORE_A): $(CORE_SRC:src/%.c=$(OBJ)/%.o)
	$(archive)
$(IO_A): $(IO_SRC:src/%.c=$(OBJ)/%.o)
	$(archive)
$(LUA_A): $(call objects,$(SHARED_SRC))
	$(archive)

define module_rule
$(OUT)/$(VER)/authgear/$(1).so: $(call objects,$(call own_src,$(1))) $(LUA_A) $(IO_A) $(CORE_A) mk/exports.map
	$$(begin) $(CC) $(LIBFLAG) $(CFLAGS) $(LINK_$(VARIANT)) $(MODULE_LDFLAGS) $(LDFLAGS_$(1)) $(AG_LDFLAGS) \
	    $(LDFLAGS) $$(filter %.o %.a,$$^) $(LIBS) $(LIBS_$(1)) $$(place)
endef
$(foreach m,$(PRESENT),$(eval $(call module_rule,$(m))))

# Everything as one object, of whose names the host's linker sees authgear_preload alone.
# STATIC_WITH: archives to take in as well, out of sight of the host's own copies.
$(OBJ)/embedded.list: FORCE
	@mkdir -p $(@D)
	@echo '$(INSIDE) $(LUA_FILES)' > $@.$$$$; cmp -s $@.$$$$ $@ && rm -f $@.$$$$ || mv -f $@.$$$$ $@

$(OBJ)/embedded.c: scripts/embed $(OBJ)/embedded.list $(LUA_FILES)
	$(begin) scripts/embed '$(INSIDE)' $(LUA_FILES) > $@.$$$$ && mv -f $@.$$$$ $@ || { rm -f $@.$$$$; exit 1; }

$(OBJ)/embedded.o: $(OBJ)/embedded.c $(OBJ)/flags
	$(begin) $(compile) -fvisibility=hidden $(deps) -c $< $(place)

$(OBJ)/static.flags: FORCE
	@mkdir -p $(@D)
	@echo '$(STATIC_LDFLAGS) $(STATIC_WITH)' > $@.$$$$; cmp -s $@.$$$$ $@ && rm -f $@.$$$$ || mv -f $@.$$$$ $@

$(OBJ)/lua/$(VER)/authgear.o: $(call objects,$(PRELOAD_SRC) $(foreach m,$(INSIDE),$(call own_src,$(m)))) $(OBJ)/embedded.o \
    $(LUA_A) $(IO_A) $(CORE_A) $(STATIC_WITH) $(OBJ)/static.flags
	$(begin) $(CC) $(CFLAGS) $(STATIC_LDFLAGS) $(filter %.o %.a,$^) -o $@.$$$$ && $(call hide,$@.$$$$) && \
	    mv -f $@.$$$$ $@ || { rm -f $@.$$$$; exit 1; }

$(OUT)/$(VER)/libauthgear.a: $(OBJ)/lua/$(VER)/authgear.o
	$(archive)

# -Wno-comment: a pattern like src/core/*.c may stand in a comment there.
$(OUT)/c/%: spec/c/%_test.c $(IO_A) $(CORE_A) $(OBJ)/flags
	$(begin) $(compile) $(SYSTEM_CPPFLAGS) -Wno-comment -Ispec/c $(LINK_$(VARIANT)) -MMD -MP -MT $@ -MF $(OBJ)/$*.test.d $< \
	    $(IO_A) $(CORE_A) $(AG_LDFLAGS) $(LDFLAGS) $(LIBS) -lpthread $(place)

.PHONY: have-lua
have-lua:
	@test -n '$(INCDIR)' || { echo 'No lua.h for Lua $(VER) found: run scripts/install-deps build, or give LUA_INCDIR.' >&2; exit 1; }

-include $(wildcard $(OBJ)/embedded.d $(OBJ)/core/*.d $(OBJ)/io/*.d $(OBJ)/lua/$(VER)/*.d $(OBJ)/*.test.d)
