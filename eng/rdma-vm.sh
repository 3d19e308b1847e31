#!/usr/bin/env bash
# Runs a command as root in a throw-away virtual machine whose kernel has soft-RoCE devices: for machines that have no RDMA device.
#
#   eng/rdma-vm.sh [--nics N] [--cpus N] [--memory MIB] [--timeout SECONDS] [--boot SECONDS] [--kernel PACKAGE] [--icount] [--verbose] -- COMMAND [ARGUMENT...]
#
# The command finds this machine's file system (what it writes there is lost), its own directory, PATH, HOME and the variables of the
# kinds below, rxe0 … rxe(N-1), and no other network. rxe<i> is made over rnic<i>, which has 10.77.0.<i+1>/16; the other end of its
# wire, rpeer<i>, is a port of a bridge: `ip link set rpeer0 down` pulls the plug, `tc qdisc add dev rpeer0 root netem loss 2%` spoils it.
# Its output, both kinds as one, comes to standard output. Exit code: the command's; 124: it did not end in time, counted from
# its start; 125: no machine came up; 2: usage.
# Needs root on Debian or Ubuntu; installs what is missing. Without /dev/kvm the processor is emulated: correct, and ten times slower.
# --icount emulates it even so, one processor by one thread, and lets the guest's clock count executed instructions (1 ns each, idle time
# skipped): what else this machine does changes no figure. For ratios within one boot; a nanosecond of it is none of anybody's hardware.
set -euo pipefail

nics=2 cpus='' memory=2048 limit=300 boot='' verbose='' icount=''
# The first that apt knows: Debian 12's newer line, Debian's own, Ubuntu's.
kernels=(linux-image-6.12-amd64 linux-image-amd64 linux-image-generic)
usage() { sed -n '4p' "${BASH_SOURCE[0]}" >&2; exit 2; }
while [[ $# -gt 0 && "$1" != -- ]]; do
    case "$1" in
        --verbose) verbose=1; shift; continue ;;
        --icount) icount=1; shift; continue ;;
        --kernel) [[ -n "${2:-}" ]] || usage; kernels=("$2"); shift 2; continue ;;
        --nics) nics="${2:-}" ;;
        --cpus) cpus="${2:-}" ;;
        --memory) memory="${2:-}" ;;
        --timeout) limit="${2:-}" ;;
        --boot) boot="${2:-}" ;;
        *) usage ;;
    esac
    [[ "${2:-}" =~ ^[1-9][0-9]*$ ]] || usage
    shift 2
