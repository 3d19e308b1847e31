#!/usr/bin/env bash
# Runs the kernels' and nvlink's tests, performance table and KV streaming sample on a machine with an NVIDIA GPU, which needs its driver and nothing else.
#   eng/gpu.sh pack               publish and pack into artifacts/gpu/garden-gpu.tar.xz; unpack it anywhere and call run.sh
#   eng/gpu.sh local [ARG...]     the same, then run it here
#   eng/gpu.sh HOST [ARG...]      the same, then copy it to HOST with ssh and run it there
# ARGs go to `garden-perf gpu` (--only copies|writes|watcher|nvlink|weights, --mib N, --device K, --tune).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target="${1:?usage: eng/gpu.sh pack | local | HOST [ARG...]}"
shift
out=artifacts/gpu
archive="$out/garden-gpu.tar.xz"

publish() {
    dotnet publish "$1" -c Release -r linux-x64 --self-contained -p:InvariantGlobalization=true -p:DebugType=none -p:EmbedUntrackedSources=false -o "$out/garden-gpu" --nologo -v q
}

pack() {
    rm -rf "$out"
    # Into one folder: they share the runtime.
    publish perf/Garden.Perf
    publish samples/KvStreaming
    publish tests/Garden.Kernels.Tests
    cat >"$out/garden-gpu/run.sh" <<'RUN'
#!/usr/bin/env bash
# Tests, the table, the sample. The exit code is 0 when all ran through, no test failed and every byte was verified.
cd "$(dirname "${BASH_SOURCE[0]}")"
export DOTNET_TieredPGO=1
nvidia-smi -L || true
code=0
gpus=$(nvidia-smi -L | wc -l)
GARDEN_REQUIRE=cuda$([[ $gpus -gt 1 ]] && echo ,cuda2) ./Garden.Kernels.Tests -noColor >tests.log 2>&1 || code=1
grep -v 'SKIP' tests.log
./garden-perf gpu "$@" || code=1
./KvStreaming --fabric nvlink --device cuda --requests 8 --layers 61 || code=1
exit $code
RUN
    chmod +x "$out/garden-gpu/run.sh"
    tar -C "$out" -cJf "$archive" garden-gpu
    ls -l "$archive"
}

pack
case "$target" in
    pack) ;;
    local) "$out/garden-gpu/run.sh" "$@" ;;
    *)
        remote="$(ssh "$target" mktemp -d)"
        # Once more on the way out, whatever happens in between.
        trap 'ssh "$target" rm -rf "$remote"' EXIT
        scp -q "$archive" "$target:$remote/"
        ssh "$target" "tar -C $remote -xJf $remote/garden-gpu.tar.xz && $remote/garden-gpu/run.sh $*"
        ;;
esac
