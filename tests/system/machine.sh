# machine.sh - systemd as the first process of namespaces of their own, over the programs of this
# machine: a machine that boots in a second, and whose disk lasts from one boot to the next. Source
# it behind functions.sh. The kernel is the one that runs; what it shares is read-only in there.
# shellcheck shell=bash

# make_machine [FOLDER...]: a disk, and on it what is in FOLDER (over /)
make_machine() {
    requires unshare
    [ -x /lib/systemd/systemd ] || skip "systemd is not installed"
    grep -qw overlay /proc/filesystems || skip "the kernel has no overlayfs"
    grep -qw cgroup2 /proc/filesystems || skip "the kernel has no control groups of version 2"
    MACHINE=$SCRATCH/machine
    make_fs ext4 256M "$SCRATCH/disk"
    mkdir -p "$SCRATCH/disk/upper/etc/systemd/system/"{local-fs,basic}.target.wants "$SCRATCH/disk/work" "$MACHINE" "$SCRATCH/cgroups"
    mount -t cgroup2 cgroup2 "$SCRATCH/cgroups" || skip "control groups cannot be mounted"
    MACHINE_GROUP=$SCRATCH/cgroups/vss-machine-$$
    mkdir "$MACHINE_GROUP" 2>/dev/null || skip "a control group cannot be made"
    cleanup_fn 'find "$MACHINE_GROUP" -depth -type d -exec rmdir {} \;'
    local folder
    for folder in "$@"; do cp -a "$folder/." "$SCRATCH/disk/upper/"; done
    # the units of this machine, but nothing that would change what the kernel shares with it
    local units=$SCRATCH/disk/upper/etc/systemd/system unit
    for unit in systemd-sysctl.service systemd-modules-load.service systemd-binfmt.service systemd-udevd.service \
        proc-sys-fs-binfmt_misc.automount systemd-udev-trigger.service systemd-resolved.service systemd-networkd.service \
        systemd-timesyncd.service systemd-random-seed.service sys-kernel-debug.mount sys-kernel-tracing.mount \
        sys-fs-fuse-connections.mount dev-hugepages.mount dev-mqueue.mount systemd-logind.service \
        systemd-journald-audit.socket systemd-tmpfiles-setup-dev.service; do
        ln -s /dev/null "$units/$unit"
    done
    : >"$SCRATCH/disk/upper/etc/fstab"
    printf '%s\n' [Unit] AllowIsolate=yes Requires=basic.target After=basic.target Wants=test.service >"$units/test.target"
    printf '%s\n' [Unit] After=basic.target '[Service]' Type=oneshot TimeoutStartSec=180 \
        'ExecStart=/bin/bash -c "bash -eu /run/test >/run/out/said 2>&1; echo $? >/run/out/status"' \
        'ExecStopPost=/bin/systemctl --force exit' >"$units/test.service"
}

# make_disk NAME: a file system of its own at /srv/NAME, unless /etc/no-NAME says that it is missing; names its
# device
make_disk() {
    local units=$SCRATCH/disk/upper/etc/systemd/system device
    truncate -s 128M "$SCRATCH/$1.img"
    mkfs.ext4 -qF "$SCRATCH/$1.img"
    device=$(losetup -f --show "$SCRATCH/$1.img") || skip "no loop device"
    # not a mount unit: that waits for udev, which there is none
    put_unit "$1.service" <<U
[Unit]
DefaultDependencies=no
Before=local-fs.target
ConditionPathExists=!/etc/no-$1
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/mkdir -p /srv/$1
ExecStart=/bin/mount $device /srv/$1
U
    ln -s "../$1.service" "$units/local-fs.target.wants/"
    echo "$device"
}

# put_unit NAME: from standard input
put_unit() { cat >"$SCRATCH/disk/upper/etc/systemd/system/$1"; }

# boot_machine: run standard input as a script in it once it is up, then switch it off at once. What it
# says is said; fails when the script fails
boot_machine() {
    cat >"$SCRATCH/script"
    rm -rf "$SCRATCH/out"
    mkdir "$SCRATCH/out"
    (
        echo "$BASHPID" >"$MACHINE_GROUP/cgroup.procs"
        exec timeout -k 5 240 unshare -m -p -f -C --uts --ipc --kill-child bash -eu "$SCRATCH/init"
    ) >"$SCRATCH/console" 2>&1 || true
    [ -s "$SCRATCH/out/said" ] && cat "$SCRATCH/out/said"
    [ "$(cat "$SCRATCH/out/status" 2>/dev/null)" = 0 ] || { tail -n 40 "$SCRATCH/console" >&2; return 1; }
}

# write_init DEVICE...: the first script of a machine: its file systems, these devices of /dev, then systemd
write_init() {
    printf 'S=%q r=%q devices=%q\n' "$SCRATCH" "$MACHINE" "$*" >"$SCRATCH/init"
    cat >>"$SCRATCH/init" <<'INIT'
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=/,upperdir=$S/disk/upper,workdir=$S/disk/work" "$r"
mount -t proc proc "$r/proc"
mount --bind "$r/proc/sys" "$r/proc/sys"
mount -o remount,bind,ro "$r/proc/sys"
mount -t sysfs sysfs "$r/sys" -o ro
mount -t cgroup2 cgroup2 "$r/sys/fs/cgroup"
mount -t tmpfs tmpfs "$r/dev"
for d in null zero full random urandom tty $devices; do
    : >"$r/dev/$d"
    mount --bind "/dev/$d" "$r/dev/$d"
done
ln -s /proc/self/fd "$r/dev/fd"
mkdir "$r/dev/shm"
mount -t tmpfs tmpfs "$r/run"
mount -t tmpfs tmpfs "$r/tmp"
mkdir "$r/run/out" "$r/run/old"
mount --bind "$S/out" "$r/run/out"
cp "$S/script" "$r/run/test"
hostname machine
cd "$r"
pivot_root . run/old
umount -l run/old
rmdir /run/old
export container=vss PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
exec /lib/systemd/systemd --system --unit=test.target --log-target=console --show-status=0 </dev/null
INIT
}
