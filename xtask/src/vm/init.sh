#!/bin/sh
# The first process of the virtual machine: mounts what a system has, runs the tests, and ends the machine.
export PATH=/bin:/sbin INSIGHT_BIN_DIR=/bin RUST_BACKTRACE=0
mount -t devtmpfs none /dev
exec </dev/null >/dev/console 2>&1
mount -t proc none /proc
mount -t sysfs none /sys
mount -t tmpfs none /run
mount -t tmpfs none /tmp
mount -t cgroup2 none /sys/fs/cgroup
mount -t bpf none /sys/fs/bpf
mount -t tracefs none /sys/kernel/tracing
for module in /modules/*.ko; do
    insmod "$module" || echo "insight-vm: cannot load $module"
done
ip link set lo up
insight-vm || echo "insight-vm: it ended with $?"
# QEMU is told not to start again.
reboot -f
