#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Build, save and load a Writer Metadata Document of 100,000 components and 1,000,000 file sets, and
# the other document with all of them: seconds and peak memory. Then: choosing among as many components.
set -eu
: "${BUILD:=build}"
ninja -C "$BUILD" bench/bench-documents bench/bench-select >/dev/null
"$BUILD/bench/bench-documents"
"$BUILD/bench/bench-select"
