#!/bin/sh
# Rebuilds the committed kernel: gcc with -m32.
set -e
cd "$(dirname "$0")"
gcc -m32 -c boot.S -o boot.o
gcc -m32 -O2 -march=i386 -ffreestanding -fno-pic -fno-stack-protector -fno-asynchronous-unwind-tables -mno-sse -c kernel.c -o kernel.o
ld -m elf_i386 --build-id=none -n -s -T link.ld boot.o kernel.o -o kernel.elf
rm boot.o kernel.o
