#!/usr/bin/env bash
# Everything a change must pass, on a clean clone and without a terminal. The last line is the sum over all test projects.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec </dev/null

export CI=true DOTNET_NOLOGO=true DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_CLI_UI_LANGUAGE=en NO_COLOR=1
# Backends that must not be skipped, comma separated.
export GARDEN_REQUIRE="${GARDEN_REQUIRE-tcp,shm}"

logs="$(mktemp -d)"
trap 'rm -rf "$logs"' EXIT
failures=()

# step NAME COMMAND...: runs it and goes on after a failure, so that one run shows everything that is wrong. What takes longer than
# $limit seconds is shown with its processes and killed: a hang fails by its name, inside the time of the whole run.
limit=300
step() {
    local name="$1" began=$SECONDS job guard code=0
    shift
    echo "== $name"
    # Job control gives each its own process group, so that what it started ends with it.
    set -m
    "$@" &
    job=$!
    {
        sleep "$limit"
        echo "== $name has taken $limit s:"
        ps -eo pgid,pid,ppid,etimes,time,stat,args | awk -v job="$job" '$1 == job { print substr($0, 1, 240) }'
        kill -KILL -- "-$job"
    } &
    guard=$!
    set +m
    wait "$job" || code=$?
    kill -KILL -- "-$guard" 2>/dev/null && wait "$guard" 2>/dev/null || true
    if [[ $code -ne 0 ]]; then
        echo "== $name failed"
        failures+=("$name")
    fi
    echo "== $name: $((SECONDS - began)) s"
}

# A restore is the one thing that fails for reasons outside the repository: once more, then it counts.
restore() {
    dotnet restore Garden.slnx || { echo "Restoring again."; dotnet restore Garden.slnx; }
}

# The fabrics' native libraries, and their headers for the tests that compare layouts.
native_libraries() {
    if dpkg -s libfabric1 libfabric-dev libfabric-bin libibverbs1 libibverbs-dev gcc libc6-dev >/dev/null 2>&1; then
        return
    fi
    install_native_libraries || { echo "Installing again."; install_native_libraries; }
}

install_native_libraries() {
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq libfabric1 libfabric-dev libfabric-bin libibverbs1 libibverbs-dev gcc libc6-dev
}

must_fail() {
    local code=0
    "$@" || code=$?
    [[ $code -ne 0 ]] || { echo "Expected a non-zero exit code from: $*"; return 1; }
}

kv_sample() {
    dotnet run -c Release --no-build --project samples/KvStreaming -- "$@"
}

weight_sample() {
    dotnet run -c Release --no-build --project samples/WeightSync -- "$@"
}

expert_sample() {
    dotnet run -c Release --no-build --project samples/ExpertParallel -- "$@"
}

garden_perf() {
    dotnet run -c Release --no-build --project perf/Garden.Perf -- "$@"
}

# run_tests: the README's command; every project under tests/ that is a test project must have run at least one test. A test that
# says nothing for minutes is named and its project ended. Skips are shown by their reasons.
run_tests() {
    local code=0
    dotnet test -c Release --no-build --no-ansi --no-progress --hangdump --hangdump-timeout 5m --hangdump-type None 2>&1 \
        | tee "$logs/tests" | awk '/^skipped / { hidden = 3 } hidden-- <= 0 { print; fflush() }' || code=$?
    echo "Skipped for:"
    awk '/^skipped / { getline; print }' "$logs/tests" | sort | uniq -c | sort -rn
    local expected ran
    expected="$(find tests \( -name '*.Tests.csproj' -o -name 'Garden.Generators.Integration.csproj' \) | wc -l)"
    ran="$(grep -cE '^Running tests from ' "$logs/tests" || true)"
    if [[ "$ran" -ne "$expected" ]]; then
        echo "$ran of $expected test projects ran; is one missing in Garden.slnx?"
        code=1
    fi
    return "$code"
}

