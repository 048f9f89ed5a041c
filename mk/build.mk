# build: which builds there are, as targets. mk/variant.mk makes one of them for one
# Lua; here it is called for what was asked. Must know no source file.
#
#   lua-<ver>        build/<ver>/authgear/*.so        what is installed
#   test-lua-<ver>   build/test/<ver>/authgear/*.so   -DAG_TEST: faults can be switched on
#   asan-lua-<ver>   build/asan/<ver>/authgear/*.so   the same, under ASan and UBSan
#   test-c           build/test/c/*                   tests of the core without Lua

one = $(MAKE) --no-print-directory -f mk/variant.mk BUILD=$(BUILD) $(if $(LUA_INCDIR),LUA_INCDIR_$(LUA)=$(LUA_INCDIR))

.PHONY: $(VERSIONS:%=lua-%) $(VERSIONS:%=test-lua-%) $(VERSIONS:%=asan-lua-%)
.PHONY: archives-release archives-test archives-asan test-c asan-c

archives-release archives-test archives-asan: archives-%:
	+@$(one) VARIANT=$* archives

$(VERSIONS:%=lua-%): lua-%: archives-release
	+@$(one) VARIANT=release VER=$* modules

$(VERSIONS:%=test-lua-%): test-lua-%: archives-test
	+@$(one) VARIANT=test VER=$* modules

$(VERSIONS:%=asan-lua-%): asan-lua-%: archives-asan
	+@$(one) VARIANT=asan VER=$* modules

test-c: archives-test
	+@$(one) VARIANT=test c-tests

asan-c: archives-asan
	+@$(one) VARIANT=asan c-tests
