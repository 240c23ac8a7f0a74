/**
 * The services that a boot sector may expect of a PC's BIOS, as real-mode code behind the interrupt vectors: text by INT 10h goes to the
 * ASCII port, INT 11h, 12h and 15h tell of the memory, there is no disk (INT 13h fails) and no key (INT 16h). Every other vector halts.
 */
import { assembleBytes } from '../guest/asm/index.ts'
import type { BoardMemory } from './boardMemory.ts'
import { memoryMap } from './tables.ts'

const SEGMENT = 0xf000
const OFFSET = 0xe000
const VECTORS = 256
/** Bytes of an entry of the memory map that INT 15h, E820h hands out. */
const MAP_ENTRY_BYTES = 20

/** Served vectors and their labels. The code begins with a table of jumps: to what halts, then to these in order. */
const SERVICES: readonly (readonly [number, string])[] = [
  [0x10, 'video'], [0x11, 'equipment'], [0x12, 'memory'], [0x13, 'fails'], [0x15, 'system'], [0x16, 'keyboard'], [0x1a, 'time'],
]
const JUMP_BYTES = 3

function source(memoryBytes: number, asciiPort: number): string {
  const extended = Math.min(0xffff, (memoryBytes >> 10) - 1024)
  const above16 = Math.max(0, (memoryBytes - (16 << 20)) >> 16)
  const map = memoryMap(memoryBytes)
  return `bits 16
jmp near stop
${SERVICES.map(([, label]) => `jmp near ${label}`).join('\n')}
stop: cli
hlt
jmp stop

video: cmp ah, 0x0e
jne return
push dx
mov dx, ${asciiPort}
out dx, al
pop dx
return: iret

equipment: mov ax, 0x10
jmp word40
memory: mov ax, 0x13
word40: push ds
push bx
mov bx, 0x40
mov ds, bx
mov bx, ax
mov ax, [bx]
pop bx
pop ds
iret

time: xor cx, cx
xor dx, dx
mov al, 0
iret

keyboard: test ah, 1
jnz nokey
waits: sti
hlt
jmp waits
nokey: push bp
mov bp, sp
or byte [bp+6], 0x40
pop bp
iret

system: cmp ax, 0xe820
je e820
cmp ax, 0xe801
je e801
cmp ah, 0x88
je e88
mov ah, 0x86
jmp carry
fails: mov ah, 1
carry: push bp
mov bp, sp
or byte [bp+6], 1
pop bp
iret

e88: mov ax, ${extended}
jmp good
e801: mov ax, ${Math.min(extended, 15 << 10)}
mov bx, ${Math.min(0xffff, above16)}
mov cx, ax
mov dx, bx
good: push bp
mov bp, sp
and byte [bp+6], 0xfe
pop bp
iret

e820: cmp ebx, ${map.length}
jae fails
push ds
push si
push di
push cs
pop ds
mov si, bx
imul si, ${MAP_ENTRY_BYTES}
add si, ${OFFSET}+map
mov cx, ${MAP_ENTRY_BYTES}
cld
rep movsb
pop di
pop si
pop ds
mov ecx, ${MAP_ENTRY_BYTES}
mov eax, 0x534d4150
inc ebx
cmp ebx, ${map.length}
jb good
xor ebx, ebx
jmp good
map:
${map.map(([start, length, type]) => `dd ${start}, 0, ${length}, 0, ${type}`).join('\n')}`
}

export function writeBios(memory: BoardMemory, asciiPort: number): void {
  memory.ram.set(assembleBytes(source(memory.ram.length, asciiPort)), SEGMENT * 16 + OFFSET)
  const view = new DataView(memory.ram.buffer)
  const labels = SERVICES.map(([vector]) => vector)
  for (let vector = 0; vector < VECTORS; vector++) {
    view.setUint16(vector * 4, OFFSET + JUMP_BYTES * (labels.indexOf(vector) + 1), true)
    view.setUint16(vector * 4 + 2, SEGMENT, true)
  }
}