# The tests that need an RDMA device, in a machine that has four of software. The runner's last line ("Total: 9, Errors: 0, Failed: 1,
# Skipped: 0, …") is put down as run_tests' summary is.
verbs_tests() {
    local tests="tests/Garden.Interop.Tests/bin/Release/net10.0/Garden.Interop.Tests" code=0 total errors failed skipped
    GARDEN_REQUIRE=verbs eng/rdma-vm.sh --nics 4 --timeout 900 -- "$tests" -namespace "$1" -parallelMode none -noColor 2>&1 | tee "$logs/verbs" || code=$?
    read -r total errors failed skipped < <(sed -nE 's/.* Total: ([0-9]+), Errors: ([0-9]+), Failed: ([0-9]+), Skipped: ([0-9]+),.*/\1 \2 \3 \4/p' "$logs/verbs") || total=0
    if [[ "$total" -eq 0 ]]; then
        echo "No test of $1 ran."
        return 1
    fi
    failed=$((failed + errors))
    printf '  succeeded: %d\n  failed: %d\n  skipped: %d\n' $((total - failed - skipped)) "$failed" "$skipped" >> "$logs/tests"
    return "$code"
}

# count WORD: a figure of the runs' summaries ("  failed: 3").
count() {
    sed -nE "s/^ +$1: ([0-9]+)\$/\\1/p" "$logs/tests" | awk '{ sum += $1 } END { print sum + 0 }'
}

step "native libraries" native_libraries
step "restore" restore
step "build" dotnet build -c Release --no-restore Garden.slnx
step "format" dotnet format --no-restore --verify-no-changes Garden.slnx
limit=1500 step "test" run_tests
if [[ -d tests/Garden.Interop.Tests/Verbs ]]; then
    limit=960 step "test: verbs, in a virtual machine" verbs_tests Garden.Interop.Tests.Verbs
fi
if [[ -d samples/KvStreaming ]]; then
    step "sample: KvStreaming" kv_sample --requests 4 --json
    step "sample: KvStreaming, 4 NICs out of order" kv_sample --requests 4 --nics 4 --reorder --json
    step "sample: KvStreaming notices a corrupted byte" must_fail kv_sample --requests 4 --corrupt
    step "sample: KvStreaming, two processes over tcp" kv_sample --requests 4 --fabric tcp --json
    step "sample: KvStreaming, two processes over shm" kv_sample --requests 4 --fabric shm --json
    step "sample: KvStreaming, devices over nvlink without a GPU" kv_sample --requests 2 --layers 3 --fabric nvlink --device cpu --json
    step "sample: KvStreaming over nvlink notices a corrupted byte" must_fail kv_sample --requests 1 --layers 2 --fabric nvlink --device cpu --corrupt
    step "sample: KvStreaming over tcp notices a corrupted byte" must_fail kv_sample --requests 4 --fabric tcp --corrupt
fi
if [[ -d samples/WeightSync ]]; then
    step "sample: WeightSync" weight_sample
    step "sample: WeightSync, four processes over tcp" weight_sample --fabric tcp
    step "sample: WeightSync over tcp, an inference rank killed" weight_sample --fabric tcp --kill 1
fi
if [[ -d samples/ExpertParallel ]]; then
    step "sample: ExpertParallel" expert_sample --rounds 2 --json
    step "sample: ExpertParallel, BF16, skewed, tcp" expert_sample --rounds 2 --bf16 --zipf --fabric tcp --json
    step "sample: ExpertParallel, four processes over tcp, a rank killed and brought back" expert_sample --processes --kill 2 --rounds 1 --tokens 4
    step "sample: ExpertParallel notices a spoiled result" must_fail expert_sample --rounds 1 --corrupt
fi
if [[ -d perf/Garden.Perf/Soak ]]; then
    step "doctor" garden_perf doctor --require tcp shm
    step "soak: tcp" garden_perf soak --fabric tcp --seconds 30 --processes 3 --json
    step "soak: shm" garden_perf soak --fabric shm --seconds 30 --processes 2 --json
fi
if [[ -f perf/allocation-budgets.json ]]; then
    step "allocation budgets" garden_perf budgets
    step "allocation budgets can fail" garden_perf budgets --self-test
fi

touch "$logs/tests"
passed="$(count succeeded)" failed="$(count failed)" skipped="$(count skipped)"
if [[ $((passed + failed + skipped)) -eq 0 ]]; then
    failures+=("no tests ran")
fi
if [[ ${#failures[@]} -ne 0 ]]; then
    printf 'Failed: %s\n' "${failures[@]}"
fi
echo "Total: $passed passed, $failed failed, $skipped skipped"
[[ ${#failures[@]} -eq 0 && "$failed" -eq 0 ]]
