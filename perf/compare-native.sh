#!/usr/bin/env bash
# compare-native.sh tcp|shm [ROUNDS]: the C# loop on the bare provider (garden-perf's ceiling) beside the same loop in C, in turns.
# Needs gcc and the headers: apt-get install -y gcc libfabric-dev. Traffic goes to 127.0.0.1 only.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
fabric="${1:?compare-native.sh tcp|shm [ROUNDS]}" rounds="${2:-7}"
out="$(mktemp -d)"
trap 'rm -rf "$out"' EXIT
gcc -O2 -Wall -Wextra -o "$out/write_loop" native/write_loop.c -lfabric
perf="Garden.Perf/bin/Release/net10.0/garden-perf"
[[ -x "$perf" ]] || dotnet build -c Release --nologo -v q Garden.Perf
address=()
[[ "$fabric" == shm ]] || address=(127.0.0.1)
for ((round = 0; round < rounds; round++)); do
    timeout 60 "$out/write_loop" "$fabric" "${address[@]}" | awk -v round="$round" '{ print "c", round, $1, $2, $3 }' >> "$out/rows"
    timeout 60 "$perf" fabric --fabric "$fabric" --raw-only --json \
        | sed -nE 's/.*"bytes":([0-9]+),"depth":([0-9]+),"writes_per_second":([0-9.]+).*/\1 \2 \3/p' \
        | awk -v round="$round" '{ print "cs", round, $1, $2, $3 }' >> "$out/rows"
done
printf '%10s %6s %16s %16s %8s\n' bytes depth c_writes_s csharp_writes_s ratio
awk '
    function median(values, n,    i, j, t) {
        for (i = 1; i < n; i++) for (j = i + 1; j <= n; j++) if (values[j] < values[i]) { t = values[i]; values[i] = values[j]; values[j] = t }
        return values[int((n + 1) / 2)]
    }
    { rate[$1, $3, $2] = $5; depth[$3] = $4; if ($2 + 1 > rounds) rounds = $2 + 1; if (!($3 in seen)) { seen[$3]; order[++sizes] = $3 } }
    END {
        for (s = 1; s <= sizes; s++) {
            b = order[s]
            for (r = 0; r < rounds; r++) { c[r + 1] = rate["c", b, r]; m[r + 1] = rate["cs", b, r]; q[r + 1] = rate["cs", b, r] / rate["c", b, r] }
            printf "%10d %6d %16.0f %16.0f %8.3f\n", b, depth[b], median(c, rounds), median(m, rounds), median(q, rounds)
        }
    }' "$out/rows"
