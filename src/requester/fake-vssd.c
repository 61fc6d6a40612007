/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "requester/fake-vssd.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/memfd.h"
#include "base/process.h"
#include "bus/names.h"
#include "documents/create-metadata.h"
#include "tests/check.h"

/* ---- writers ---- */

static void declare(struct vss_create_writer_metadata *md, const struct fake_component *c) {
        const struct vss_component_info info = { .type = VSS_CT_FILEGROUP,
                                                 .logical_path = c->path,
                                                 .name = c->name,
                                                 .selectable = !c->is_required };
        const struct vss_file_set files = { .path = c->files ? c->files : "/srv",
                                            .filespec = "*",
                                            .recursive = true };

        CHECK_INT(vss_create_writer_metadata_add_component(md, &info, NULL), 0);
        CHECK_INT(vss_create_writer_metadata_add_files_to_file_group(md, c->path, c->name, &files,
                                                                     NULL),
                  0);
        if (c->depends_on)
                CHECK_INT(vss_create_writer_metadata_add_component_dependency(
                                  md, c->path, c->name, c->depends_on, NULL, c->depends_on_name,
                                  NULL),
                          0);
}

struct fake_writer *fake_declare(struct fake *fake, const struct fake_declaration *d) {
        const struct vss_writer_identity identity = { .instance_id = *d->instance,
                                                      .writer_id = *d->class_id,
                                                      .name = d->name,
                                                      .instance_name = d->instance_name,
                                                      .usage = VSS_UT_USERDATA,
                                                      .source = VSS_ST_OTHER };
        const struct vss_restore_method method = {
                .method = d->method ? d->method : VSS_RME_RESTORE_IF_CAN_REPLACE,
                .writer_restore = d->events ? d->events : VSS_WRE_ALWAYS
        };
        struct fake_writer *w = &fake->writers[fake->writer_count++];
        struct vss_create_writer_metadata *md;

        CHECK(fake->writer_count <= ELEMENTSOF(fake->writers));
        CHECK_INT(create_writer_metadata_new(&identity, false, &md, NULL), 0);
        for (size_t i = 0; i < ELEMENTSOF(d->components) && d->components[i].name; i++)
                declare(md, &d->components[i]);
        CHECK_INT(vss_create_writer_metadata_set_restore_method(md, &method, NULL), 0);
        if (d->schema)
                CHECK_INT(vss_create_writer_metadata_set_backup_schema(md, d->schema, NULL), 0);
        CHECK_INT(create_writer_metadata_finish(md, NULL, &w->metadata, &w->metadata_size, NULL),
                  0);
        create_writer_metadata_free(md);
        w->identity =
                (struct wire_identity){ .writer_id = *d->class_id, .instance_id = *d->instance };
        w->identity.name = strdup(d->name);
        w->identity.instance_name = strdup(d->instance_name);
        w->status = (struct wire_status){ .writer_id = *d->class_id,
                                          .instance_id = *d->instance,
                                          .state = VSS_WS_STABLE };
        w->components = -1;
        return w;
}

struct fake_writer *fake_add_writer(struct fake *fake, const struct vss_id *class_id,
                                    const struct vss_id *instance, const char *name,
                                    const char *component) {
        return fake_declare(fake, &(struct fake_declaration){ .class_id = class_id,
                                                              .instance = instance,
                                                              .name = name,
                                                              .instance_name = "one",
                                                              .components = { { component } } });
}

static struct fake_writer *find_writer(struct fake *fake, const struct vss_id *instance) {
        for (size_t i = 0; i < fake->writer_count; i++)
                if (vss_id_equal(&fake->writers[i].identity.instance_id, instance))
                        return &fake->writers[i];
        return NULL;
}

static char *replace_text(const char *xml, const char *from, const char *to) {
        const char *at = strstr(xml, from);
        char *changed;

        CHECK(at);
        CHECK(asprintf(&changed, "%.*s%s%s", (int)(at - xml), xml, to, at + strlen(from)) > 0);
        return changed;
}

/* what a writer's runtime does with its part */
static void handle_event(struct fake_writer *w, const char *member) {
        enum component_event event =
                !strcmp(member, "PrepareForBackup") ? COMPONENT_EVENT_PREPARE_BACKUP
                : !strcmp(member, "DoSnapshotSet")  ? COMPONENT_EVENT_POST_SNAPSHOT
                : !strcmp(member, "PreRestore")     ? COMPONENT_EVENT_PRE_RESTORE
                : !strcmp(member, "PostRestore")    ? COMPONENT_EVENT_POST_RESTORE
                                                    : COMPONENT_EVENT_NONE;
        struct vss_writer_components *part;
        char *xml, *changed;
        size_t size;

        if (w->components < 0 || event == COMPONENT_EVENT_NONE)
                return;
        CHECK_INT(memfd_read(w->components, 1 << 20, &xml, &size), 0);
        CHECK_INT(writer_components_load(xml, size, NULL, NULL, &part, NULL), 0);
        free(xml);
        writer_components_set_event(part, event);
        if (w->edit)
                w->edit(vss_writer_components_get_component(part, 0));
        CHECK_INT(writer_components_save(part, &xml, &size, NULL), 0);
        writer_components_free(part);
        if (w->lie) {
                changed = replace_text(xml, "\"data\"", "\"atad\"");
                free(xml);
                xml = changed;
        }
        close(w->components);
        w->components = memfd_new_sealed("part", xml, strlen(xml));
        CHECK(w->components >= 0);
        free(xml);
}