done
[[ $# -gt 1 ]] || usage
shift

say() { echo "rdma-vm: $*" >&2; }

twice() { "$@" || { say "again: $*"; "$@"; }; }

install_tools() {
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends \
        qemu-system-x86 busybox-static iproute2 rdma-core ibverbs-providers kmod cpio xz-utils > /dev/null
}

tools() {
    local tool
    for tool in qemu-system-x86_64 ip rdma modprobe depmod cpio xz; do
        command -v "$tool" > /dev/null || { twice install_tools; return; }
    done
    # The guest's first process has no library at hand, and verbs need the part that knows the devices.
    dpkg -s busybox-static ibverbs-providers > /dev/null 2>&1 || twice install_tools
}

# The package behind the kernel's name; it is only unpacked, never installed.
kernel_package() {
    local name package
    for name in "${kernels[@]}"; do
        package="$(apt-cache depends "$name" 2> /dev/null | awk '/Depends: linux-image-[0-9]/ { print $2; exit }')"
        [[ -z "$package" ]] || { echo "$package"; return; }
    done
    say "apt knows none of: ${kernels[*]}"
    return 1
}

# make_kernel PACKAGE DIRECTORY: vmlinuz, and an initial file system with the modules in the order of their needs.
make_kernel() {
    local package="$1" out="$2" release="${1#linux-image-}" work module file
    work="$(mktemp -d "$out.XXXXXX")"
    (cd "$work" && twice apt-get download -qq -o APT::Sandbox::User=root "$package" > /dev/null)
    mkdir -p "$work/package" "$work/first/modules" "$work/first/bin" "$work/first"/{proc,sys,dev,lower,upper,root,job}
    local tree="./lib/modules/$release/kernel"
    dpkg --fsys-tarfile "$work"/*.deb | tar x -C "$work/package" --wildcards "./boot/vmlinuz-$release" "./lib/modules/$release/modules.*" \
        "$tree/"{net,lib,crypto,arch,fs/9p,fs/netfs,fs/fscache,fs/overlayfs,fs/configfs,drivers/virtio,drivers/char,drivers/infiniband/core,drivers/infiniband/sw,drivers/net/veth*} \
        2> "$work/absent" || [[ -s "$work/package/boot/vmlinuz-$release" ]]
    depmod -b "$work/package" "$release"
    for module in virtio_pci virtio_console virtio_rng 9pnet_virtio 9p overlay veth bridge sch_netem crc32_generic ib_uverbs rdma_ucm rdma_rxe; do
        modprobe -d "$work/package" -S "$release" --show-depends "$module"
    done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' > "$work/order"
    while read -r file; do
        module="$(basename "${file%.xz}")"
        if [[ "$file" == *.xz ]]; then xz -dc "$file"; else cat "$file"; fi > "$work/first/modules/$module"
        echo "$module" >> "$work/first/modules/order"
    done < "$work/order"
    cp "$(dpkg -L busybox-static | grep -m 1 '/bin/busybox$')" "$work/first/bin/busybox"
    first_process > "$work/first/init"
    chmod +x "$work/first/init"
    mkdir "$work/done"
    mv "$work/package/boot/vmlinuz-$release" "$work/done/vmlinuz"
    (cd "$work/first" && find . | cpio --quiet -o -H newc) > "$work/done/initrd"
    mv "$work/done" "$out"
    rm -rf "$work"
}

# Puts a memory file system over this machine's and goes there.
first_process() {
    cat << 'INIT'
#!/bin/busybox sh
for name in mount insmod mkdir switch_root; do /bin/busybox ln -s busybox /bin/$name; done
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read module; do insmod /modules/$module; done < /modules/order
mount -t 9p -o trans=virtio,version=9p2000.L,msize=500000,ro,cache=loose machine /lower
mount -t 9p -o trans=virtio,version=9p2000.L,msize=500000,cache=none job /job
mount -t tmpfs upper /upper
mkdir /upper/files /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work files /root
for place in proc sys dev; do mount --move /$place /root/$place; done
mkdir -p /root/run/rdma-vm /root/dev/shm /root/dev/pts
mount --move /job /root/run/rdma-vm
mount -t tmpfs shm /root/dev/shm
mount -t devpts pts /root/dev/pts
exec switch_root /root /bin/bash /run/rdma-vm/guest
INIT
}

# The job's own script: what the caller wants to run, in its place and with its variables.
job() {
    local variable
    for variable in PATH HOME LANG LD_LIBRARY_PATH CI "${!DOTNET_@}" "${!GARDEN_@}" "${!RDMA_@}" "${!FI_@}"; do
        [[ ! -v "$variable" ]] || printf 'export %s=%q\n' "$variable" "${!variable}"
    done
    printf 'cd %q || exit 126\nexec' "$PWD"
    printf ' %q' "$@"
    echo
}

# The guest's script: devices, then the job, then off.
guest() {
    cat << GUEST
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
ulimit -l unlimited; ulimit -n 65536
ln -s /proc/self/fd /dev/fd; ln -s fd/0 /dev/stdin; ln -s fd/1 /dev/stdout; ln -s fd/2 /dev/stderr
# Addresses of one host talk over the wires and not over lo, and each answers for its own address only.
echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6
echo 1 > /proc/sys/net/ipv4/conf/all/accept_local
echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore
echo 2 > /proc/sys/net/ipv4/conf/all/arp_announce
ip link set lo up
# Room for an InfiniBand MTU of 4096 and its headers.
ip link add fabric mtu 4200 type bridge && ip link set fabric up
for ((nic = 0; nic < $nics; nic++)); do
    ip link add rnic\$nic mtu 4200 type veth peer name rpeer\$nic mtu 4200
    ip link set rpeer\$nic master fabric up
    ip addr add 10.77.0.\$((nic + 1))/16 dev rnic\$nic
    ip link set rnic\$nic up
    rdma link add rxe\$nic type rxe netdev rnic\$nic
done
chmod a+rw /dev/infiniband/*
stty -F /dev/hvc0 raw -echo
: > /run/rdma-vm/started
bash /run/rdma-vm/job < /dev/null 2>&1 | cat > /dev/hvc0
echo "\${PIPESTATUS[0]}" > /run/rdma-vm/code.part
sync
mv /run/rdma-vm/code.part /run/rdma-vm/code
echo o > /proc/sysrq-trigger
sleep 60
GUEST
}

[[ "$(id -u)" -eq 0 ]] || { say "needs root"; exit 125; }
tools || { say "qemu and its tools could not be installed"; exit 125; }
cache="${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/garden-rdma-vm"
mkdir -p "$cache"
package="$(kernel_package)" || { twice apt-get update -qq && package="$(kernel_package)"; } || exit 125
# What is made depends on how as well.
kernel="$cache/$package-$(declare -f make_kernel first_process | sha256sum | cut -c 1-12)"
(flock 9; [[ -s "$kernel/initrd" ]] || make_kernel "$package" "$kernel") 9> "$cache/lock" || { say "$package could not be made ready"; exit 125; }

run="$(mktemp -d)" machine=''
stop() { [[ -z "$machine" ]] || { kill -9 "$machine" && wait "$machine"; } 2> /dev/null || true; machine=''; }
trap 'stop; rm -rf "$run"' EXIT
mkdir "$run/job"
job "$@" > "$run/job/job"
guest > "$run/job/guest"

line='console=ttyS0 quiet panic=-1 oops=panic mitigations=off rcupdate.rcu_expedited=1 random.trust_cpu=on'
# An emulated iret of user code (the .NET runtime resumes threads by one) reads the stack with the kernel's rights: with SMAP the guest panics.
if [[ -n "$icount" ]]; then
    accelerator=(-accel "tcg,thread=single,tb-size=512" -icount "shift=0,sleep=off" -cpu max,smap=off)
    cpus="${cpus:-1}" boot="${boot:-240}"
    line+=" no_timer_check tsc=reliable tsc_early_khz=1000000"
elif [[ -w /dev/kvm ]]; then
    accelerator=(-accel kvm -cpu host)
    boot="${boot:-60}"
else
    accelerator=(-accel "tcg,thread=multi,tb-size=512" -cpu max,smap=off)
    boot="${boot:-180}"
    # Measured at boot on a busy machine, the frequency of an emulated counter comes out wrong and time jumps: name it, or do without.
    khz="$(dmesg 2> /dev/null | sed -nE 's/.*tsc: Detected ([0-9]+)\.([0-9]{3}) MHz processor.*/\1\2/p' | tail -n 1)"
    line+=" no_timer_check $([[ -n "$khz" ]] && echo "tsc=reliable tsc_early_khz=$khz" || echo 'tsc=unstable clocksource=hpet')"
fi

share() { echo "-virtfs local,mount_tag=$1,path=$2,security_model=none,multidevs=remap$3"; }

for attempt in 1 2 3; do
    rm -f "$run/job/started"
    # shellcheck disable=SC2046 # two words each
    qemu-system-x86_64 "${accelerator[@]}" -M q35 -smp "${cpus:-2}" -m "$memory" -nodefaults -display none -no-reboot -monitor none \
        -kernel "$kernel/vmlinuz" -initrd "$kernel/initrd" -append "$line" -serial "file:$run/console" -device virtio-rng-pci \
        -device virtio-serial-pci -chardev stdio,id=output,signal=off -device virtconsole,chardev=output \
        $(share machine / ,readonly=on) $(share job "$run/job" '') < /dev/null 2> "$run/qemu" &
    machine=$! since=$SECONDS started='' late=''
    while kill -0 "$machine" 2> /dev/null; do
        sleep 0.1
        if [[ -z "$started" && -e "$run/job/started" ]]; then
            [[ -z "$verbose" ]] || say "up after $((SECONDS - since)) s"
            started=1 since=$SECONDS
        fi
        [[ $((SECONDS - since)) -lt $([[ -n "$started" ]] && echo "$limit" || echo "$boot") ]] || { late=1; stop; break; }
    done
    machine=''
    [[ ! -e "$run/job/started" ]] || break
    say "attempt $attempt: the machine did not come up${late:+ within $boot s}"
done
[[ -z "$verbose" ]] || cat "$run/console" >&2
[[ ! -s "$run/job/code" ]] || exit "$(cat "$run/job/code")"
cat "$run/qemu" >&2
tail -n 25 "$run/console" >&2
[[ -e "$run/job/started" ]] || exit 125
[[ -z "$late" ]] || { say "the command did not end within $limit s"; exit 124; }
say "the machine died under the command"
exit 125
