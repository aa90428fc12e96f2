# SPDX-License-Identifier: MIT
#
# GNU make; `make help` lists the targets. Sources are found by wildcard: a new file in a program's
# folder is built without a word here. V=1 shows the commands.

VERSION := 0.1.0

# Where things go (the usual GNU variables).
PREFIX        ?= /usr/local
prefix        ?= $(PREFIX)
bindir        ?= $(prefix)/bin
sbindir       ?= $(prefix)/sbin
libdir        ?= $(prefix)/lib
libexecdir    ?= $(prefix)/libexec
includedir    ?= $(prefix)/include
datadir       ?= $(prefix)/share
mandir        ?= $(datadir)/man
pkgconfigdir  ?= $(libdir)/pkgconfig
unitdir       ?= $(prefix)/lib/systemd/system
sysusersdir   ?= $(prefix)/lib/sysusers.d
tmpfilesdir   ?= $(prefix)/lib/tmpfiles.d
udevrulesdir  ?= $(prefix)/lib/udev/rules.d
catalogdir    ?= $(prefix)/lib/systemd/catalog
presetdir     ?= $(prefix)/lib/systemd/system-preset
modulesdir    ?= $(libdir)/dspbroker/modules
bashcompdir   ?= $(datadir)/bash-completion/completions
zshcompdir    ?= $(datadir)/zsh/site-functions
docdir        ?= $(datadir)/doc/dspbroker

# Tools. CROSS=aarch64-linux-gnu- builds for another machine.
ifeq ($(origin CC),default)
CC := $(CROSS)gcc
endif
ifeq ($(origin AR),default)
AR := $(CROSS)ar
endif
PKG_CONFIG   ?= $(CROSS)pkg-config
CLANG_FORMAT ?= clang-format
INSTALL      ?= install

# All that is made lies in BUILD, with a folder inside for each other way to build: CROSS is for
# another machine, SANITIZE=1 finds memory errors at run time, FUZZ=1 is that for the fuzzer.
BUILD ?= build
ifdef CROSS
override BUILD := $(BUILD)/$(CROSS:%-=%)
endif
ARM64 := aarch64-linux-gnu
ifdef FUZZ
override BUILD := $(BUILD)/fuzz
override CC := clang
CFLAGS   ?= -O1 -g
HARDEN   := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
else ifdef SANITIZE
override BUILD := $(BUILD)/asan
CFLAGS   ?= -O1 -g
HARDEN   := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
else
CFLAGS   ?= -O2 -g
MACHINE  := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine 2>/dev/null)))
HARDEN_x86_64  := -fcf-protection
HARDEN_aarch64 := -mbranch-protection=standard
HARDEN   := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong \
            -fstack-clash-protection $(HARDEN_$(MACHINE))
NO_UNDEFINED := -Wl,-z,defs
endif

# What the broker reaches DSPs through. One that is left out is not built, and the broker may not
# make the system calls that only it needs.
TRANSPORTS ?= soft rpmsg fastrpc qda

# CFLAGS and LDFLAGS are the user's to change; what the code needs is beside them.
WERROR   ?= -Werror
WARNINGS := -Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes \
            -Wvla -Wformat=2 -Wundef -Wno-missing-field-initializers $(WERROR)
DEFINES  := -D_GNU_SOURCE -DDSP_VERSION='"$(VERSION)"' \
            -DDSP_SOFTDSP_PATH='"$(libexecdir)/dspbroker/softdsp"' \
            -DDSP_TRANSPORTS='$(foreach name,$(TRANSPORTS),TRANSPORT($(name)))' \
            -DDSP_WHO_PATH='"$(libexecdir)/dspbroker/dspbroker-who"' \
            -DDSP_MODULES_DIR='"$(modulesdir)"'
PIC      := -fPIE
COMPILE   = $(CC) -std=gnu11 -I. $(DEFINES) $(CPPFLAGS) $(WARNINGS) $(CFLAGS) $(HARDEN) $(PIC) \
            $(shell $(PKG_CONFIG) --cflags $(PACKAGES))
