#!/usr/bin/env bash
# Writes PublicAPI.Unshipped.txt of every package anew from the code, for a change of the public API that is meant: read its diff.
# What PublicAPI.Shipped.txt holds stays there; a release moves the lines over.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

for project in Core Interop Kernels; do
    folder="src/Garden.$project"
    echo '#nullable enable' > "$folder/PublicAPI.Unshipped.txt"
    # RS0016 names each symbol that no file declares, RS0017 each line of the shipped file that the code no longer has.
    log="$(dotnet build "$folder" -c Release --nologo --no-incremental -p:BuildProjectReferences=false -p:TreatWarningsAsErrors=false -clp:NoSummary)" ||
        { echo "$log" >&2; exit 1; }
    {
        sed -n "s/.*warning RS0016: Symbol '\(.*\)' is not part of the declared public API.*/\1/p" <<< "$log"
        sed -n "s/.*warning RS0017: Symbol '\(.*\)' is part of the declared API.*/*REMOVED*\1/p" <<< "$log"
    } | LC_ALL=C sort -u >> "$folder/PublicAPI.Unshipped.txt"
done
