#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Build, save and load a Writer Metadata Document of 100,000 components and 1,000,000 file sets, and
# the other document with all of them: seconds and peak memory.
set -eu
: "${BUILD:=build}"
ninja -C "$BUILD" bench/bench-documents >/dev/null
"$BUILD/bench/bench-documents"
