# Every command that a user or a contributor needs. `make` alone lists them.

# Versions stand in one place each: that of the workspace, and the header of the Tcl package.
VERSION := $(shell sed -n '/^\[workspace.package\]/,/^$$/s/^version = "\(.*\)"/\1/p' Cargo.toml)
SOVERSION = 0

PREFIX = /usr/local
LIBDIR = $(PREFIX)/lib
INCLUDEDIR = $(PREFIX)/include
BINDIR = $(PREFIX)/bin
SHAREDIR = $(PREFIX)/share
MANDIR = $(SHAREDIR)/man
DOCDIR = $(SHAREDIR)/doc/libsmtp
# Where `install-python` puts the package: there is no default that fits every distribution.
PYTHONDIR = $(error PYTHONDIR= is where Python looks for packages, as /usr/lib/python3/dist-packages)
DESTDIR =

CARGO = cargo
CC = cc
CFLAGS = -O2 -g
INSTALL = install
OBJCOPY = objcopy
# Symbols and debug information are taken out of what is installed; STRIP=: leaves them in.
STRIP = strip
STRIPFLAGS = --strip-unneeded
# What the manual pages are made with: of C, and of Tcl (tcllib's).
PYTHON = python3
DTPLITE = dtplite
# The TLS library: tls-openssl, tls-rustls or tls-native (docs/tls.md).
FEATURES = tls-openssl dkim

