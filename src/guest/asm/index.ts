/**
 * # The assembler
 *
 * Intel syntax, close to nasm's. A whole scenario (code, data, vCPUs, interrupts, patch sites) is one text:
 *
 * ```
 * .title "one store relinks a call"
 * .vcpu patcher
 * .vcpu caller
 * .site caller.site, 5, old, new
 * .object offset, 4
 *
 * patcher:
 *     mov eax, [offset]
 *     mov [caller.site + 1], eax      ; one store of 4 bytes
 *     ret
 *
 * caller:
 *     jmp .site
 *     align 64
 *     times 61 nop                    ; so that the offset straddles a line
 * .site:
 *     call old                        ; 5 bytes, see .site above
 *     assert "old or new returned"    ; EAX is the condition
 *     jmp .site
 *
 * old: mov eax, 1
 *     ret
 * new: mov eax, 2
 *     ret
 *
 * section .data
 * offset: dd new - (caller.site + 5)
 * ```
 *
 * ## Lines
 *
 * `label: prefixes instruction operands ; comment`, every part optional; `#` begins a comment too. A label
 * that starts with a dot is local to the last one that does not: `.again` above is `caller.again`
 * everywhere else. `name equ expression` names a number; `AssembleOptions.symbols` defines names from
 * outside and replaces an `equ` of the same name, so a scenario can take parameters. Names are
 * case-sensitive; instructions, registers and directives are not.
 *
 * ## Operands
 *
 * - registers: `eax`, `bl`, `gs`, `cr3`, `st(1)`, `xmm0`
 * - memory: `[ebx + ecx*4 + 8]`, `[label]`, `[gs:0]` or `gs:[0]`. The size comes from the other operand or from
 *   `byte`, `word`, `dword`, `qword`, `tbyte`, `oword` in front (`ptr` may follow). A size inside the brackets fixes the
 *   displacement: `[dword eax + 4]`
 * - numbers: `31`, `0x1f`, `1fh`, `0b11111`, `11111b`, `37o`, `'c'`, `1_000`. `strict dword 5` keeps the full width.
 *   A label, or anything with a label in it except a difference, always has full width
 * - jump targets: the shortest form that reaches; `short` or `near` fixes it. `jmp 8:label` is a far jump,
 *   `call far [table]` one through memory
 * - expressions: `+ - * / % << >> & | ^ ~ ( )`, `$` (this line), `$$` (its section), 64 bits wide
 *
 * ## Instructions
 *
 * Every mnemonic of the ISA table. Prefixes go in front: `lock`, `rep`, `repe`, `repne`, a segment register,
 * `o16`, `o32`, `a16`, `a32`. `nop 5` is one NOP of 5 bytes (up to 9; several beyond). Of several encodings the shortest
 * is taken, and of equally short ones the first in the table.
 *
 * ## Data and placement
 *
 * | directive | meaning |
 * |---|---|
 * | `db` `dw` `dd` `dq` items | bytes, words ...: expressions, `"strings"`, `?` for zeros; \`backquoted\` strings have escapes |
 * | `resb` `resw` `resd` `resq` count | zeros |
 * | `times count` statement | repeats an instruction or data |
 * | `align n, fill` | to a multiple of `n`; without `fill`: NOPs in code, zeros in data |
 * | `section name address access` | continues or opens a section; both may be left out. `access` is of `rwx`: `.text` has `rwx`, `.rodata` `r`, others `rw` |
 * | `org address` | what follows goes there, at any alignment |
 * | `bits 16`, `bits 32` | code size; 32 at the start |
 *
 * Sections without an address follow each other in the order of the source, from `origin` (1 MB in images), on
 * pages of their own in images.
 *
 * ## Scenario directives
 *
 * | directive | meaning |
 * |---|---|
 * | `.title "text"` | one line for reports |
 * | `.vcpu label, count` | one vCPU (or `count`) begins at `label`, and ends when that function returns |
 * | `.init label`, `.final label` | run alone on vCPU 0, before and after the vCPUs |
 * | `.handler vector, label` | interrupt gate to `label`, which ends in `iret`; with `, wrapped` it is called as a C function |
 * | `.irq vcpu, vector, label, max` | `vector` may arrive at any boundary, at most `max` times (1; 0: any number); `label` handles it; `vcpu` may be `all` |
 * | `.nmi vcpu, label, max` | likewise an NMI |
 * | `.site label, size, target, ..., int3` | a patch site: where one execution of it may lead. `next`: it may fall through; `int3`: an INT3 there is legal |
 * | `.forms label, size, label, ..., int3` | a patch site by what may stand there: `size` bytes at each label, whatever instructions they are |
 * | `.calls label, function, ...` | each pass over that site calls exactly one of these functions, once |
 * | `.belief vcpu, label, register, bits, value, may` | whoever loads the dword at `label` takes it for `cr0`, `cr3`, `cr4`, `ts`, `if`, `iopl`, `dr7`, `fs`, `gs`, `fsBase` or `gsBase` of the vCPU; with `value`: takes `bits` for a sign that the register is `value`; with `may`: only that it is not |
 * | `.own vcpu, label, size` | memory that only this vCPU accesses |
 * | `.forbids name, function, ...` | functions that no vCPU executes while it is in a mode of this name |
 * | `.object label, size` | names memory for monitors and reports |
 * | `.pcpus count` | so many pCPUs for all vCPUs: no more of them run at a time |
 *
 * ## Calls to the checker
 *
 * Written like instructions; include/xmcheck.h has the same calls for C. Operands are loaded into EAX, then EDX; one that
 * is left out is there already. Flags survive, ECX too. In front of a name that is an instruction as well (`enter`, `leave`)
 * the number of operands decides; `xm_enter` always means the call.
 *
 * | call | meaning |
 * |---|---|
 * | `exit` | the actor ends |
 * | `assert condition, "text"` | violation when it is 0 |
 * | `assume condition, "text"` | cuts the execution when it is 0 |
 * | `choose ways` | EAX becomes any of 0 to ways-1 |
 * | `ipi vcpu, vector`; `nmi vcpu` | sends an interrupt |
 * | `progress "text"`; `reach "text"` | the program got somewhere; a `reach` that never happens is reported |
 * | `enter object`; `leave object` | owns an object alone; mutual exclusion is checked |
 * | `arrive object`; `queued object`; `release object, size` | is about to come for it; has a place in its queue: order is checked; leaves it, and touches it no more once another has entered |
 * | `free address, size`; `alloc address, size` | lifetime of memory |
 * | `patched site, bytes` | from here on nobody may execute anything but these bytes at the site; `patched site, 0` ends it |
 * | `unmapped address, size`; `mapped address, size` | the old translations of these pages are gone everywhere; ends it |
 * | `building address, size`; `built address, size` | code that is being written, and may not be executed; it is complete |
 * | `pending address, size`; `settled address, size` | an update of these words is queued, and nobody may touch them; it is carried out |
 * | `lent address, size`; `unfilled address, size` | a queued call refers to these words, which stay as they are; a slot that may not be read; until `settled` |
 * | `modeon name, which`; `modeoff name, which` | the vCPU enters a mode, one at a time of each name; leaves it |
 * | `block`; `kick vcpu` | waits for a kick; kicks |
 * | `halt` | waits for a kick, or for an interrupt |
 * | `yield` | gives up its pCPU, where others wait for one; its stores are in memory before |
 * | `poll address` | waits for the byte there to be other than 0, or for an interrupt |
 * | `vcpu` | EAX becomes the number of this vCPU |
 * | `log value, "text"` | shows up in timelines |
 */
export { assemble, assembleBytes } from './assemble.ts'
export type { Assembled, AssembleOptions, Label, Segment } from './assemble.ts'
export { AssemblyError } from './assemblyError.ts'
export type { Declarations, HandlerDeclaration, NamedAddress, SourceDeclaration } from './declarations.ts'
export { assembleImage, type ImageOptions } from './image.ts'
export type { LineRow } from './passes.ts'
export type { Problem } from './problems.ts'
