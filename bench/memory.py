# SPDX-License-Identifier: LGPL-2.1-or-later
"""The memory of a program and of everything that it starts, every 20 ms until it ends: the sum of
what each process is alone responsible for (Pss) and of the memfds that they hold, at its peak.

usage: memory.py COMMAND..."""
import os
import re
import subprocess
import sys
import time

PSS = re.compile(rb"^Pss:\s+(\d+)", re.M)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def family(root):
    """every process below root, also those that made sessions of their own"""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                stat = read(f"/proc/{name}/stat")
            except OSError:
                continue
            children.setdefault(int(stat[stat.rindex(b")") + 2:].split()[1]), []).append(int(name))
    found, new = [], [root]
    while new:
        found += new
        new = [c for p in new for c in children.get(p, [])]
    return found


def name_of(pid):
    words = read(f"/proc/{pid}/cmdline").decode(errors="replace").split("\0")
    return " ".join([os.path.basename(words[0])] + [os.path.basename(w) for w in words[1:3]
                                                    if "vss-host" in words[0]])


def memfds(pid, seen):
    """KiB of the memfds of a process that no process before it holds; what is mapped is in Pss"""
    total = 0
    for fd in os.listdir(f"/proc/{pid}/fd"):
        path = f"/proc/{pid}/fd/{fd}"
        try:
            if os.readlink(path).startswith("/memfd:"):
                st = os.stat(path)
                total += 0 if st.st_ino in seen else st.st_blocks // 2
                seen.add(st.st_ino)
        except OSError:
            pass
    return total


def sample(root):
    shares, seen, files = {}, set(), 0
    for pid in family(root):
        try:
            name = name_of(pid)
            shares[name, pid] = int(PSS.search(read(f"/proc/{pid}/smaps_rollup")).group(1))
            files += memfds(pid, seen)
        except (OSError, AttributeError):
            continue  # it has just ended
    shares["memfds", 0] = files
    return sum(shares.values()), shares


def main():
    process = subprocess.Popen(sys.argv[1:])
    peak, at, own, count, begin = 0, {}, {}, 0, time.monotonic()
    while process.poll() is None:
        due = time.monotonic() + 0.02
        total, shares = sample(process.pid)
        count += 1
        for key, value in shares.items():
            own[key] = max(own.get(key, 0), value)
        if total > peak:
            peak, at, when = total, shares, time.monotonic() - begin
        time.sleep(max(0, due - time.monotonic()))
    print(f"{count} looks in {time.monotonic() - begin:.1f} s; the peak is at {when:.1f} s")
    print(f"{'':34} {'at the peak':>12} {'its own peak':>12}")
    for (name, pid), value in sorted(own.items(), key=lambda i: -i[1]):
        print(f"{name:34} {at.get((name, pid), 0) / 1024:9.1f} MB {value / 1024:9.1f} MB")
    print(f"{'together':34} {peak / 1024:9.1f} MB")
    return process.returncode


sys.exit(main())
