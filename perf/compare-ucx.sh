#!/usr/bin/env bash
# compare-ucx.sh: ucx_perftest (ucp_put_bw, ucp_put_lat over tcp) beside garden-perf fabric --fabric tcp, in turns. Both ends on 127.0.0.1.
# Needs: apt-get install -y ucx-utils libfabric1. ucp_put counts a put complete at the sender; with -e it waits for each one's end.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
command -v ucx_perftest > /dev/null || { echo "ucx_perftest is not here: apt-get install -y ucx-utils" >&2; exit 1; }
perf="Garden.Perf/bin/Release/net10.0/garden-perf"
[[ -x "$perf" ]] || dotnet build -c Release --nologo -v q Garden.Perf
export UCX_TLS=tcp UCX_NET_DEVICES=lo UCX_WARN_UNUSED_ENV_VARS=n
port=13400

# put TEST BYTES ITERATIONS: the last line's figures.
put() {
    port=$((port + 1))
    timeout 60 ucx_perftest -p "$port" > /dev/null 2>&1 &
    local server=$!
    local line="" try
    for try in 1 2 3 4 5 6 7 8 9 10; do
        line="$(timeout 60 ucx_perftest 127.0.0.1 -p "$port" -t "$1" -s "$2" -n "$3" -w 100 -f 2> /dev/null | tail -1)" && [[ -n "$line" ]] && break
        sleep 0.2
    done
    wait "$server" || true
    echo "$line"
}

echo "== ucx_perftest over tcp (version $(ucx_perftest -h 2>&1 | sed -nE 's/.*Library version: //p' | head -1))"
printf '%12s %10s  %s\n' test bytes "iterations, then latency or overhead us and MB/s as ucx_perftest prints them"
for bytes in 8 4096; do
    printf '%12s %10s  %s\n' ucp_put_lat "$bytes" "$(put ucp_put_lat "$bytes" 20000)"
done
for bytes in 8 4096 65536 1048576 16777216; do
    iterations=$((bytes < 65536 ? 100000 : 400000000 / bytes))
    printf '%12s %10s  %s\n' ucp_put_bw "$bytes" "$(put ucp_put_bw "$bytes" "$iterations")"
done
echo "== garden-perf fabric --fabric tcp --quick"
timeout 170 "$perf" fabric --fabric tcp --quick
