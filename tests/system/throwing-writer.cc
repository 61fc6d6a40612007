// SPDX-License-Identifier: LGPL-2.1-or-later
//
// throwing-writer.cc - a writer in C++ whose Freeze lets an exception out, which no handler may
// (B-73). It tells what it heard in the file that its setting "file" names.

#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>

#include "vss/writer.h"

namespace {

std::string file, folder;

void tell(const char *event) {
        if (FILE *f = std::fopen(file.c_str(), "a")) {
                std::fprintf(f, "%s\n", event);
                std::fclose(f);
        }
}

int configure(vss_writer *, const char *, const char *key, const char *value, vss_error *) {
        (std::strcmp(key, "file") == 0 ? file : folder) = value;
        return 0;
}

int identify(vss_writer *, vss_create_writer_metadata *md, vss_error *e) {
        vss_component_info info = {};
        vss_file_set files = {};
        vss_restore_method method = {};

        method.method = VSS_RME_RESTORE_IF_CAN_REPLACE;
        method.writer_restore = VSS_WRE_NEVER;
        info.type = VSS_CT_FILEGROUP;
        info.name = "throws";
        files.path = folder.c_str();
        files.filespec = "*";
        int r = vss_create_writer_metadata_add_component(md, &info, e);
        if (r >= 0)
                r = vss_create_writer_metadata_add_files_to_file_group(md, nullptr, "throws",
                                                                       &files, e);
        return r < 0 ? r : vss_create_writer_metadata_set_restore_method(md, &method, e);
}

int prepare_snapshot(vss_writer *writer, vss_error *) {
        return vss_writer_deposit_undo(writer, "it", 2);
}

int freeze(vss_writer *, vss_error *) {
        tell("freeze");
        throw std::runtime_error("out of a handler");
}

int thaw(vss_writer *, vss_error *) {
        tell("thaw");
        return 0;
}

void give_up(vss_writer *) {
        tell("abort");
}

int undo(vss_writer *, const void *, size_t size, vss_error *) {
        tell(size == 2 ? "undo" : "undo of something else");
        return 0;
}

vss_writer_ops make() {
        vss_writer_ops ops = {};

        ops.name = "Thrower";
        std::memcpy(ops.id.bytes, "throwing writer.", 16);
        ops.usage = VSS_UT_USERDATA;
        ops.source = VSS_ST_OTHER;
        ops.configure = configure;
        ops.identify = identify;
        ops.prepare_snapshot = prepare_snapshot;
        ops.freeze = freeze;
        ops.thaw = thaw;
        ops.abort = give_up;
        ops.undo = undo;
        return ops;
}

vss_writer_ops ops = make();

} // namespace

VSS_WRITER(ops);