/* "PreRestore:Notes/one " */
static void note_recipient(struct fake *fake, sd_bus_message *m, const struct fake_writer *w) {
        size_t n = strlen(fake->given);

        (void)snprintf(fake->given + n, sizeof(fake->given) - n, "%s:%s/%s ",
                       sd_bus_message_get_member(m), w->identity.name, w->identity.instance_name);
}

static void note_warnings(struct fake *fake, sd_bus_message *m) {
        struct wire_restore_options options = { 0 };
        size_t n = strlen(fake->warnings);

        CHECK_INT(wire_read(m, &wire_restore_options, &options), 0);
        if (options.warnings)
                (void)snprintf(fake->warnings + n, sizeof(fake->warnings) - n, "%s\n",
                               options.warnings);
        wire_clear(&wire_restore_options, &options);
}

static void take_documents(struct fake *fake, sd_bus_message *m) {
        struct vss_id instance;
        int fd;

        CHECK(sd_bus_message_enter_container(m, 'a', "(sh)") > 0);
        while (sd_bus_message_enter_container(m, 'r', "sh") > 0) {
                struct fake_writer *w;

                CHECK_INT(wire_read_id(m, &instance), 0);
                CHECK(sd_bus_message_read_basic(m, 'h', &fd) > 0);
                w = find_writer(fake, &instance);
                CHECK(w);
                note_recipient(fake, m, w);
                if (w->components >= 0)
                        close(w->components);
                w->components = fcntl(fd, F_DUPFD_CLOEXEC, 3);
                CHECK(sd_bus_message_exit_container(m) >= 0);
        }
        CHECK(sd_bus_message_exit_container(m) >= 0);
}

/* ---- answers ---- */

static sd_bus_message *new_reply(sd_bus_message *m) {
        sd_bus_message *reply;

        CHECK(sd_bus_message_new_method_return(m, &reply) >= 0);
        return reply;
}

static void send_signals(struct fake *fake) {
        char path[64];
        int code = fake->completes_with ? fake->completes_with : VSS_S_ASYNC_FINISHED;

        snprintf(path, sizeof(path), VSS_OPERATION_PREFIX "%u", fake->operations);
        CHECK(sd_bus_emit_signal(fake->bus, path, VSS_OPERATION_INTERFACE, "Progress", "ss",
                                 "freeze", "Notes") >= 0);
        CHECK(sd_bus_emit_signal(fake->bus, path, VSS_OPERATION_INTERFACE, "Completed", "is", code,
                                 code < 0 ? "the words of the failure" : "") >= 0);
}

static int answer_operation(struct fake *fake, sd_bus_message *m, const char *member) {
        char path[64];

        snprintf(path, sizeof(path), VSS_OPERATION_PREFIX "%u", ++fake->operations);
        CHECK(sd_bus_reply_method_return(m, "o", path) >= 0);
        if (fake->never_completes)
                return 1;
        for (size_t i = 0; i < fake->writer_count; i++)
                handle_event(&fake->writers[i], member);
        send_signals(fake);
        return 1;
}

static void note_filter(struct fake *fake, sd_bus_message *m) {
        fake->filter[0] = '\0';
        for (int list = 0; list < 3; list++) {
                const char *id;

                CHECK(sd_bus_message_enter_container(m, 'a', "s") > 0);
                while (sd_bus_message_read_basic(m, 's', &id) > 0)
                        strncat(fake->filter, id, 2);
                strcat(fake->filter, "|");
                CHECK(sd_bus_message_exit_container(m) >= 0);
        }
}

static int answer_metadata(struct fake *fake, sd_bus_message *m) {
        _cleanup_message_ sd_bus_message *reply = new_reply(m);

        CHECK(sd_bus_message_open_container(reply, 'a', "(a{sv}h)") >= 0);
        for (size_t i = 0; i < fake->writer_count; i++) {
                struct fake_writer *w = &fake->writers[i];
                int fd = memfd_new_sealed("md", w->metadata, w->metadata_size);

                CHECK(fd >= 0);
                CHECK(sd_bus_message_open_container(reply, 'r', "a{sv}h") >= 0);
                CHECK_INT(wire_append(reply, &wire_identity, &w->identity), 0);
                CHECK(sd_bus_message_append_basic(reply, 'h', &fd) >= 0);
                CHECK(sd_bus_message_close_container(reply) >= 0);
                close(fd);
        }
        CHECK(sd_bus_message_close_container(reply) >= 0);
        return sd_bus_message_send(reply);
}

