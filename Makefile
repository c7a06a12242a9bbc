# cutaway: "make demo" shows it, "make test" proves it.
#
# Everything that a target needs besides Go, git and make is installed by the target, quietly and once.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
export CGO_ENABLED := 0
export PATH := $(CURDIR)/bin/tools:$(PATH):/usr/sbin:/sbin

# Root runs commands as they are; everybody else needs sudo, which would forget the path and Go's caches.
KEEP    := PATH="$(PATH)" HOME="$(HOME)" GOPATH="$$($(GO) env GOPATH)" GOCACHE="$$($(GO) env GOCACHE)" CGO_ENABLED=0
AS_ROOT := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# What tests run besides Go; "@": only the program is taken from the package, which would also start a service; its libraries come
# with the others: skopeo's are podman's and dockerd's too, and uidmap has the rest.
TOOLS := skopeo=skopeo docker-registry@docker-registry docker@docker.io dockerd@docker.io containerd@containerd podman@podman \
	conmon=conmon newuidmap=uidmap umoci=umoci runc=runc strace=strace ip=iproute2 nft=nftables jq=jq curl=curl mkfs.btrfs=btrfs-progs \
	fuse-overlayfs=fuse-overlayfs unshare=util-linux
VM_TOOLS   := qemu-system-x86_64=qemu-system-x86 busybox=busybox-static mkfs.ext4=e2fsprogs
LINT_TOOLS := shellcheck=shellcheck

GOLANGCI    := $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULNCHECK := $(GO) run golang.org/x/vuln/cmd/govulncheck@v1.9.0

# ARGS go to go test: make test ARGS='-run TestPivot ./01-chroot/...'
ARGS ?= ./...

.PHONY: help
help: ## show this list
	@echo "cutaway: a container engine that you can see through"; echo
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r t d; do printf '  make %-12s %s\n' "$$t" "$$d"; done

.PHONY: build
build: ## build bin/cutaway, one static binary, and beside it bin/cutaway-toolbox, which runs in the first containers
	@$(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/linked/ ./final/cmd/...
	@install -C bin/linked/* bin/ # what the linker wrote lies page by page in the page cache, a copy in large pieces: each start of a process takes 3 ms less

.PHONY: demo
demo: build demo-tools ## show a container from inside and outside (root or sudo; no network needed)
	@$(AS_ROOT) final/demo

.PHONY: test
test: build tools ## run all tests, in all tiers (root or sudo)
	@if [ -n "$(AS_ROOT)" ]; then exec='-exec=sudo env CUTAWAY_TIER=root '$(KEEP); fi; \
	CUTAWAY_TIER=root $(GO) test -count=1 -timeout 20m $${exec:+"$$exec"} $(ARGS)
	@if [ -x .ci/test-vm ] && [ "$(ARGS)" = ./... ]; then $(MAKE) --no-print-directory test-vm; fi

.PHONY: test-vm
test-vm: vm-tools ## run what depends on the kernel in two virtual machines: cgroup v2 only, and v1 only
	@.ci/test-vm

.PHONY: lint
lint: lint-tools ## go vet, golangci-lint, shellcheck, govulncheck
	@$(GO) vet ./...
	@$(GOLANGCI) run ./...
	@git ls-files | while read -r f; do \
		case $$f in *.tmpl) ;; *.sh | *.bash) echo "$$f" ;; *) if head -qn 1 "$$f" 2>/dev/null | grep -qaE '^#!.*sh$$'; then echo "$$f"; fi ;; esac; \
	done | xargs -r shellcheck
	@.ci/vulncheck $(GOVULNCHECK) ./...

.PHONY: book
book: ## fill the listings and the exercises of the book from the code
	@$(GO) run ./chapters/cmd/book -w
	@$(GO) run ./chapters/cmd/exercise book

# CH is a chapter: 01; DIR a directory for the learner's copy, mine/01-chroot if none is named
.PHONY: exercise grade bin/exercise
exercise: bin/exercise ## copy a chapter's exercises for you to solve: make exercise CH=01 [DIR=…]
	@bin/exercise copy $(CH) $(DIR)
grade: bin/exercise ## grade your copy by looking at the kernel (root or sudo): make grade CH=01 [DIR=…] [ARGS=--json]
	@bin/exercise grade $(filter-out ./...,$(ARGS)) $(CH) $(DIR)
bin/exercise: # Go sees for itself whether there is something to do
	@$(GO) build -buildvcs=false -o $@ ./chapters/cmd/exercise

.PHONY: bench-start
bench-start: build ## time "run --rm … true" beside runc, crun, docker and podman, where installed
	@$(AS_ROOT) final/bench-start

.PHONY: bench-images
bench-images: build tools ## time the pull of 500 MB beside skopeo and umoci, docker and podman, where installed
	@$(AS_ROOT) final/bench-images

.PHONY: clean
clean: ## remove bin/
	@rm -rf bin

.PHONY: tools demo-tools vm-tools lint-tools
tools:
	@.ci/install $(TOOLS)
demo-tools:
	@.ci/install ip=iproute2 unshare=util-linux
vm-tools:
	@.ci/install $(VM_TOOLS)
lint-tools:
	@.ci/install $(LINT_TOOLS)
