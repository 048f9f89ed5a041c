# config: compiler, flags and what differs between systems. Every value can be
# given on the command line; must never run anything slower than uname.

UNAME ?= $(shell uname -s)
JOBS ?= 2
CC ?= cc
AR ?= ar
NM ?= nm
OBJCOPY ?= objcopy

# Where headers and libraries live when the compiler does not find them itself
# (LuaRocks and Homebrew give these).
OPENSSL_INCDIR ?=
OPENSSL_LIBDIR ?=
CURL_INCDIR ?=
CURL_LIBDIR ?=
CJSON_INCDIR ?=
CJSON_LIBDIR ?=

WARNINGS := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes \
            -Wformat -Wformat-security

CFLAGS ?= -O2
# The sources need no more than this of the compiler; -O2 is the packager's to change.
AG_CFLAGS := -std=c11 -fPIC -ffunction-sections -fdata-sections $(WARNINGS) \
             -fstack-protector-strong -Isrc
AG_CPPFLAGS := $(addprefix -I,$(sort $(OPENSSL_INCDIR) $(CURL_INCDIR) $(CJSON_INCDIR)))
AG_LDFLAGS := $(addprefix -L,$(sort $(OPENSSL_LIBDIR) $(CURL_LIBDIR) $(CJSON_LIBDIR)))
FORTIFY := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2

# The core is plain C11; what talks to the system, and the binding, may know the system.
SYSTEM_CPPFLAGS := -D_GNU_SOURCE

# libauthgear.a: how objects become one object, how its names are hidden, and what a host
# links besides libcurl, libcrypto and cJSON.
# With gcc's -flto it becomes machine code here: only that can be hidden.
STATIC_LDFLAGS := -r -nostdlib -Wl,-d $(if $(findstring -flto,$(CFLAGS)),-flinker-output=nolto-rel)
STATIC_LIBS := -lm -lpthread
hide = $(OBJCOPY) --keep-global-symbol=authgear_preload $(1)

ifeq ($(UNAME),Darwin)
PLATFORM := macos
LIBFLAG ?= -bundle -undefined dynamic_lookup
MODULE_LDFLAGS := -Wl,-dead_strip -Wl,-exported_symbol,_luaopen_*
SYSTEM_CPPFLAGS :=
STATIC_LDFLAGS += -Wl,-exported_symbol,_authgear_preload
STATIC_LIBS :=
KEYRING_LIBS := -framework Security -framework CoreFoundation
hide = true
else ifneq ($(filter MINGW% MSYS% CYGWIN%,$(UNAME)),)
PLATFORM := windows
KEYRING_LIBS := -ladvapi32
LIBFLAG ?= -shared
MODULE_LDFLAGS := -Wl,--gc-sections
STATIC_LIBS := -lws2_32 -lshell32 -lole32
else
PLATFORM := linux
KEYRING_LIBS := -ldl
LIBFLAG ?= -shared
AG_CFLAGS += -fstack-clash-protection $(if $(filter x86_64 i686,$(shell uname -m)),-fcf-protection)
MODULE_LDFLAGS := -Wl,--gc-sections -Wl,--as-needed -Wl,--version-script=mk/exports.map \
                  -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack
NODELETE := -Wl,-z,nodelete
endif
