# build: which builds there are, as targets. mk/variant.mk makes one of them for one
# Lua; here it is called for what was asked. Must know no source file.
#
#   lua-<ver>        build/<ver>/authgear/*.so        what is installed
#   static-<ver>     build/<ver>/libauthgear.a        all of it, for a program to link in
#   test-lua-<ver>   build/test/<ver>/authgear/*.so   -DAG_TEST: faults can be switched on
#   asan-lua-<ver>   build/asan/<ver>/authgear/*.so   the same, under ASan and UBSan
#   tsan-lua-<ver>   build/tsan/<ver>/authgear/*.so   the same, under TSan
#   test-c           build/test/c/*                   tests of the core without Lua

one = $(MAKE) --no-print-directory -f mk/variant.mk BUILD=$(BUILD) $(if $(LUA_INCDIR),LUA_INCDIR_$(LUA)=$(LUA_INCDIR))

.PHONY: $(VERSIONS:%=lua-%) $(VERSIONS:%=test-lua-%) $(VERSIONS:%=asan-lua-%) $(VERSIONS:%=tsan-lua-%)
.PHONY: static all-static $(VERSIONS:%=static-%)
.PHONY: archives-release archives-test archives-asan archives-tsan test-c asan-c tsan-c

archives-release archives-test archives-asan archives-tsan: archives-%:
	+@$(one) VARIANT=$* archives

$(VERSIONS:%=lua-%): lua-%: archives-release
	+@$(one) VARIANT=release VER=$* modules

static: static-$(LUA)
all-static: $(VERSIONS:%=static-%)
$(VERSIONS:%=static-%): static-%: archives-release
	+@$(one) VARIANT=release VER=$* STATIC_WITH='$(STATIC_WITH)' static

$(VERSIONS:%=test-lua-%): test-lua-%: archives-test
	+@$(one) VARIANT=test VER=$* modules

$(VERSIONS:%=asan-lua-%): asan-lua-%: archives-asan
	+@$(one) VARIANT=asan VER=$* modules

$(VERSIONS:%=tsan-lua-%): tsan-lua-%: archives-tsan
	+@$(one) VARIANT=tsan VER=$* modules

test-c: archives-test
	+@$(one) VARIANT=test c-tests

asan-c: archives-asan
	+@$(one) VARIANT=asan c-tests

tsan-c: archives-tsan
	+@$(one) VARIANT=tsan c-tests