static int answer_components(struct fake *fake, sd_bus_message *m) {
        _cleanup_message_ sd_bus_message *reply = new_reply(m);

        CHECK(sd_bus_message_open_container(reply, 'a', "(sh)") >= 0);
        for (size_t i = 0; i < fake->writer_count; i++) {
                struct fake_writer *w = &fake->writers[i];

                if (w->components < 0)
                        continue;
                CHECK(sd_bus_message_open_container(reply, 'r', "sh") >= 0);
                CHECK_INT(wire_append_id(reply, &w->identity.instance_id), 0);
                CHECK(sd_bus_message_append_basic(reply, 'h', &w->components) >= 0);
                CHECK(sd_bus_message_close_container(reply) >= 0);
        }
        CHECK(sd_bus_message_close_container(reply) >= 0);
        return sd_bus_message_send(reply);
}

static int answer_status(struct fake *fake, sd_bus_message *m) {
        _cleanup_message_ sd_bus_message *reply = new_reply(m);

        CHECK(sd_bus_message_open_container(reply, 'a', "a{sv}") >= 0);
        for (size_t i = 0; i < fake->writer_count; i++)
                CHECK_INT(wire_append(reply, &wire_status, &fake->writers[i].status), 0);
        CHECK(sd_bus_message_close_container(reply) >= 0);
        return sd_bus_message_send(reply);
}

static int answer_copies(struct fake *fake, sd_bus_message *m, bool one) {
        _cleanup_message_ sd_bus_message *reply = new_reply(m);

        if (one)
                CHECK_INT(wire_append(reply, &wire_snapshot, fake->copies.items), 0);
        else
                CHECK_INT(wire_append_records(reply, &wire_snapshot, &fake->copies), 0);
        return sd_bus_message_send(reply);
}

static int answer_volumes(sd_bus_message *m) {
        char provider[] = "memory", refusal[] = "nobody wants it";
        struct wire_candidate items[2] = {
                { .volume = { .id = "UUID=1", .mount_point = "/" }, .provider = provider },
                { .volume = { .id = "UUID=2", .mount_point = "/srv" }, .refusal = refusal },
        };
        struct wire_records records = { items, 2 };
        _cleanup_message_ sd_bus_message *reply = new_reply(m);

        CHECK_INT(wire_append_records(reply, &wire_candidate, &records), 0);
        return sd_bus_message_send(reply);
}

/* "/bad..." is refused, everything else lies on one volume */
static int answer_paths(sd_bus_message *m) {
        char id[] = "UUID=1", provider[] = "memory", words[] = "it is bad";
        char error[] = "org.vss1.Error.VSS_E_VOLUME_NOT_LOCAL";
        struct wire_candidate volume = { .volume = { .id = id }, .provider = provider };
        _cleanup_message_ sd_bus_message *reply = new_reply(m);
        struct wire_records paths = { 0 };

        CHECK_INT(wire_read_records(m, &wire_path_question, &paths), 0);
        CHECK(sd_bus_message_open_container(reply, 'a', "a{sv}") >= 0);
        for (size_t i = 0; i < paths.count; i++) {
                struct wire_path_question *question = (struct wire_path_question *)paths.items + i;
                bool bad = strncmp(question->path, "/bad", 4) == 0;
                struct wire_resolved answer = { .error = bad ? error : NULL,
                                                .words = bad ? words : NULL,
                                                .volumes = { &volume, bad ? 0 : 1 } };

                volume.volume.mount_point = question->path;
                volume.volume.read_only = question->below;
                CHECK(wire_append(reply, &wire_resolved, &answer) >= 0);
        }
        CHECK(sd_bus_message_close_container(reply) >= 0);
        wire_clear_records(&wire_path_question, &paths);
        return sd_bus_message_send(reply);
}

static int answer_providers(sd_bus_message *m) {
        char name[] = "memory";
        struct vss_provider_prop prop = { .name = name, .kind = VSS_PROV_SOFTWARE };
        struct wire_records records = { &prop, 1 };
        _cleanup_message_ sd_bus_message *reply = new_reply(m);

        CHECK_INT(wire_append_records(reply, &wire_provider, &records), 0);
        return sd_bus_message_send(reply);
}

static const char an_id[] = "01020300-0000-0000-0000-000000000000";