LINK      = $(CC) $(CFLAGS) $(HARDEN) -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed $(LDFLAGS)
# What is linked: the objects and archives among the prerequisites, then the target's PACKAGES.
INPUTS    = $(filter %.o,$^) $(filter %.a,$^) \
            $(if $(PACKAGES),$(shell $(PKG_CONFIG) --libs $(PACKAGES)))

say = $(if $(V),,@printf '  %-5s %s\n' $(1) $@; )

# Libraries, by their pkg-config names. A program names its own below.
PACKAGES := libsystemd json-c libseccomp libdrm speexdsp sndfile

# Sources. $(call objects,SOURCES) are their objects.
objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

PROTOCOL := $(wildcard protocol/*.c)
POLICY   := $(wildcard policy/*.c)
CONFINE  := $(wildcard daemon/confine/*.c)
SOURCE_soft    := $(wildcard daemon/transport/soft*.c)
SOURCE_rpmsg   := $(wildcard daemon/transport/rpmsg*.c)
# What two kernel drivers carry, and what each of them is asked.
FASTRPC        := $(wildcard daemon/transport/fastrpc/*.c)
SOURCE_fastrpc := $(FASTRPC) $(wildcard daemon/transport/fastrpc/misc/*.c)
SOURCE_qda     := $(FASTRPC) $(wildcard daemon/transport/qda/*.c)
DAEMON   := $(CONFINE) $(wildcard daemon/*.c) $(sort $(foreach name,$(TRANSPORTS),$(SOURCE_$(name)))) \
	$(filter-out $(SOURCE_soft) $(SOURCE_rpmsg),$(wildcard daemon/transport/*.c))
SOFTDSP  := $(wildcard daemon/softdsp/*.c)
WHO      := $(wildcard daemon/who/*.c)
LIBRARY  := $(filter-out client/dspctl%,$(wildcard client/*.c))
DSPCTL   := $(wildcard client/dspctl*.c)
BENCH    := $(wildcard tests/bench/*.c)
KERNEL_BENCH := $(wildcard tests/kernel/bench/*.c) $(patsubst %,tests/kernel/%.c,fastrpc qda) \
	$(patsubst %,tests/bench/%.c,peer report sample service)

# A module is daemon/softdsp/modules/NAME_skel.c and, where it has more, MODULE_NAME.
MODULE_DIR     := daemon/softdsp/modules
MODULES        := $(patsubst $(MODULE_DIR)/%_skel.c,%,$(wildcard $(MODULE_DIR)/*_skel.c))
MODULE_denoise := $(wildcard $(MODULE_DIR)/pcm_*.c)

PROGRAMS  := $(BUILD)/dspbrokerd $(BUILD)/softdsp $(BUILD)/dspbroker-who $(BUILD)/dspctl
LIBRARIES := $(BUILD)/libdspbroker.so.0 $(BUILD)/libdspbroker.so $(BUILD)/libdspbroker.a
SKELETONS := $(MODULES:%=$(BUILD)/modules/lib%_skel.so)

# Modules for tests alone.
TEST_MODULES := $(patsubst tests/integration/modules/%_skel.c,$(BUILD)/tests/integration/modules/lib%_skel.so, \
	$(wildcard tests/integration/modules/*_skel.c))
GENERATED := $(patsubst %.in,$(BUILD)/%,$(notdir $(wildcard systemd/*.in client/*.pc.in)))

# Test programs: every test_*.c; other sources of the folder are linked into each of them.
UNIT_TESTS        := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c))
# These go through millions of interleavings, which takes minutes with sanitizers; without them they
# find what they are for.
MODELS            := $(BUILD)/tests/unit/test_ring_sleep $(BUILD)/tests/unit/test_client_wait
UNIT_HELP         := $(filter-out tests/unit/test_%,$(wildcard tests/unit/*.c)) \
	tests/integration/attempts.c
INTEGRATION_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/integration/test_*.c))
# Those that keep the broker's threads busiest.
THREAD_TESTS      := $(patsubst %,$(BUILD)/tests/integration/test_%,reload administration limits calls)
INTEGRATION_HELP  := $(filter-out tests/integration/test_%,$(wildcard tests/integration/*.c))
SCRIPT_TESTS      := $(wildcard tests/integration/test_*.sh)
# Every test program has this: what is not run under emulation.
TEST_HELP         := tests/emulated.c
WRAPPED           := -Wl,--wrap=_tcase_add_test,--wrap=srunner_run_all
KERNEL_TESTS      := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/kernel/test_*.c))
# A test of FastRPC runs on each driver that carries it: test_fastrpc_X.c makes test_qda_X, too, unless
# there is a test_qda_X.c, or it is about the one driver itself.
KERNEL_DRIVERS    := tests/kernel/cdsp_fastrpc.c tests/kernel/cdsp_qda.c
ON_QDA_AS_WELL    := $(filter-out $(KERNEL_TESTS) %/test_qda_host, \
	$(patsubst $(BUILD)/tests/kernel/test_fastrpc_%,$(BUILD)/tests/kernel/test_qda_%, \
		$(filter $(BUILD)/tests/kernel/test_fastrpc_%,$(KERNEL_TESTS))))
ALL_KERNEL_TESTS  := $(KERNEL_TESTS) $(ON_QDA_AS_WELL)
KERNEL_SCRIPTS    := $(wildcard tests/kernel/test_*.sh)
SANDBOX_TESTS     := $(wildcard tests/sandboxes/test_*.sh)
KERNEL_HELP       := $(filter-out tests/kernel/test_% $(KERNEL_DRIVERS),$(wildcard tests/kernel/*.c))
REMOTE            := $(BUILD)/tests/kernel/remote
FUZZERS           := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/fuzz_*.c))

# Use every core unless told otherwise.
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:
.SUFFIXES:

.PHONY: all
all: $(PROGRAMS) $(LIBRARIES) $(SKELETONS) $(GENERATED) ## build everything (the default)

# The rest installs what it needs first, where that is allowed; then it calls make again, because
# only then can pkg-config be asked. $(WAV), $(TIME) and $(BUILD) reach it by themselves.
.PHONY: demo check check-unit check-integration check-asan check-tsan check-arm64 check-kernel check-sandboxes check-package check-calls kernel-shell \
	bench bench-kernel fuzz lint format
demo: ## send a voice recording through the software DSP [WAV=file]
	@tests/deps demo
	@$(MAKE) all $(BUILD)/tests/demo/reference
	@tests/demo/run $(BUILD) $(if $(WAV),"$(WAV)")

check: ## all tests, on the normal and on the sanitized build
	@tests/deps check
	@$(MAKE) all tests
	@$(MAKE) SANITIZE=1 all tests
	@DSP_BUILD=$(BUILD) tests/run $(UNIT_TESTS) $(INTEGRATION_TESTS) $(SCRIPT_TESTS) \
		$(patsubst $(BUILD)/%,$(BUILD)/asan/%, \
			$(filter-out $(MODELS),$(UNIT_TESTS)) $(INTEGRATION_TESTS))

check-unit: ## unit tests
	@tests/deps check
	@$(MAKE) all tests
	@tests/run $(UNIT_TESTS)

check-integration: ## integration tests
	@tests/deps check
	@$(MAKE) all tests
	@DSP_BUILD=$(BUILD) tests/run $(INTEGRATION_TESTS) $(SCRIPT_TESTS)

check-asan: ## unit and integration tests on the sanitized build
	@tests/deps check
	@$(MAKE) SANITIZE=1 all tests
	@tests/run $(patsubst $(BUILD)/%,$(BUILD)/asan/%, \
		$(filter-out $(MODELS),$(UNIT_TESTS)) $(INTEGRATION_TESTS))

check-tsan: ## some of them on a broker that finds races between its threads
	@tests/deps check
	@tests/deps fuzz
	@$(MAKE) all tests
	@$(MAKE) BUILD=$(BUILD)/tsan CC=clang CFLAGS="-O1 -g" HARDEN=-fsanitize=thread \
		$(BUILD)/tsan/dspbrokerd
	@mkdir -p $(BUILD)/tsan/tests/integration
	@cp -r $(filter-out %/dspbrokerd,$(PROGRAMS)) $(BUILD)/modules $(BUILD)/tsan
	@cp $(THREAD_TESTS) $(BUILD)/tsan/tests/integration
	@tests/run $(THREAD_TESTS:$(BUILD)/%=$(BUILD)/tsan/%)

check-arm64: ## unit and integration tests on a build for arm64, under emulation
	@tests/deps arm64
	@$(MAKE) CROSS=$(ARM64)- all tests
	@DSP_BUILD=$(BUILD)/$(ARM64) tests/emulate tests/run $(patsubst $(BUILD)/%,$(BUILD)/$(ARM64)/%, \
		$(filter-out $(MODELS),$(UNIT_TESTS)) $(INTEGRATION_TESTS))

check-kernel: ## tests on real kernel drivers, in a guest [TEST=name]
	@tests/deps kernel
	@$(MAKE) all kernel-tests
	@$(MAKE) PREFIX=/usr/local DESTDIR=$(BUILD)/tests/kernel/installed install
	@tests/kernel/build >/dev/null
	@DSP_BUILD=$(BUILD) BOOT_LOGS=$(BUILD)/tests/kernel TEST_RUNNER=tests/kernel/boot tests/run \
		$(filter $(if $(TEST),%/test_$(TEST:test_%=%) %/test_$(TEST:test_%=%).sh,%), \
			$(ALL_KERNEL_TESTS) $(KERNEL_SCRIPTS))

check-sandboxes: ## units, Flatpaks and containers that use a DSP; only root can
	@tests/deps kernel
	@tests/deps sandboxes
	@$(MAKE) all $(REMOTE)
	@tests/kernel/build >/dev/null
	@DSP_BUILD=$(BUILD) tests/run $(SANDBOX_TESTS)

check-package: ## build, install, use, upgrade and remove the Debian packages in a chroot
	@tests/deps package
	@tests/package/run

# The list is of one broker for all transports, so what only hardware needs is seen in the guest.
# What strace changes is left out: what counts, what is quick, what is traced itself, or has no disk
# to write to; and what a guest of its own kind is booted for.
CALLS_SLOW   := %/kernel/test_identity %/test_labels %/test_without_iommu %_incoherent %/test_clock \
	%/test_messages_direction %/test_faults_start %/test_hostile_control %/test_watchdog %/test_messages_load %_many %_races
CALLS_TESTS   = $(filter-out $(CALLS_SLOW),$(INTEGRATION_TESTS))
CALLS_KERNEL  = $(filter-out $(CALLS_SLOW),$(ALL_KERNEL_TESTS))
check-calls: ## is each system call that the broker may make one that it makes?
	@tests/deps calls
	@tests/deps kernel
	@$(MAKE) all tests kernel-tests
	@tests/kernel/build >/dev/null
	@CK_RUN_CASE=list $(BUILD)/tests/unit/test_breakout_broker >$(BUILD)/calls.list
	@TEST_JOBS=1 TEST_RUNNER="tests/calls --count" tests/run $(CALLS_TESTS)
	@DSP_BUILD=$(BUILD) TEST_JOBS=1 BOOT_TIMEOUT=300 TEST_RUNNER="tests/kernel/boot tests/calls --count" \
		tests/run $(CALLS_KERNEL)
	@tests/calls --judge $(BUILD)/calls.list $(patsubst %,%.log,$(CALLS_TESTS) $(CALLS_KERNEL))

kernel-shell: ## a shell in that guest
	@tests/deps kernel
	@$(MAKE) all kernel-tests
	@DSP_BUILD=$(BUILD) tests/kernel/boot --shell

bench: ## measure, and write build/bench.json
	@tests/deps bench
	@tests/deps --unpack dbus-broker usr/bin/dbus-broker $(BUILD)/peers
	@$(MAKE) all $(BUILD)/bench
	@DSP_BUILD=$(BUILD) $(BUILD)/bench

bench-kernel: ## the same on real kernel drivers; writes build/bench-kernel.json
	@tests/deps kernel
	@$(MAKE) all $(REMOTE) $(BUILD)/bench-kernel
	@tests/kernel/build >/dev/null
	@DSP_BUILD=$(BUILD) $(BUILD)/bench-kernel

fuzz: ## run the fuzzers [TIME=60] seconds altogether
	@tests/deps fuzz
	@$(MAKE) FUZZ=1 fuzzers
	@tests/fuzz/run $(or $(TIME),60) $(patsubst $(BUILD)/%,$(BUILD)/fuzz/%,$(FUZZERS))

lint: ## format, static analysis, scripts and man pages
	@tests/deps lint
	@CLANG_FORMAT=$(CLANG_FORMAT) tests/lint

format: ## lay out every C source
	@tests/deps lint
	@find client daemon policy protocol tests -name '*.[ch]' -not -path '*/kernel/modules/*' \
		-exec $(CLANG_FORMAT) -i {} +

.PHONY: tests kernel-tests fuzzers
tests: $(UNIT_TESTS) $(INTEGRATION_TESTS) $(TEST_MODULES)
kernel-tests: $(ALL_KERNEL_TESTS) $(REMOTE) $(BUILD)/tests/demo/reference
fuzzers: $(FUZZERS)

# Objects. They depend on the flags they were made with, and on a check that says in one line what
# is missing.
$(BUILD)/flags: FORCE | $(BUILD)/libraries-found
	@mkdir -p $(@D)
	@echo '$(subst ','\'',$(COMPILE) $(LINK))' >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
.PHONY: FORCE

$(BUILD)/libraries-found:
	@$(PKG_CONFIG) --exists $(PACKAGES) 2>/dev/null || { tests/deps --show build && \
		$(PKG_CONFIG) --exists --print-errors $(PACKAGES); exit 1; }
	@mkdir -p $(@D) && touch $@

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(COMPILE) -MMD -MP -c -o $@ $<

$(BUILD)/obj/tests/%.o: private PACKAGES += check
$(call objects,$(LIBRARY) $(PROTOCOL) $(wildcard $(MODULE_DIR)/*.c tests/integration/modules/*.c)): \
	private PIC := -fPIC

# Programs.
$(BUILD)/dspbrokerd: private PACKAGES := libsystemd json-c libseccomp $(if $(filter qda,$(TRANSPORTS)),libdrm)
$(BUILD)/dspbrokerd: $(call objects,$(DAEMON) $(POLICY) $(PROTOCOL))

$(BUILD)/softdsp: private PACKAGES := libseccomp
$(BUILD)/softdsp: $(call objects,$(SOFTDSP) $(CONFINE) $(PROTOCOL))

$(BUILD)/dspbroker-who: private PACKAGES := libseccomp
$(BUILD)/dspbroker-who: $(call objects,$(WHO) $(CONFINE) $(wildcard policy/facts*.c) policy/identity.c \
	$(PROTOCOL))

# dspctl holds the library instead of loading it, in the build folder and installed alike: one
# file that runs from anywhere (a chroot, another user's sandbox) without a search path.
$(BUILD)/dspctl: private PACKAGES := json-c sndfile
$(BUILD)/dspctl: $(call objects,$(DSPCTL) $(POLICY)) $(BUILD)/libdspbroker.a

$(BUILD)/bench: private PACKAGES := json-c libsystemd
$(BUILD)/bench-kernel: private PACKAGES := json-c libdrm
$(BUILD)/bench: $(call objects,$(BENCH) $(POLICY)) $(BUILD)/libdspbroker.a
$(BUILD)/bench-kernel: $(call objects,$(KERNEL_BENCH)) $(BUILD)/libdspbroker.a

$(BUILD)/tests/demo/reference: private PACKAGES := speexdsp sndfile
$(BUILD)/tests/demo/reference: $(call objects,tests/demo/reference.c)

$(PROGRAMS) $(BUILD)/bench $(BUILD)/bench-kernel $(BUILD)/tests/demo/reference:
	@mkdir -p $(@D)
	$(call say,LINK)$(LINK) -pie -o $@ $(INPUTS)

# Libraries.
$(BUILD)/libdspbroker.so.0: client/libdspbroker.map $(call objects,$(LIBRARY) $(PROTOCOL))
	$(call say,LINK)$(LINK) -shared $(NO_UNDEFINED) -Wl,-soname,$(@F) -Wl,--version-script,$< \
		-o $@ $(filter %.o,$^) -pthread

$(BUILD)/libdspbroker.so: $(BUILD)/libdspbroker.so.0
	$(call say,LN)ln -sf $(<F) $@

$(BUILD)/libdspbroker.a: $(call objects,$(LIBRARY) $(PROTOCOL))
	@rm -f $@
	$(call say,AR)$(AR) cqsD $@ $^

# The modules that the software DSP loads.
define module
$(BUILD)/modules/lib$(1)_skel.so: $(call objects,$(MODULE_DIR)/$(1)_skel.c $(MODULE_$(1)))
endef
$(foreach name,$(MODULES),$(eval $(call module,$(name))))

$(TEST_MODULES): $(BUILD)/tests/integration/modules/lib%_skel.so: \
	$(BUILD)/obj/tests/integration/modules/%_skel.o
# What an attacker tries, for whoever has to withstand it.
ATTEMPTS := $(call objects,tests/integration/attempts.c)
$(ATTEMPTS): private PIC := -fPIC
$(BUILD)/tests/integration/modules/libbreakout_skel.so $(UNIT_TESTS): $(ATTEMPTS)

$(SKELETONS) $(TEST_MODULES): private PACKAGES := speexdsp
$(SKELETONS) $(TEST_MODULES):
	@mkdir -p $(@D)
	$(call say,LINK)$(LINK) -shared $(NO_UNDEFINED) -o $@ $(INPUTS)

# Tests. Unit tests may use whatever the tree has; the archive's main() functions are passed over,
# since each test brings its own. Integration tests have what an app has.
$(BUILD)/tests/everything.a: $(call objects,$(DAEMON) $(SOFTDSP) $(WHO) $(wildcard $(MODULE_DIR)/*.c) \
		$(LIBRARY) $(DSPCTL) $(POLICY) $(PROTOCOL))
	@mkdir -p $(@D) && rm -f $@
	$(call say,AR)$(AR) cqsD $@ $^

$(UNIT_TESTS) $(FUZZERS): $(BUILD)/%: $(BUILD)/obj/%.o $(BUILD)/tests/everything.a
$(UNIT_TESTS): $(call objects,$(UNIT_HELP))
$(INTEGRATION_TESTS): $(BUILD)/%: $(BUILD)/obj/%.o $(call objects,$(INTEGRATION_HELP)) \
		$(BUILD)/libdspbroker.a

$(KERNEL_TESTS): $(BUILD)/%: $(BUILD)/obj/%.o
$(ON_QDA_AS_WELL): $(BUILD)/tests/kernel/test_qda_%: $(BUILD)/obj/tests/kernel/test_fastrpc_%.o
$(ALL_KERNEL_TESTS): $(call objects,$(KERNEL_HELP) $(INTEGRATION_HELP)) $(BUILD)/libdspbroker.a
$(filter $(BUILD)/tests/kernel/test_qda%,$(ALL_KERNEL_TESTS)): $(call objects,tests/kernel/cdsp_qda.c)
$(filter-out $(BUILD)/tests/kernel/test_qda%,$(ALL_KERNEL_TESTS)): $(call objects,tests/kernel/cdsp_fastrpc.c)

$(UNIT_TESTS) $(INTEGRATION_TESTS) $(ALL_KERNEL_TESTS): private PACKAGES += check
$(UNIT_TESTS) $(INTEGRATION_TESTS) $(ALL_KERNEL_TESTS): $(call objects,$(TEST_HELP))
	@mkdir -p $(@D)
	$(call say,LINK)$(LINK) -pie $(WRAPPED) -o $@ $(INPUTS)

$(REMOTE): private PACKAGES :=
$(REMOTE): $(call objects,$(wildcard tests/kernel/remote/*.c))
	@mkdir -p $(@D)
	$(call say,LINK)$(LINK) -pie -o $@ $(INPUTS) -pthread -ldl

$(FUZZERS):
	@mkdir -p $(@D)
	$(call say,LINK)$(LINK) -fsanitize=fuzzer -o $@ $(INPUTS)

# Files with the installation's folders filled in.
vpath %.in systemd client
$(GENERATED): $(BUILD)/%: %.in FORCE
	@mkdir -p $(@D)
	@sed $(foreach name,VERSION prefix bindir sbindir libexecdir libdir includedir,-e 's|@$(name)@|$($(name))|g') $< >$@

# `man dspbroker_connect` shows the page of the library, as does that of every other function.
FUNCTION_PAGES := $(shell sed -n 's|^\t\(dspbroker_.*\);|$(BUILD)/man3/\1.3|p' client/libdspbroker.map)
$(FUNCTION_PAGES): client/libdspbroker.map
	@mkdir -p $(@D)
	@echo '.so man3/libdspbroker.3' >$@

# Installation. MODE:SOURCE:DESTINATION, one a word; `install` lays these, `uninstall` takes them.
into = $(foreach file,$(3),$(1):$(file):$(2)/$(notdir $(file)))
LAYOUT = \
	$(call into,755,$(sbindir),$(BUILD)/dspbrokerd) \
	$(call into,755,$(bindir),$(BUILD)/dspctl) \
	$(call into,755,$(libexecdir)/dspbroker,$(BUILD)/softdsp $(BUILD)/dspbroker-who) \
	$(call into,644,$(modulesdir),$(SKELETONS)) \
	$(call into,644,$(libdir),$(BUILD)/libdspbroker.so.0 $(BUILD)/libdspbroker.a) \
	$(call into,644,$(includedir),client/dspbroker.h) \
	$(call into,644,$(includedir)/dspbroker,daemon/softdsp/remote.h $(MODULE_DIR)/pcm.h) \
	$(call into,644,$(pkgconfigdir),$(filter %.pc,$(GENERATED))) \
	$(call into,644,$(unitdir),$(filter %.service %.socket,$(GENERATED)) \
		$(wildcard systemd/*.service systemd/*.socket)) \
	$(call into,644,$(presetdir),$(wildcard systemd/*.preset)) \
	644:systemd/dspbroker.sysusers:$(sysusersdir)/dspbroker.conf \
	644:systemd/dspbroker.tmpfiles:$(tmpfilesdir)/dspbroker.conf \
	$(call into,644,$(udevrulesdir),$(wildcard systemd/*.rules)) \
	$(call into,644,$(catalogdir),$(wildcard systemd/*.catalog)) \
	$(call into,644,$(mandir)/man1,$(wildcard client/*.1)) \
	$(call into,644,$(mandir)/man3,$(wildcard client/*.3) $(FUNCTION_PAGES)) \
	$(call into,644,$(mandir)/man5,$(wildcard policy/*.5)) \
	$(call into,644,$(mandir)/man7,$(wildcard daemon/*.7)) \
	$(call into,644,$(mandir)/man8,$(wildcard daemon/*.8 daemon/softdsp/*.8 daemon/who/*.8)) \
	644:client/completions/dspctl.bash:$(bashcompdir)/dspctl \
	644:client/completions/_dspctl:$(zshcompdir)/_dspctl \
	$(call into,644,$(datadir)/dspbroker,$(wildcard policy/schema/*.json)) \
	$(call into,644,$(docdir)/examples,$(wildcard policy/examples/*.json systemd/examples/*)) \
	644:systemd/README.md:$(docdir)/sandboxes.md
OWN_FOLDERS = $(includedir)/dspbroker $(datadir)/dspbroker $(docdir)/examples $(docdir) $(modulesdir) $(libdir)/dspbroker $(libexecdir)/dspbroker

.PHONY: install uninstall clean help
install: all $(FUNCTION_PAGES) ## install below $(DESTDIR)$(PREFIX)
	@for item in $(LAYOUT); do \
		IFS=:; set -- $$item; \
		$(INSTALL) -D -m "$$1" "$$2" "$(DESTDIR)$$3" || exit 1; \
	done
	@ln -sf libdspbroker.so.0 "$(DESTDIR)$(libdir)/libdspbroker.so"

uninstall: ## remove what install laid
	@for item in $(LAYOUT); do rm -f "$(DESTDIR)$${item##*:}"; done
	@rm -f "$(DESTDIR)$(libdir)/libdspbroker.so"
	@for folder in $(OWN_FOLDERS); do \
		[ ! -d "$(DESTDIR)$$folder" ] || rmdir --ignore-fail-on-non-empty "$(DESTDIR)$$folder"; \
	done

clean: ## remove all that was made
	rm -rf $(BUILD)

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.* ## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
