#!/usr/bin/env bash
# compare-ucx.sh [ROUNDS]: ucx_perftest (ucp_put_bw, ucp_put_lat over tcp) beside garden-perf fabric --fabric tcp, in turns. All on 127.0.0.1.
# Needs: apt-get install -y ucx-utils libfabric1.
#
# What is asked for. Garden: delivery completion of every write; its sender's "ended" is after the bytes are in the remote memory, and the time
# ends when all have ended and all have been counted there. UCX: ucp_put completes when its source may be reused; delivery is ucp_worker_flush,
# which ucx_perftest calls once, at the end of a run and inside its time. So both times end with every byte delivered, and UCX proves that once
# for a run where Garden does for each write; ucx_perftest has no option for more. -O is the number of puts under way, as Garden's depth.
# "one" is ucx_perftest -l, both ends in one thread as in garden-perf; "two" is a process for each end, which may use a core each.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
command -v ucx_perftest > /dev/null || { echo "ucx_perftest is not here: apt-get install -y ucx-utils" >&2; exit 1; }
perf="Garden.Perf/bin/Release/net10.0/garden-perf" rounds="${1:-5}"
[[ -x "$perf" ]] || dotnet build -c Release --nologo -v q Garden.Perf
export UCX_TLS=tcp UCX_NET_DEVICES=lo UCX_WARN_UNUSED_ENV_VARS=n
out="$(mktemp -d)" port=13400
trap 'rm -rf "$out"' EXIT

depth() { local d=$((33554432 / $1)); echo $((d > 64 ? 64 : d)); }

# put one|two TEST BYTES ITERATIONS COLUMN: that column of the result (4: microseconds of one, 8: puts per second).
put() {
    local arguments=(-t "$2" -s "$3" -n "$4" -w 100 -O "$(depth "$3")" -f -v) line='' try
    if [[ "$1" == one ]]; then
        line="$(timeout 60 ucx_perftest -l "${arguments[@]}" 2> /dev/null | tail -n 1)"
    else
        port=$((port + 1))
        timeout 60 ucx_perftest -p "$port" > /dev/null 2>&1 &
        local server=$!
        for try in 1 2 3 4 5 6 7 8 9 10; do
            line="$(timeout 60 ucx_perftest 127.0.0.1 -p "$port" "${arguments[@]}" 2> /dev/null | tail -n 1)" && [[ -n "$line" ]] && break
            sleep 0.2
        done
        wait "$server" || true
    fi
    [[ -n "$line" ]] || { echo "ucx_perftest $2 of $3 bytes gave no result" >&2; return 1; }
    cut -d, -f"$5" <<< "$line"
}

sizes=(8 4096 65536 1048576 16777216)
for ((round = 0; round < rounds; round++)); do
    for bytes in "${sizes[@]}"; do
        iterations=$((bytes < 65536 ? 30000 : 400000000 / bytes))
        for ends in one two; do echo "$bytes $ends $(put "$ends" ucp_put_bw "$bytes" "$iterations" 8)" >> "$out/rates"; done
    done
    timeout 120 "$perf" fabric --fabric tcp --json --rounds 7 --sample-ms 50 --pages 0 --bytes "${sizes[@]}" \
        | sed -nE 's/.*"bytes":([0-9]+),.*"gb_s":([0-9.e-]+),"mop_s":([0-9.e-]+),"ceiling_gb_s":([0-9.e-]+),"ceiling_mop_s":([0-9.e-]+),.*/\1 \2 \3 \4 \5/p' \
        | awk '{ large = $1 >= 65536; print $1, "garden", large ? $2 * 1e9 / $1 : $3 * 1e6; print $1, "raw", large ? $4 * 1e9 / $1 : $5 * 1e6 }' >> "$out/rates"
done
median() { awk -v b="$1" -v who="$2" '$1 == b && $2 == who { print $3 }' "$out/rates" | sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
echo "ucx_perftest of UCX $(ucx_info -v | sed -nE 's/# (Library version|Version):? *//p' | head -n 1), medians of $rounds rounds"
printf '%10s %6s %14s %14s %14s %14s %12s %12s\n' bytes depth ucx_one_w/s ucx_two_w/s garden_w/s raw_w/s over_one over_two
for bytes in "${sizes[@]}"; do
    one="$(median "$bytes" one)" two="$(median "$bytes" two)" garden="$(median "$bytes" garden)" raw="$(median "$bytes" raw)"
    awk -v b="$bytes" -v d="$(depth "$bytes")" -v o="$one" -v t="$two" -v g="$garden" -v r="$raw" \
        'BEGIN { printf "%10d %6d %14.0f %14.0f %14.0f %14.0f %12.2f %12.2f\n", b, d, o, t, g, r, g / o, g / t }'
done
for bytes in 8 4096; do
    echo "ucp_put_lat $bytes bytes, one-way us: one $(put one ucp_put_lat "$bytes" 20000 4), two $(put two ucp_put_lat "$bytes" 20000 4); garden and its ceiling: garden-perf fabric --fabric tcp --quick"
done
