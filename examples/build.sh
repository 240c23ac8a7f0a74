#!/bin/sh
# Rebuilds the objects of the examples. Needs gcc with -m32, and nasm; the objects are committed, so only a
# change of the sources or of include/ needs this. Paths in the debugging information are relative.
set -eu
cd "$(dirname "$0")/.."

compile() { # OUTPUT SOURCE [OPTION...]
	out=$1 source=$2
	shift 2
	gcc -m32 -march=i686 -std=gnu11 -O2 -g -Wall -Wextra -Werror -ffreestanding -fno-pic -fno-pie \
		-fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none -fno-ident \
		"-ffile-prefix-map=$PWD=." -gno-record-gcc-switches -Iinclude "$@" -c "examples/$source" -o "examples/$out"
}

compile relink.o relink.c
compile ticket.o ticket.c
compile ticket-broken.o ticket.c -DBROKEN
compile sb.o sb.c
compile sb-fence.o sb.c -DFENCE -msse2
compile textpoke.o textpoke.c
compile textpoke-nosync.o textpoke.c -DNOSYNC
# The last -march counts.
compile bench/compute.o bench/compute.c -march=i386
compile bench/compute-small.o bench/compute.c -march=i386 -DSMALL
for name in mailbox textpoke-gas; do
	gcc -m32 -g -Wa,-Iinclude "-ffile-prefix-map=$PWD=." -c examples/$name.S -o examples/$name.o
done
here=$PWD/
for name in spinlock textpoke-nasm; do
	nasm -f elf32 -g -F dwarf -Iinclude/ examples/$name.asm -o examples/$name.o
	# This nasm has no option for it: overwrite the directory it records, keeping its length.
	LC_ALL=C sed -i "s|$here|.$(printf '%*s' $((${#here} - 1)) '' | tr ' ' /)|g" examples/$name.o
done
