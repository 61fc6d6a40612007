# The developer's words for what meson does. README.md has the two commands of a user.
BUILD ?= build
NINJA = ninja -C $(BUILD)

all: $(BUILD)/build.ninja
	$(NINJA)

$(BUILD)/build.ninja:
	meson setup $(BUILD)

deps:
	./tools/install-deps

check: all
	./tests/run $(BUILD)

bench: all
	./bench/run $(BUILD)

install: all
	meson install -C $(BUILD) --no-rebuild

clean:
	rm -rf $(BUILD)

.PHONY: all deps check bench install clean
