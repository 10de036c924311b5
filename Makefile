# The front door. `make run` and `make test` do everything on a fresh Debian 12.
#
#   make          release build; the executables are in build/bin
#   make run      a demonstration server in run/demo, in the foreground
#   make test     everything that must hold, with the sanitizers on
#   make test-cluster  what happens when a Ceph cluster fails (minutes)
#   make lint     what the compiler does not check: folders, symbols, lengths, format
#   make bench    figures, each with the command that repeats it
#   make fuzz     every fuzzer for FUZZ_SECONDS (60)
#   make crash    the store killed at any moment, by random scripts, for CRASH_SECONDS (3600)
#   make stress   many IMAP clients at once, each checking what it is told, for STRESS_SECONDS (3600)
#   make freeze-load  freezes of a busy server for FREEZE_SECONDS (120), its data below TMPDIR
#   make thread   the unit tests under the thread sanitizer (librados was not built for it)
#   make install  to PREFIX (/usr/local)
#   make clean

MAKEFLAGS += --no-print-directory
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
CRASH_SECONDS ?= 3600
STRESS_SECONDS ?= 3600
FREEZE_SECONDS ?= 120
JOBS ?= $(shell nproc)
MESON = meson setup --prefix $(PREFIX)
PYTEST = /usr/bin/python3 -m pytest -q -p no:cacheprovider

PROGRAMS = src/supervisor/chapard src/front/login/chapar-login src/front/auth/chapar-auth \
           src/session/chapar-session src/agents/send/chapar-send src/cli/chapar

.PHONY: all run test test-cluster unit wire lint bench fuzz fuzz-quick crash stress freeze-load thread install clean \
        sanitized

all: build/release/build.ninja
	@ninja -C build/release --quiet >/dev/null || ninja -C build/release
	@mkdir -p build/bin
	@cd build/release && install -C -t ../bin $(PROGRAMS)

build/release/build.ninja:
	@tools/packages build
	@$(MESON) build/release -Dbuildtype=release -Ddebug=true -Dtests=false >/dev/null

# The tests run the sanitizer build: unit tests, and a server of it for wire and client tests.
sanitized: build/sanitized/build.ninja
	@ninja -C build/sanitized --quiet >/dev/null || ninja -C build/sanitized
	@mkdir -p build/sanitized/bin
	@cd build/sanitized && install -C -t bin $(PROGRAMS)

build/sanitized/build.ninja:
	@tools/packages test
	@$(MESON) build/sanitized -Db_sanitize=address,undefined >/dev/null

build/fuzz/build.ninja:
	@tools/packages test
	@CC=clang $(MESON) build/fuzz -Dfuzz=true -Db_sanitize=address,undefined >/dev/null

build/thread/build.ninja:
	@tools/packages test
	@$(MESON) build/thread -Db_sanitize=thread >/dev/null

run: all
	@exec /usr/bin/python3 tools/demo.py

test: unit wire fuzz-quick

unit: sanitized
	@meson test -C build/sanitized --no-rebuild --num-processes $(JOBS) --timeout-multiplier 6 || \
		{ tools/failures.py build/sanitized; false; }

# Node.js' packages: those that the lock file names, from the registry that npm knows.
build/imapflow/installed: tests/clients/imapflow/package.json tests/clients/imapflow/package-lock.json
	@tools/packages test
	@mkdir -p build/imapflow
	@cp $^ build/imapflow
	@cd build/imapflow && npm ci --silent --ignore-scripts --no-audit --no-fund
	@touch $@

wire: all sanitized build/imapflow/installed
	@$(PYTEST) -n $(JOBS) --ignore tests/cluster/long tests

test-cluster: sanitized
	@$(PYTEST) tests/cluster

fuzz-quick: FUZZ_SECONDS = 5
fuzz-quick: fuzz

fuzz: build/fuzz/build.ninja
	@ninja -C build/fuzz --quiet
	@tools/fuzz build/fuzz $(FUZZ_SECONDS) $(JOBS)

# A fixed script with every fault at every call, then scripts of all kinds. In memory where there is
# such a place: a disk is what faults.c makes of it.
crash: TMPDIR ?= $(firstword $(wildcard /dev/shm /tmp))
crash: sanitized
	@TMPDIR=$(TMPDIR) CHAPAR_FAULT_POINTS=0 build/sanitized/tests/unit/store/test_store_faults
	@TMPDIR=$(TMPDIR) CHAPAR_CRASH_SECONDS=$(CRASH_SECONDS) build/sanitized/tests/unit/store/test_store_lives

stress: sanitized
	@CHAPAR_STRESS_SECONDS=$(STRESS_SECONDS) $(PYTEST) -s tests/wire/test_stress.py

freeze-load: all
	@tools/packages test
	@CHAPAR_FREEZE_SECONDS=$(FREEZE_SECONDS) CHAPAR_FREEZE_RATE=500 CHAPAR_FREEZE_WRITERS=50 \
		$(PYTEST) -s tests/crash/test_freeze_load.py

thread: build/thread/build.ninja
	@ninja -C build/thread --quiet
	@meson test -C build/thread --no-rebuild --no-suite fuzz --no-suite cluster || \
		{ tools/failures.py build/thread; false; }

lint: all
	@tools/packages test
	@/usr/bin/python3 tools/lint.py

bench: all
	@tools/packages bench
	@/usr/bin/python3 bench/run.py

install: all
	@meson install -C build/release --no-rebuild

clean:
	rm -rf build
