#!/bin/sh
# Compiles the programs of the tables in rows.txt, hangs.txt and locks.txt, for their parameters: PROGRAM-N-M[-fence][-noassert].o, with gcc -m32.
cd "$(dirname "$0")" || exit 1
cat rows.txt hangs.txt locks.txt | cut -d' ' -f1 | grep -v '^#' | sort -u | while read -r name; do
	[ -n "$name" ] || continue
	program=${name%%-*}
	flags=
	rest=${name#"$program"}
	set -- $(echo "$rest" | tr - ' ')
	for part in "$@"; do
		case $part in
		fence) flags="$flags -DFENCE" ;;
		noassert) flags="$flags -DNOASSERT" ;;
		n[0-9]*) flags="$flags -DN=${part#n}" ;;
		m[0-9]*) flags="$flags -DM=${part#m}" ;;
		esac
	done
	# shellcheck disable=SC2086
	gcc -m32 -march=i686 -msse2 -fno-ident -fcf-protection=none -ffreestanding -fno-pic -fno-stack-protector -fno-asynchronous-unwind-tables -Wall -Wno-unused-value -Wno-unused-variable -Os -I../../include $flags -c "$program.c" -o "$name.o" || exit 1
done
