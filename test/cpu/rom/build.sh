#!/bin/sh
# Assembles the ROM (nasm 2.15 or later): sh test/cpu/rom/build.sh
cd "$(dirname "$0")" && nasm -f bin -Ox -w-all -o modes.bin modes.asm && ls -l modes.bin