static int answer(struct fake *fake, sd_bus_message *m, const char *member) {
        if (!strcmp(member, "CreateSession"))
                return sd_bus_reply_method_return(
                        m, "o", VSS_SESSION_PREFIX "0102030405060708090a0b0c0d0e0f10");
        if (!strcmp(member, "GatherWriterMetadata"))
                note_filter(fake, m);
        if (!strcmp(member, "GiveDocuments") || !strcmp(member, "PrepareForBackup") ||
            !strcmp(member, "BackupComplete") || !strcmp(member, "PreRestore") ||
            !strcmp(member, "PostRestore"))
                take_documents(fake, m);
        if (!strcmp(member, "PreRestore") || !strcmp(member, "PostRestore"))
                note_warnings(fake, m);
        if (!strcmp(member, "GiveDocuments"))
                return sd_bus_reply_method_return(m, "");
        if (!strcmp(sd_bus_message_get_signature(m, true), "a(sh)a{sv}") ||
            !strcmp(member, "DoSnapshotSet") || !strcmp(member, "GatherWriterMetadata"))
                return answer_operation(fake, m, member);
        if (!strcmp(member, "GetWriterMetadata"))
                return answer_metadata(fake, m);
        if (!strcmp(member, "GetWriterComponents"))
                return answer_components(fake, m);
        if (!strcmp(member, "GetWriterStatus"))
                return answer_status(fake, m);
        if (!strcmp(member, "StartSnapshotSet") || !strcmp(member, "AddToSnapshotSet"))
                return sd_bus_reply_method_return(m, "s", an_id);
        if (!strcmp(member, "IsVolumeSupported"))
                return sd_bus_reply_method_return(m, "ba{sv}", 0, 1, "refusal", "s", "too small");
        if (!strcmp(member, "Query"))
                return answer_copies(fake, m, false);
        if (!strcmp(member, "GetSnapshotProperties"))
                return answer_copies(fake, m, true);
        if (!strcmp(member, "DeleteSnapshots"))
                return sd_bus_reply_method_return(m, "usss", 1, an_id,
                                                  "org.vss1.Error.VSS_E_PROVIDER_VETO", "in use");
        if (!strcmp(member, "GetSetTiming"))
                return sd_bus_reply_method_return(m, "tt", (uint64_t)1234, (uint64_t)56);
        if (!strcmp(member, "ListVolumes") || !strcmp(member, "ResolvePath"))
                return answer_volumes(m);
        if (!strcmp(member, "ResolvePaths"))
                return answer_paths(m);
        if (!strcmp(member, "ListProviders"))
                return answer_providers(m);
        if (!strcmp(member, "Cancel"))
                return sd_bus_reply_method_return(m, "i", 0);
        return sd_bus_reply_method_return(m, "");
}

static int on_call(sd_bus_message *m, void *userdata, sd_bus_error *e) {
        const char *member = sd_bus_message_get_member(m);
        struct fake *fake = userdata;

        if (!sd_bus_message_is_method_call(m, NULL, NULL))
                return 0;
        strncat(fake->calls, member, sizeof(fake->calls) - strlen(fake->calls) - 2);
        strcat(fake->calls, " ");
        if (fake->refuse && !strcmp(fake->refuse, member)) {
                _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;

                vss_fail(&error, fake->refuse_code, "%s is refused", member);
                return wire_set_error(e, fake->refuse_code, &error);
        }
        if (fake->die_at && !strcmp(fake->die_at, member)) {
                if (fake->die_later)
                        CHECK(answer(fake, m, member) >= 0);
                sd_bus_flush(fake->bus);
                sd_bus_close(fake->bus);
                return 1;
        }
        return answer(fake, m, member) < 0 ? -EIO : 1;
}

static void *serve(void *userdata) {
        struct fake *fake = userdata;

        for (;;) {
                int r = sd_bus_process(fake->bus, NULL);

                if (r < 0)
                        return NULL;
                if (r == 0 && sd_bus_wait(fake->bus, UINT64_MAX) < 0)
                        return NULL;
        }
}

void fake_start(struct fake *fake, int *ret_fd) {
        int pair[2];

        CHECK_INT(socketpair_cloexec(pair), 0);
        CHECK_INT(wire_connect(pair[0], true, &fake->bus), 0);
        CHECK(sd_bus_add_filter(fake->bus, NULL, on_call, fake) >= 0);
        CHECK_INT(pthread_create(&fake->thread, NULL, serve, fake), 0);
        *ret_fd = pair[1];
}

void fake_stop(struct fake *fake) {
        pthread_join(fake->thread, NULL);
        sd_bus_unref(fake->bus);
        for (size_t i = 0; i < fake->writer_count; i++) {
                struct fake_writer *w = &fake->writers[i];

                if (w->components >= 0)
                        close(w->components);
                free(w->metadata);
                wire_clear(&wire_identity, &w->identity);
                wire_clear(&wire_status, &w->status);
        }
        memset(fake, 0, sizeof(*fake));
}