TARGET = $(or $(CARGO_TARGET_DIR),target)
# Where cargo leaves the static library: for another platform, in a folder of its own.
MADE = $(TARGET)/release
BUILD = build
STATIC = $(BUILD)/lib/libsmtp.a
SHARED = $(BUILD)/lib/libsmtp.so.$(VERSION)
# What both are made of: one object, in which only the functions of the header are global.
OBJECT = $(BUILD)/lib/libsmtp.o
# The library for unwinding, where the C compiler has none that fits.
UNWIND =
# The symbols that the shared library exports, and their version.
MAP = $(BUILD)/libsmtp.map
# What the static library needs beside itself: packages of pkg-config, and libraries.
REQUIRES = $(if $(filter tls-openssl tls-native,$(FEATURES)),openssl)
LIBS = -lpthread -lm -ldl
LINK = $(if $(REQUIRES),$$(pkg-config --libs $(REQUIRES))) $(LIBS)
HARDEN = -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack
# Messages of panics name source files: not by where this machine has them.
CARGO_HOME ?= $(HOME)/.cargo
FLAGGED = CARGO_ENCODED_RUSTFLAGS="$$($(MAKE) --no-print-directory -s rustflags)"
STRICT = -std=c99 -Wall -Wextra -pedantic -Werror
# The one for Kerberos needs its library.
KERBEROS = $(shell $(PKG_CONFIG) --exists krb5-gssapi 2>/dev/null && echo krb5-gssapi)
EXAMPLES = $(patsubst examples-c/%.c,$(BUILD)/examples/%,$(filter-out $(if $(KERBEROS),,%/gssapi.c),$(wildcard examples-c/*.c)))
# The manual pages of C: libsmtp.3, and one for each type and function.
MAN3 = $(BUILD)/docs/man/man3
MANUAL = { sed -n 's/^typedef struct \(smtp_[a-z]*\) .*/\1.3/p' '$(CURDIR)/include/libsmtp.h'; \
  sed -n 's/^smtp_.*/&.3/p' '$(CURDIR)/ffi-c/exports.txt'; }
# The command line, and its manual pages and completions, which are made from its flags.
COMMAND = $(TARGET)/release/smtpclient
PAGES = $(BUILD)/docs/command-line
# How what makes them is built: for development, as the tests have it, or by --release, where nothing else is built for development.
PAGESFLAGS =
COMPLETIONS = bash-completion/completions/smtpclient zsh/site-functions/_smtpclient fish/vendor_completions.d/smtpclient.fish
LICENCES = LICENSE LICENSE-MIT LICENSE-APACHE
# The package of CMake, and what is written into it and libsmtp.pc: the headers' folder, as seen from that of the package, too.
CMAKE = libsmtp-config.cmake libsmtp-config-version.cmake
FILL = sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' -e 's|@VERSION@|$(VERSION)|' \
  -e 's|@SOVERSION@|$(SOVERSION)|' -e 's|@REQUIRES@|$(REQUIRES)|' -e 's|@LIBS@|$(LIBS)|' \
  -e "s|@TOINCLUDE@|$$(realpath -ms --relative-to='$(LIBDIR)/cmake/libsmtp' '$(INCLUDEDIR)')|"
# Where tests and examples find the installed library.
HERE = $(CURDIR)/$(BUILD)/prefix
# The Tcl package: for which Tcl, its version, and the folder (of Tcl's auto_path) that it goes to.
TCL = 8.6
TCLVERSION := $(shell sed -n 's/^.define PACKAGE_VERSION "\(.*\)"/\1/p' tcl-binding/smtp_tcl.h)
TCLDIR = $(LIBDIR)/tcltk/smtp$(TCLVERSION)
TCLBUILD = $(BUILD)/tcl/smtp$(TCLVERSION)
# One folder serves Tcl 8.6 and 9: each has its own library. Tcl 9's stubs are tclstub, or tclstub9.0 with Debian.
TCLLIB = libtcl$(if $(filter 9.%,$(TCL)),9)smtp.so
TCLFLAGS = $$(pkg-config --cflags tcl$(TCL))
TCLSTUB = $$(pkg-config --libs tcl$(TCL) | tr ' ' '\n' | grep -e '^-L' -e '^-ltclstub')
# Not exported: cargo would build OpenSSL's crate anew whenever it changes.
PKG_CONFIG = PKG_CONFIG_PATH='$(HERE)/lib/pkgconfig' pkg-config

.DEFAULT_GOAL = help
.PHONY: help setup build lib header tables install install-manual uninstall versions prefix tcl docs install-tcl uninstall-tcl install-tcl-manual examples python python-leaks demo test check valgrind sanitize audit sbom interop fuzz faults spool resources load bench bench-quick clean module command install-library check-targets rustflags symbols notices python-module install-python abi debian debian-test wheels wheels-test windows dist wheels-emulated dist-test reproducible aarch64 musl
.DELETE_ON_ERROR:

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo '  PREFIX=$(PREFIX)  LIBDIR=$(LIBDIR)  DESTDIR=$(DESTDIR)'

setup: ## install what building and testing need (as root on Debian 12; otherwise it says what to install)
	@./setup

build: ## build everything for development
	$(CARGO) build --locked --workspace --features '$(addprefix libsmtp/,$(FEATURES))'

# As a static library alone: beside an rlib it would be compiled without link-time optimisation.
lib: ## build the release libraries for C
	$(FLAGGED) $(CARGO) rustc --locked --release -p libsmtp --lib --crate-type staticlib --no-default-features --features '$(FEATURES)'
	@$(MAKE) --no-print-directory $(STATIC) $(SHARED)

# For what else builds for release: with the same flags it compiles no crate twice. Separated as cargo wants it, since a path may
# have a blank in it.
rustflags:
	@printf '%s\037' $(RUSTFLAGS) '--remap-path-prefix=$(CARGO_HOME)=/cargo' '--remap-path-prefix=$(CURDIR)=/libsmtp' | head -c -1

command: ## build the command smtpclient, its manual pages and completions
	$(FLAGGED) $(CARGO) build --locked --release -p smtpclient-command --bin smtpclient
	$(if $(PAGESFLAGS),$(FLAGGED)) $(CARGO) run --locked --quiet $(PAGESFLAGS) -p smtpclient-command --example pages '$(PAGES)'

# What none of the functions of the header needs is left out, and what they need is theirs alone: a program may have
# another library that is written in Rust.
$(OBJECT): $(MADE)/libsmtp.a ffi-c/exports.txt
	@mkdir -p $(@D)
	$(CC) -r -nostdlib -o $@ -Wl,--gc-sections $$(sed -n 's/^smtp_/-Wl,-u,&/p' ffi-c/exports.txt) $< $(UNWIND)
	$(OBJCOPY) --keep-global-symbols=ffi-c/exports.txt --remove-section=.llvmbc --remove-section=.llvmcmd $@

$(STATIC): $(OBJECT)
	rm -f $@
	$(AR) rcsD $@ $<

# rustc ignores a version script for a cdylib, so the linker makes the shared library.
$(SHARED): $(OBJECT) $(MAP)
	$(CC) -shared -o $@ $(OBJECT) -Wl,--version-script=$(MAP) -Wl,-soname,libsmtp.so.$(SOVERSION) -Wl,--gc-sections \
	  -Wl,-z,nodelete -Wl,-z,defs -Wl,--as-needed $(HARDEN) $(LDFLAGS) $(LINK)

$(MAP): ffi-c/exports.txt
	@mkdir -p $(@D)
	@{ echo 'LIBSMTP_0 { global:'; sed 's/$$/;/' $<; echo 'local: *; };'; } >$@

header: ## write include/libsmtp.h anew
	$(CARGO) run --locked --quiet -p libsmtp --example header

symbols: ## add new functions to debian/libsmtp0.symbols
	@packaging/symbols

tables: header symbols ## write anew what is made from the tables of options, reports and verbs: header, documents, types
	$(CARGO) run --locked --quiet -p smtpclient --example tables

install: install-library command ## install the command smtpclient, header, libraries, libsmtp.pc and manual pages (PREFIX=, LIBDIR=, MANDIR=, DESTDIR=)
	$(INSTALL) -d '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(MANDIR)/man1'
	$(INSTALL) -m 755 $(COMMAND) '$(DESTDIR)$(BINDIR)/'
	$(STRIP) $(STRIPFLAGS) '$(DESTDIR)$(BINDIR)/smtpclient'
	$(INSTALL) -m 644 $(PAGES)/smtpclient.1 $(PAGES)/smtpclient-sendmail.1 '$(DESTDIR)$(MANDIR)/man1/'
	for name in $(COMPLETIONS); do $(INSTALL) -d "$(DESTDIR)$(SHAREDIR)/$${name%/*}"; done
	$(INSTALL) -m 644 $(PAGES)/smtpclient.bash '$(DESTDIR)$(SHAREDIR)/bash-completion/completions/smtpclient'
	$(INSTALL) -m 644 $(PAGES)/_smtpclient '$(DESTDIR)$(SHAREDIR)/zsh/site-functions/'
	$(INSTALL) -m 644 $(PAGES)/smtpclient.fish '$(DESTDIR)$(SHAREDIR)/fish/vendor_completions.d/'

install-library: lib ## install header, libraries, what pkg-config and CMake read, and manual pages of section 3 alone
	$(INSTALL) -d '$(DESTDIR)$(INCLUDEDIR)' '$(DESTDIR)$(LIBDIR)/pkgconfig' '$(DESTDIR)$(LIBDIR)/cmake/libsmtp' '$(DESTDIR)$(DOCDIR)'
	$(INSTALL) -m 644 $(LICENCES) '$(DESTDIR)$(DOCDIR)/'
	$(INSTALL) -m 644 include/libsmtp.h '$(DESTDIR)$(INCLUDEDIR)/'
	$(INSTALL) -m 644 $(STATIC) '$(DESTDIR)$(LIBDIR)/'
	$(INSTALL) -m 755 $(SHARED) '$(DESTDIR)$(LIBDIR)/'
	$(STRIP) $(STRIPFLAGS) '$(DESTDIR)$(LIBDIR)/libsmtp.a' '$(DESTDIR)$(LIBDIR)/libsmtp.so.$(VERSION)'
	ln -sf libsmtp.so.$(VERSION) '$(DESTDIR)$(LIBDIR)/libsmtp.so.$(SOVERSION)'
	ln -sf libsmtp.so.$(SOVERSION) '$(DESTDIR)$(LIBDIR)/libsmtp.so'
	$(FILL) libsmtp.pc.in >'$(DESTDIR)$(LIBDIR)/pkgconfig/libsmtp.pc'
	for file in $(CMAKE); do $(FILL) packaging/$$file.in >'$(DESTDIR)$(LIBDIR)/cmake/libsmtp/'$$file || exit; done
	@if [ -e $(MAN3)/libsmtp.3 ] || command -v $(PYTHON) >/dev/null; then $(MAKE) --no-print-directory install-manual; \
	  else echo 'not installed: the manual pages of section 3, which are made with $(PYTHON)' >&2; fi

# From the comments of the header.
$(MAN3)/libsmtp.3: include/libsmtp.h ffi-c/manual
	$(PYTHON) ffi-c/manual include/libsmtp.h $(@D)

install-manual: $(MAN3)/libsmtp.3
	$(INSTALL) -d '$(DESTDIR)$(MANDIR)/man3'
	$(INSTALL) -m 644 $(MAN3)/*.3 '$(DESTDIR)$(MANDIR)/man3/'

uninstall: ## remove what install put there
	rm -f $(patsubst %,'$(DESTDIR)$(LIBDIR)/cmake/libsmtp/%',$(CMAKE)) $(patsubst %,'$(DESTDIR)$(DOCDIR)/%',$(LICENCES))
	for folder in '$(LIBDIR)/cmake/libsmtp' '$(DOCDIR)'; do ! [ -d '$(DESTDIR)'"$$folder" ] || rmdir '$(DESTDIR)'"$$folder" || exit; done
	rm -f '$(DESTDIR)$(INCLUDEDIR)/libsmtp.h' '$(DESTDIR)$(LIBDIR)/pkgconfig/libsmtp.pc' '$(DESTDIR)$(LIBDIR)/libsmtp.a' \
	  '$(DESTDIR)$(LIBDIR)/libsmtp.so' '$(DESTDIR)$(LIBDIR)/libsmtp.so.$(SOVERSION)' '$(DESTDIR)$(LIBDIR)/libsmtp.so.$(VERSION)'
	rm -f '$(DESTDIR)$(BINDIR)/smtpclient' '$(DESTDIR)$(MANDIR)/man1/smtpclient.1' '$(DESTDIR)$(MANDIR)/man1/smtpclient-sendmail.1'
	for name in $(COMPLETIONS); do rm -f "$(DESTDIR)$(SHAREDIR)/$$name"; done
	cd '$(DESTDIR)$(MANDIR)/man3' 2>/dev/null || exit 0; rm -f libsmtp.3 $$($(MANUAL))

versions:
	@echo '$(VERSION) $(TCLVERSION)'

# With its symbols: valgrind names functions by them.
prefix: lib
	@mkdir -p $(BUILD)
	@$(MAKE) --no-print-directory install-library PREFIX='$(HERE)' LIBDIR='$(HERE)/lib' INCLUDEDIR='$(HERE)/include' DESTDIR= STRIPFLAGS=-g >$(BUILD)/install.log

tcl: lib ## build the Tcl package in build/tcl (TCL=8.6 or 9.0)
	@$(MAKE) --no-print-directory $(TCLBUILD)/$(TCLLIB) $(TCLBUILD)/pkgIndex.tcl

$(TCLBUILD)/$(TCLLIB): $(wildcard tcl-binding/*.[ch]) tcl-binding/exports.map include/libsmtp.h $(STATIC)
	@mkdir -p $(@D)
	$(CC) $(STRICT) $(CFLAGS) -D_GNU_SOURCE -DUSE_TCL_STUBS -fPIC -shared -o $@ -Iinclude $(TCLFLAGS) \
	  $(filter %.c,$^) $(STATIC) $(TCLSTUB) $(LINK) -Wl,--exclude-libs,ALL -Wl,--version-script=tcl-binding/exports.map \
	  -Wl,--gc-sections -Wl,-z,nodelete $(HARDEN) $(LDFLAGS)

# For its tests alone.
$(BUILD)/tcl/fork/$(TCLLIB): tests/tcl/fork.c
	@mkdir -p $(@D)
	$(CC) $(STRICT) $(CFLAGS) -DUSE_TCL_STUBS -D_GNU_SOURCE -fPIC -shared -o $@ $(TCLFLAGS) $< $(TCLSTUB)

$(TCLBUILD)/pkgIndex.tcl: tcl-binding/pkgIndex.tcl.in tcl-binding/smtp.tcl
	@mkdir -p $(@D)
	cp tcl-binding/smtp.tcl $(@D)/
	sed -e 's|@VERSION@|$(TCLVERSION)|' $< >$@

docs: ## make the site in build/site, and the manual pages of C and of the Tcl package in build/docs
	@./setup docs
	@echo 'manual pages, and the Python module that its reference is made from'
	@$(MAKE) --no-print-directory $(MAN3)/libsmtp.3 $(BUILD)/docs/smtp.n $(BUILD)/docs/smtp.md module
	@docs/site/run

# With the tool of tcllib.
$(BUILD)/docs/smtp.n $(BUILD)/docs/smtp.md: tcl-binding/smtp.man
	@mkdir -p $(@D)
	$(DTPLITE) -o $@ $(if $(filter %.md,$@),markdown,nroff) $<

install-tcl: tcl ## install the Tcl package where auto_path finds it, and its manual page (PREFIX=, TCLDIR=, MANDIR=, DESTDIR=)
	$(INSTALL) -d '$(DESTDIR)$(TCLDIR)'
	$(INSTALL) -m 755 $(TCLBUILD)/libtcl*smtp.so '$(DESTDIR)$(TCLDIR)/'
	$(INSTALL) -m 644 $(TCLBUILD)/smtp.tcl $(TCLBUILD)/pkgIndex.tcl '$(DESTDIR)$(TCLDIR)/'
	$(STRIP) $(STRIPFLAGS) '$(DESTDIR)$(TCLDIR)'/libtcl*smtp.so
	@if [ -e $(BUILD)/docs/smtp.n ] || command -v $(DTPLITE) >/dev/null; then $(MAKE) --no-print-directory install-tcl-manual; \
	  else echo 'not installed: the manual page smtp(n), which is made with $(DTPLITE) of tcllib' >&2; fi

install-tcl-manual: $(BUILD)/docs/smtp.n
	$(INSTALL) -d '$(DESTDIR)$(MANDIR)/mann'
	$(INSTALL) -m 644 $< '$(DESTDIR)$(MANDIR)/mann/'

uninstall-tcl: ## remove what install-tcl put there
	rm -f '$(DESTDIR)$(TCLDIR)/libtclsmtp.so' '$(DESTDIR)$(TCLDIR)/libtcl9smtp.so' '$(DESTDIR)$(TCLDIR)/smtp.tcl' \
	  '$(DESTDIR)$(TCLDIR)/pkgIndex.tcl' '$(DESTDIR)$(MANDIR)/mann/smtp.n'
	! [ -d '$(DESTDIR)$(TCLDIR)' ] || rmdir '$(DESTDIR)$(TCLDIR)'

examples: prefix ## build the C examples against a library installed in build/prefix
	@$(MAKE) --no-print-directory $(EXAMPLES)

$(BUILD)/examples/%: examples-c/%.c $(BUILD)/prefix/lib/pkgconfig/libsmtp.pc
	@mkdir -p $(@D)
	@echo '  CC $@'
	@flags=$$($(PKG_CONFIG) --cflags --libs libsmtp$(if $(filter %/libuv,$@), libuv)$(if $(filter %/gssapi,$@), $(KERBEROS))) && \
	  eval "$(CC) $(STRICT) $(CFLAGS) $< -o $@ $$flags -Wl,-rpath,'$(HERE)/lib'"

# The Python package as cargo alone makes it, for the demo and the documents: without pip and the network.
module: python-module
	@rm -rf $(BUILD)/module && mkdir -p $(BUILD)/module
	@cp -R py-binding/python/smtpclient $(BUILD)/module
	@cp $(TARGET)/release/lib_native.so $(BUILD)/module/smtpclient/_native.abi3.so

python: ## build the Python wheel (build/python/wheels), and test it
	@py-binding/check

notices: ## write build/notices/*/NOTICES: the licences of the crates that are in the libraries
	@mkdir -p $(BUILD)/notices/c $(BUILD)/notices/command $(BUILD)/notices/python
	$(PYTHON) packaging/notices ffi-c/Cargo.toml '$(FEATURES)' >$(BUILD)/notices/c/NOTICES
	$(PYTHON) packaging/notices command-line/Cargo.toml tls-openssl >$(BUILD)/notices/command/NOTICES
	$(PYTHON) packaging/notices py-binding/Cargo.toml tls-openssl >$(BUILD)/notices/python/NOTICES

# Without a wheel. An extension finds Python's symbols in the interpreter: it must not be linked with libpython.
python-module:
	PYO3_BUILD_EXTENSION_MODULE=1 $(FLAGGED) $(CARGO) build --locked --quiet --release -p smtpclient-python

install-python: python-module ## install the Python package without pip, for distributions (PYTHONDIR=, DESTDIR=)
	$(PYTHON) packaging/install-python $(TARGET)/release/lib_native.so '$(DESTDIR)$(PYTHONDIR)'
	$(STRIP) $(STRIPFLAGS) '$(DESTDIR)$(PYTHONDIR)/smtpclient/_native.abi3.so'

debian: ## build Debian's packages in build/debian, offline from vendored crates
	packaging/debian

debian-test: ## install, use and remove them in a fresh Debian (as root, with debootstrap)
	packaging/debian-test

# Those that this machine can link; that for macOS needs a Mac.
WHEELS = x86_64-unknown-linux-gnu.2.17 aarch64-unknown-linux-gnu.2.17 x86_64-unknown-linux-musl aarch64-unknown-linux-musl \
  x86_64-pc-windows-gnu x86_64-unknown-linux-gnu.2.17:3.14t aarch64-unknown-linux-gnu.2.17:3.14t
wheels: ## build wheels for an index in build/wheels (WHEELS=PLATFORM[.GLIBC][:PYTHON]...)
	packaging/wheels $(WHEELS)

wheels-test: ## install the wheel for this machine in a fresh Debian 12, and send over TLS from it (as root, with debootstrap)
	packaging/wheels-test bookworm

wheels-emulated: ## send from the wheels for ARM and Windows in QEMU and Wine, and load that for musl (after make wheels)
	packaging/wheels-emulated

reproducible: ## build the archives for Linux and the wheel again, as another user in another folder on another day: the same octets (after make dist)
	packaging/reproducible

dist-test: ## use the archives of build/dist as programs in C and Tcl do: by pkg-config, by CMake, by `package require`, under QEMU and Wine
	packaging/dist-test

dist: ## everything of a release that this machine can build, in build/dist, with checksums and SBOMs (PARTS=, LINUX=, WHEELS=)
	WHEELS='$(WHEELS)' packaging/dist

abi: ## compare what compiled programs rely on with ffi-c/libsmtp.abi
	packaging/abi

python-leaks: ## send 100 000 messages from Python in every way, in memory that must not grow (after make python)
	@build/python/venv/bin/python py-binding/tests/leak.py 100000

.PHONY: jobs
jobs: ## send 10 000 messages by way of Celery and huey while workers are killed and brokers stopped: none lost, none twice (after make python)
	@MESSAGES='$(or $(MESSAGES),10000)' examples-python/jobs/run

# What comes first is in the recipes, since `make -j` does what stands beside each other at once.
demo: ## set up, build, send a message to three recipients, one of whom is refused
	@./setup demo
	@$(MAKE) --no-print-directory examples tcl module
	@demo/run

test: ## set up, and run everything that must hold
	@./setup test
	@tests/run

check: ## format, lints, documentation of the crate, tables, versions, header, symbols, layers
	@tests/check

windows: ## build the C library, the command and the Tcl package for Windows (MinGW), and run C programs, dialogues and Tcl's tests under Wine (an hour)
	@tests/windows/run

aarch64: ## build for Linux on ARM, and run the tests of the core, C and Tcl in QEMU (half an hour)
	@tests/aarch64

musl: ## run the tests of the core, those of C and the command with musl (half an hour)
	@tests/musl

check-targets: ## that everything compiles for Windows, macOS, FreeBSD, Linux on ARM and with musl
	@tests/targets

valgrind: examples ## run the C tests, the examples and the Tcl tests under valgrind
	VALGRIND=1 PKG_CONFIG_PATH='$(HERE)/lib/pkgconfig' tests/c/run $(BUILD)/valgrind
	VALGRIND=1 examples-c/run
	VALGRIND=1 tests/tcl/run

sanitize: examples ## the C and Tcl tests and the C examples under the sanitizers for addresses, undefined behaviour and leaks
	tests/sanitize

audit: ## licences, sources and doubles of the crates, and advisories where available
	tests/audit

sbom: ## write build/sbom/*.cdx.json: what each shipped crate is made of (CycloneDX)
	tests/audit sbom

interop: examples ## real servers: a table of what each offers and how it went, and what was delivered byte for byte
	tests/interop/postfix
	tests/interop/tls
	tests/interop/matrix || [ $$? = 77 ]

SECONDS = 60
fuzz: ## libFuzzer over every target (SECONDS= for each): cases and new paths
	tests/fuzz/run $(SECONDS)

faults: prefix ## every fault of a connection at every octet, in plain text and under TLS, over the Rust, C and Python faces
	tests/faults/run

spool: examples ## 10 000 messages by the example spool.c, which is killed at random moments, against the record of the server
	tests/spool/run 10000

resources: ## descriptors, threads and memory over 10 000 sends of every kind, good and bad
	RESOURCE_ROUNDS=10000 $(CARGO) test --locked -p smtpclient --features tls-openssl --test resources -- --nocapture nothing_grows

load: examples ## 10 000 messages on one session, and 200 sessions, against smtp-sink; 100 000 by a mailer over 200
	tests/interop/load
	MESSAGES=100000 $(CARGO) test --locked --release -p smtpclient --test mailer_load

bench: ## measure beside other clients: tables and plots in docs/performance.md
	@./setup bench
	benches/run

bench-quick: ## compare instructions with the committed counts (2 minutes)
	@benches/instructions

clean: ## remove everything that was built
	$(CARGO) clean
	rm -rf $(BUILD)
