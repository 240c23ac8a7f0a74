#!/usr/bin/env bash
# Captures vectors.json.gz on an x86 host with gcc -m32 (package gcc-multilib): instruction instances executed natively.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
cd "$work"
python3 "$here/generate.py"
gcc -m32 -O1 -I"$work" -o harness "$here/harness.c"
./harness | gzip -9n > "$here/vectors.json.gz"
rm -r "$work"
