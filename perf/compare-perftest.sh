#!/usr/bin/env bash
# compare-perftest.sh [PAIRS] [DEVICE [DEVICE]]: ib_write_bw of perftest beside single writes of the engine, in turns sample by sample, both with as
# many writes a doorbell; then chains of 16 beside chains of one, and ib_write_lat. Both ends on this host: by default its first RDMA device and its last.
# Needs: apt-get install -y perftest ibverbs-providers, and dotnet build -c Release perf/Garden.Perf beforehand.
# Without a device: eng/rdma-vm.sh --icount --timeout 480 -- perf/compare-perftest.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
command -v ib_write_bw > /dev/null || { echo "ib_write_bw is not here: apt-get install -y perftest" >&2; exit 1; }
pairs=5
if [[ "${1:-}" =~ ^[1-9][0-9]*$ ]]; then pairs="$1"; shift; fi
devices=("$@")
if [[ ${#devices[@]} -eq 0 ]]; then
    mapfile -t devices < <(ls /sys/class/infiniband 2> /dev/null)
    [[ ${#devices[@]} -ne 0 ]] || { echo "There is no RDMA device. One of software: rdma link add rxe0 type rxe netdev eth0" >&2; exit 1; }
fi
server="${devices[0]}" client="${devices[-1]}" port=18600
perf="Garden.Perf/bin/Release/net10.0/garden-perf"
[[ -x "$perf" ]] || dotnet build -c Release --nologo -v q Garden.Perf
out="$(mktemp -d)"
declare -A garden to from
trap 'kill "${garden[@]}" 2> /dev/null || true; rm -rf "$out"' EXIT

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

# perftest has no events for writes, it spins: beside a device of software only while nobody else wants the processor, or it takes the device's
# time. The engine's process likewise.
idly=()
[[ ! -e "/sys/class/infiniband/$client/parent" ]] || idly=(chrt -i 0)

# perftest TEST BYTES ITERATIONS COLUMN [ARGUMENT...]: that column of the result's row.
perftest() {
    port=$((port + 1))
    local test="$1" bytes="$2" column="$4" line='' try
    # Where ends and device share processors an acknowledgement may take long: wait for a second rather than 67 ms.
    local common=(-s "$2" -n "$3" -p "$port" -u 18 -F "${@:5}")
    # shellcheck disable=SC2046 # two words, or none
    timeout 120 "${idly[@]}" "$test" -d "$server" $(gid "$server") "${common[@]}" > /dev/null 2>&1 &
    local listener=$!
    for ((try = 0; try < 20; try++)); do
        # shellcheck disable=SC2046
        line="$(timeout 120 "${idly[@]}" "$test" -d "$client" $(gid "$client") "${common[@]}" 127.0.0.1 2> "$out/perftest" | awk -v bytes="$bytes" '$1 == bytes')" || true
        [[ -z "$line" ]] || break
        sleep 0.2
    done
    wait "$listener" || true
    [[ -n "$line" ]] || { echo "$test of $bytes bytes from $client to $server gave no result: $(tail -n 3 "$out/perftest")" >&2; return 1; }
    awk -v column="$column" '{ print $column }' <<< "$line"
}

# native BYTES DEPTH CHAIN: ib_write_bw's writes per second, so many under way, so many a doorbell.
native() {
    local list=()
    [[ "$3" -eq 1 ]] || list=(-l "$3")
    # Its fourth column is the average in MiB/s.
    perftest ib_write_bw "$1" $(($1 > 524288 ? 64 : 256)) 4 -N -t "$2" "${list[@]}" | awk -v bytes="$1" '{ print $1 * 1048576 / bytes }'
}

# engine BYTES DEPTH CHAIN MILLISECONDS: the engine's.
engine() {
    local rate
    echo "$1 $4 $2" >&"${to[$3]}"
    read -r -t 120 rate <&"${from[$3]}" || { echo "garden-perf gave no sample of $1 bytes" >&2; return 1; }
    echo "$rate"
}

# open_engine CHAIN: starts it, and has it run until its optimised code does: where there is one processor the runtime waits a second without new
# methods, twice.
open_engine() {
    local in out_of i
    mkfifo "$out/in.$1" "$out/out.$1"
    "${idly[@]}" "$perf" fabric --fabric verbs --bind "$server" "$client" --engine-only --chain "$1" < "$out/in.$1" > "$out/out.$1" & garden[$1]=$!
    exec {in}> "$out/in.$1" {out_of}< "$out/out.$1"
    to[$1]=$in from[$1]=$out_of
    for ((i = 0; i < 6; i++)); do engine 4096 64 "$1" 1000 > /dev/null; done
}

# Bytes, writes under way, writes a doorbell.
rows=("65536 2 1" "65536 64 1" "65536 64 16" "1048576 32 1" "1048576 32 16")
for chain in 1 16; do open_engine "$chain"; done
# shellcheck disable=SC2086 # three words
for row in "${rows[@]}"; do engine $row 100 > /dev/null; done
echo "== single writes from $client to $server, $pairs pairs: perftest's ib_write_bw and the engine${idly:+ (both at idle priority)}"
for ((pair = 0; pair < pairs; pair++)); do
    # shellcheck disable=SC2086
    for row in "${rows[@]}"; do
        if ((pair % 2)); then n="$(native $row)"; e="$(engine $row 250)"; else e="$(engine $row 250)"; n="$(native $row)"; fi
        echo "$row $n $e" >> "$out/rows"
        awk '{ printf "%10d bytes, %2d under way, %2d a doorbell: ib_write_bw %8.1f MB/s, engine %8.1f MB/s, ratio %.3f\n", $1, $2, $3, $4 * $1 / 1e6, $5 * $1 / 1e6, $5 / $4 }' <<< "$row $n $e"
    done
done
for chain in "${!to[@]}"; do exec {to[$chain]}>&-; done
printf '%10s %10s %10s %16s %12s %8s   %s\n' bytes under_way a_doorbell ib_write_bw_mb_s engine_mb_s ratio 'least and greatest'
for row in "${rows[@]}"; do
    # quantile COLUMN SHARE: 4 and 5 are MB/s, 6 is the ratio.
    quantile() { awk -v row="$row" -v column="$1" '$1 " " $2 " " $3 == row { print column == 6 ? $5 / $4 : $column * $1 / 1e6 }' "$out/rows" | sort -g | awk -v share="$2" '{ v[NR] = $1 } END { print v[int((NR - 1) * share + 0.5) + 1] }'; }
    # shellcheck disable=SC2086
    printf '%10d %10d %10d %16.1f %12.1f %8.3f   %.3f .. %.3f\n' $row "$(quantile 4 0.5)" "$(quantile 5 0.5)" "$(quantile 6 0.5)" "$(quantile 6 0)" "$(quantile 6 1)"
done
echo "== chains of 16 beside chains of one"
timeout 180 "$perf" fabric --fabric verbs --bind "$server" "$client" --chains --rounds 5 --sample-ms 50 --json
# Two that spin for each other on one processor measure its time slice.
[[ ${#idly[@]} -eq 0 ]] || exit 0
echo "== ib_write_lat, typical µs"
for bytes in 8 4096; do
    printf '%10d bytes: %s\n' "$bytes" "$(perftest ib_write_lat "$bytes" 100 5)"
done
