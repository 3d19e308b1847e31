#!/usr/bin/env bash
# compare-native.sh tcp|shm [ROUNDS]: the C# loop on the bare provider (garden-perf's ceiling) beside the same loop in C. Two processes on one
# core take turns sample by sample, so that what disturbs the machine or changes its speed is in both; the ratio is the median of all pairs.
# Needs gcc and the headers: apt-get install -y gcc libfabric-dev. Traffic goes to 127.0.0.1 only.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
fabric="${1:?compare-native.sh tcp|shm [ROUNDS]}" rounds="${2:-41}" sample=50 core=$(($(nproc) - 1))
out="$(mktemp -d)"
trap 'kill ${native:-} ${managed:-} 2> /dev/null || true; rm -rf "$out"' EXIT
gcc -O2 -Wall -Wextra -o "$out/write_loop" native/write_loop.c -lfabric
perf="Garden.Perf/bin/Release/net10.0/garden-perf"
[[ -x "$perf" ]] || dotnet build -c Release --nologo -v q Garden.Perf
address=()
[[ "$fabric" == shm ]] || address=(127.0.0.1)
mkfifo "$out/c.in" "$out/c.out" "$out/cs.in" "$out/cs.out"
taskset -c "$core" "$out/write_loop" "$fabric" "${address[@]}" < "$out/c.in" > "$out/c.out" & native=$!
taskset -c "$core" "$perf" fabric --fabric "$fabric" --raw-only < "$out/cs.in" > "$out/cs.out" & managed=$!
exec 3> "$out/c.in" 4< "$out/c.out" 5> "$out/cs.in" 6< "$out/cs.out"

# sample PROGRAM BYTES MILLISECONDS: one sample's writes per second.
sample() {
    local rate
    if [[ "$1" == c ]]; then echo "$2 $3" >&3; read -r -t 30 rate <&4; else echo "$2 $3" >&5; read -r -t 30 rate <&6; fi
    echo "$rate"
}

sizes=(8 4096 65536 1048576)
# Connections, and the optimised code's coming up.
for bytes in 8 8 8 "${sizes[@]}"; do sample c "$bytes" 100 > /dev/null; sample cs "$bytes" 500 > /dev/null; done
for ((round = 0; round < rounds; round++)); do
    for bytes in "${sizes[@]}"; do
        if ((round % 2)); then c="$(sample c "$bytes" "$sample")"; cs="$(sample cs "$bytes" "$sample")"
        else cs="$(sample cs "$bytes" "$sample")"; c="$(sample c "$bytes" "$sample")"; fi
        echo "$bytes $c $cs" >> "$out/rows"
    done
done
exec 3>&- 5>&-
printf '%10s %16s %16s %8s   %s\n' bytes c_writes_s csharp_writes_s ratio 'quartiles of the ratio'
for bytes in "${sizes[@]}"; do
    # quantile COLUMN SHARE
    quantile() { awk -v b="$bytes" -v column="$1" '$1 == b { print column == 4 ? $3 / $2 : $column }' "$out/rows" | sort -g | awk -v share="$2" '{ v[NR] = $1 } END { print v[int((NR - 1) * share) + 1] }'; }
    printf '%10d %16.0f %16.0f %8.3f   %.3f .. %.3f\n' "$bytes" "$(quantile 2 0.5)" "$(quantile 3 0.5)" "$(quantile 4 0.5)" "$(quantile 4 0.25)" "$(quantile 4 0.75)"
done
