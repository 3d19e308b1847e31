#!/usr/bin/env bash
# compare-perftest.sh [DEVICE [DEVICE]]: ib_write_lat and ib_write_bw of perftest beside garden-perf fabric --fabric verbs, in turns. Both ends on
# this host: by default its first RDMA device and its last. perftest can only spin for the end of writes, which takes a software device's time.
# Needs: apt-get install -y perftest ibverbs-providers. Without a device: eng/rdma-vm.sh --icount --timeout 600 -- perf/compare-perftest.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
command -v ib_write_bw > /dev/null || { echo "ib_write_bw is not here: apt-get install -y perftest" >&2; exit 1; }
devices=("$@")
if [[ ${#devices[@]} -eq 0 ]]; then
    mapfile -t devices < <(ls /sys/class/infiniband 2> /dev/null)
    [[ ${#devices[@]} -ne 0 ]] || { echo "There is no RDMA device. One of software: rdma link add rxe0 type rxe netdev eth0" >&2; exit 1; }
fi
server="${devices[0]}" client="${devices[-1]}" port=18600
perf="Garden.Perf/bin/Release/net10.0/garden-perf"
[[ -x "$perf" ]] || dotnet build -c Release --nologo -v q Garden.Perf

# gid DEVICE: the arguments that choose the RoCE v2 address of its IPv4 address; none on InfiniBand, where LIDs address.
gid() {
    local ports="/sys/class/infiniband/$1/ports/1" index
    [[ "$(cat "$ports/link_layer")" == Ethernet ]] || return 0
    for index in $(ls "$ports/gids" | sort -n); do
        if [[ "$(cat "$ports/gid_attrs/types/$index" 2> /dev/null)" == "RoCE v2" && "$(cat "$ports/gids/$index")" == *:0000:ffff:* ]]; then
            echo "-x $index"
            return
        fi
    done
    echo "$1 has no RoCE v2 address over IPv4: give its interface an address." >&2
    return 1
}

# write TEST BYTES ITERATIONS COLUMNS [DEPTH]: those columns of the result's row.
write() {
    port=$((port + 1))
    # Where ends and device share processors an acknowledgement may take long: wait for a second rather than 67 ms.
    local common=(-s "$2" -n "$3" -p "$port" -u 18 -F) line='' try
    [[ "$1" != ib_write_bw ]] || common+=(-t "$5")
    # shellcheck disable=SC2046 # two words, or none
    timeout 120 "$1" -d "$server" $(gid "$server") "${common[@]}" > /dev/null 2>&1 &
    local listener=$!
    for try in 1 2 3 4 5 6 7 8 9 10; do
        # shellcheck disable=SC2046
        line="$(timeout 120 "$1" -d "$client" $(gid "$client") "${common[@]}" 127.0.0.1 2> /dev/null | awk -v bytes="$2" '$1 == bytes')" || true
        [[ -z "$line" ]] || break
        sleep 0.5
    done
    wait "$listener" || true
    [[ -n "$line" ]] || { echo "$1 of $2 bytes from $client to $server gave no result" >&2; return 1; }
    awk -v columns="$4" '{ n = split(columns, c, ","); for (i = 1; i <= n; i++) printf "%s%s", $c[i], i < n ? " " : "\n" }' <<< "$line"
}

echo "== perftest from $client to $server ($(ib_write_bw --version 2>&1 | head -n 1))"
printf '%14s %10s %12s %12s\n' test bytes typical_us p99_us
for bytes in 8 4096; do
    # Columns: bytes, iterations, least, most, typical, average, deviation, 99 %, 99.9 %.
    read -r typical high < <(write ib_write_lat "$bytes" 100 5,8)
    printf '%14s %10s %12s %12s\n' ib_write_lat "$bytes" "$typical" "$high"
done
printf '%14s %10s %12s %12s\n' test bytes gb_s mop_s
declare -A native
for bytes in 4096 65536 1048576; do
    # Columns: bytes, iterations, peak, average (both MiB/s), million messages/s.
    # As many under way as garden-perf has.
    read -r average rate < <(write ib_write_bw "$bytes" $((bytes > 4096 ? 100 : 1000)) 4,5 $((bytes > 65536 ? 32 : 64)))
    native[$bytes]="$(awk -v m="$average" 'BEGIN { printf "%.4f", m * 1048576 / 1e9 }')"
    printf '%14s %10s %12s %12s\n' ib_write_bw "$bytes" "${native[$bytes]}" "$rate"
done
echo "== garden-perf fabric --fabric verbs --bind $server $client --bytes 4096 65536 1048576 --rounds 11 --json"
rows="$(mktemp)"
trap 'rm -f "$rows"' EXIT
timeout 600 "$perf" fabric --fabric verbs --bind "$server" "$client" --bytes 4096 65536 1048576 --rounds 11 --sample-ms 50 --json | tee "$rows"
echo "== single writes of the engine beside ib_write_bw"
printf '%14s %10s %12s %12s %8s\n' test bytes gb_s ib_write_bw ratio
for bytes in 4096 65536 1048576; do
    own="$(sed -nE "s/.*\"what\": ?\"single\".*\"bytes\": ?$bytes,.*\"gb_s\": ?([0-9.eE-]+).*/\1/p" "$rows" | head -n 1)"
    [[ -n "$own" ]] || { echo "garden-perf printed no row for $bytes bytes" >&2; exit 1; }
    awk -v b="$bytes" -v own="$own" -v native="${native[$bytes]}" 'BEGIN { printf "%14s %10s %12.4f %12.4f %8.2f\n", "garden", b, own, native, own / native }'
done
