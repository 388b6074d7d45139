# Outrider: see README.md. `make demo` and `make test` install what they need on a fresh Debian 12 or 13, as root.
RELEASE ?= 12
PYTHON = /usr/bin/python3
BIN = .venv/bin
TOOLS = mmdebstrap systemd-container ca-certificates openssl iproute2 util-linux python3-venv python3-dev gcc gnupg debian-archive-keyring lua5.4 lua-socket python3-ldap

.PHONY: demo tour up down test bench soak root tools lock manual clean

demo tour: tools
	$(BIN)/python -m demo $@ --release $(RELEASE)

up: tools dir
	$(BIN)/python -m demo up $(DIR) --release $(RELEASE)

down: tools dir
	$(BIN)/python -m demo down $(DIR)

test: tools
	$(BIN)/tox $(if $(ENV),-e $(ENV))

# BENCH=authd chooses one; RUNS and SECONDS shorten it.
bench: tools
	$(BIN)/python -m bench $(BENCH) $(if $(RUNS),--runs $(RUNS)) $(if $(SECONDS),--seconds $(SECONDS))

soak: tools
	$(BIN)/tox -e soak

dir:
	@test -n "$(DIR)" || { echo "make $(MAKECMDGOALS): say where, for example DIR=/var/tmp/outrider"; exit 2; }

root:
	@test "$$(id -u)" = 0 || { echo "make $(MAKECMDGOALS): root is missing (it boots Debian in folders of its own)"; exit 2; }

# Tools on the machine itself; every server runs inside a root.
tools: root .venv/made
	@dpkg-query -W $(TOOLS) >/dev/null 2>&1 || { apt-get -q update && DEBIAN_FRONTEND=noninteractive \
		apt-get -qy --no-install-recommends install $(TOOLS); }

.venv/made: pyproject.toml requirements.lock | root
	@dpkg-query -W python3-venv >/dev/null 2>&1 || { apt-get -q update && DEBIAN_FRONTEND=noninteractive \
		apt-get -qy --no-install-recommends install python3-venv; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q --upgrade 'pip>=25.1'
	$(BIN)/pip install -q --constraint requirements.lock --group workshop
	touch $@

# Newest versions that pyproject.toml allows, for every Python that we run on.
lock: .venv/made
	$(BIN)/pip install -q uv
	{ head -1 requirements.lock; $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 -q --no-header \
		--no-annotate $(foreach one,test demo types lint layers workshop,--group $(one)); } > requirements.new
	mv requirements.new requirements.lock

# The sample configuration and the manual pages, from the settings classes and the commands.
manual:
	$(BIN)/tox -q -e types --notest && .tox/types/bin/python -m outrider.manual docs

clean:
	rm -rf .venv .tox
