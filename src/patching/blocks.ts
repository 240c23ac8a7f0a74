/**
 * Building blocks of live code patching as text for the assembler (guest/asm), for scenarios written in TypeScript. Each
 * function gives a piece of guest code; include/xmpatch.h has the same for C. Data that they use stand in `patchingData`.
 *
 * A piece may use EAX and EDX. Labels of its own begin with the name that it is given.
 */

/** A place that is rewritten. */
export interface Site {
  /** Label of its first byte. */
  readonly label: string
  readonly sizeBytes: number
  /** Labels of what may stand there, as many bytes each: before and after. */
  readonly before: string
  readonly after: string
}

/** NOPs of the i386, by length in bytes: one instruction each, or (generic, k8: where it says so in Linux' tables) several. */
export const NOPS: Readonly<Record<'p6' | 'k8' | 'generic', readonly (readonly number[])[]>> = {
  // Linux arch/x86/include/asm/nops.h, lengths 1 to 8.
  p6: [
    [0x90], [0x66, 0x90], [0x0f, 0x1f, 0x00], [0x0f, 0x1f, 0x40, 0x00], [0x0f, 0x1f, 0x44, 0x00, 0x00], [0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
    [0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00], [0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
  ],
  k8: [
    [0x90], [0x66, 0x90], [0x66, 0x66, 0x90], [0x66, 0x66, 0x66, 0x90], [0x66, 0x66, 0x90, 0x66, 0x90], [0x66, 0x66, 0x90, 0x66, 0x66, 0x90],
    [0x66, 0x66, 0x66, 0x90, 0x66, 0x66, 0x90], [0x66, 0x66, 0x66, 0x90, 0x66, 0x66, 0x66, 0x90],
  ],
  generic: [
    [0x90], [0x89, 0xf6], [0x8d, 0x76, 0x00], [0x8d, 0x74, 0x26, 0x00], [0x90, 0x8d, 0x74, 0x26, 0x00], [0x8d, 0xb6, 0x00, 0x00, 0x00, 0x00],
    [0x8d, 0xb4, 0x26, 0x00, 0x00, 0x00, 0x00], [0x90, 0x8d, 0xb4, 0x26, 0x00, 0x00, 0x00, 0x00],
  ],
}

/** Bytes of a form, in a data section. */
export const formBytes = (label: string, bytes: readonly number[]): string => `${label}: db ${bytes.join(', ')}`
/** `call` and `jmp` to `target` as they stand at `site`, 5 bytes. */
export const formCall = (label: string, site: string, target: string): string => `${label}: db 0xe8\n  dd ${target} - (${site} + 5)`
export const formJump = (label: string, site: string, target: string): string => `${label}: db 0xe9\n  dd ${target} - (${site} + 5)`

/** `call *op` as it stands anywhere, and what pv_ops make of it at `site`: a direct call and a NOP. 6 bytes. */
export const formIndirect = (label: string, op: string): string => `${label}: db 0xff, 0x15\n  dd ${op}`
export const formDirect = (label: string, site: string, target: string): string => `${formCall(label, site, target)}\n  db 0x90`

/** Trampoline of a static call: a jump to its function, or RET where there is none. `name` is called; forms: formJump, formBytes(RET). */
export const trampoline = (name: string, target: string | null): string => (target === null ? formBytes(name, STATIC_RET) : formJump(name, name, target))
export const STATIC_RET: readonly number[] = [0xc3, 0xcc, 0xcc, 0xcc, 0xcc]
/** A static branch that is off: EAX is 0 behind it; 1 at `${label}_on` where the jump of formJump(form, label, `${label}_on`) stands. */
export const staticBranch = (label: string): string => `  mov eax, 0\n${label}: db ${NOPS.p6[4].join(', ')}\n  jmp ${label}_off\n${label}_on: mov eax, 1\n${label}_off:`

/** Addresses and sizes, as .parainstructions, __mcount_loc or a jump table list them: 8 bytes a site, then a 0. */
export const siteTable = (label: string, sites: readonly Site[]): string => `${label}: ${sites.map(({ label: site, sizeBytes }) => `dd ${site}, ${sizeBytes}`).join('\n  ')}\n  dd 0`

/** One store a byte, ascending: the weakest that a plain copy promises. `from`, `to`: which bytes of the site. */
export const copy = ({ label, after, sizeBytes }: Site, from = 0, to = sizeBytes): string =>
  Array.from({ length: to - from }, (_, k) => `  mov al, [${after} + ${from + k}]\n  mov [${label} + ${from + k}], al`).join('\n')
/** Stores of 4, 2 and 1 bytes, the widest that fit, ascending, as compilers copy. */
export function copyWide({ label, after, sizeBytes }: Site, from = 0): string {
  const lines: string[] = []
  for (let at = from; at < sizeBytes; ) {
    const left = sizeBytes - at
    const [bytes, register] = left >= 4 ? [4, 'eax'] : left >= 2 ? [2, 'ax'] : [1, 'al']
    lines.push(`  mov ${register}, [${after} + ${at}]\n  mov [${label} + ${at}], ${register}`)
    at += bytes
  }
  return lines.join('\n')
}
/** The displacement of a 5-byte call or jump, by one store: stub then relink. */
export const storeOffset = ({ label, after }: Site): string => `  mov eax, [${after} + 1]\n  mov [${label} + 1], eax`
/** A LOCK prefix comes (0xF0), or goes (0x3E, 0x90): one byte. */
export const storePrefix = (label: string, byte: number): string => `  mov byte [${label}], ${byte}`
/** The head is made a jump to itself, then the tail is written, then the head (HotSpot). 4 bytes and more; the head is an aligned dword or in a line. */
export const selfLoopGuard = (site: Site): string =>
  `  mov dword [${site.label}], 0xfeebfeeb\n${copy(site, 4)}\n  mov eax, [${site.after}]\n  mov [${site.label}], eax`

/** Serialises the calling vCPU: an IRET to the next instruction. */
export const syncCore = (name: string): string => `  pushfd\n  push cs\n  push ${name}_synced\n  iret\n${name}_synced:`

/** Vector of the synchronisation IPI. */
export const SYNC_VECTOR = 0xf0
/** vCPU 0 makes every other of `vcpus` serialise and waits for it; they have interrupts on, or nothing goes on. */
export function syncOthers(name: string, vcpus: number): string {
  const others = Array.from({ length: vcpus - 1 }, (_, k) => k + 1)
  return [
    ...others.map((v) => `  mov byte [acknowledged + ${v}], 0\n  ipi ${v}, ${SYNC_VECTOR}`),
    ...others.map((v) => `${name}_wait${v}: pause\n  cmp byte [acknowledged + ${v}], 0\n  je ${name}_wait${v}`),
  ].join('\n')
}
/** Its handler. It serialises before it answers: an NMI that comes before its own IRET runs code already. */
export const syncHandler = (): string => `.handler ${SYNC_VECTOR}, sync_handler\nsync_handler: push eax\n${syncCore('sync_handler')}\n  vcpu\n  mov byte [acknowledged + eax], 1\n  pop eax\n  iret`

/** Which synchronisations text_poke makes: after the INT3, after the tails, after the first bytes. */
export interface PokeSteps {
  readonly sync1: boolean
  readonly sync2: boolean
  readonly sync3: boolean
}
export const ALL_STEPS: PokeSteps = { sync1: true, sync2: true, sync3: true }

/** Linux' text_poke_bp over a batch: INT3s over the first bytes, the others, the first bytes; each step for all sites. */
export function textPoke(name: string, sites: readonly Site[], vcpus: number, { sync1, sync2, sync3 }: PokeSteps): string {
  const sync = (made: boolean, n: number) => (made ? [syncOthers(`${name}_sync${n}`, vcpus)] : [])
  return [
    ...sites.map(({ label }) => `  mov byte [${label}], 0xcc`), ...sync(sync1, 1),
    ...sites.map((site) => copy(site, 1)), ...sync(sync2, 2),
    ...sites.map((site) => copy(site, 0, 1)), ...sync(sync3, 3),
  ].join('\n')
}
/**
 * The #BP handler: whoever hits the INT3 of a site goes on behind it, once what stands there in the end was emulated by `emulate`.
 * A breakpoint that is nobody's is a wild access.
 */
export function pokeHandler(sites: readonly Site[], emulate: (site: Site) => string = () => ''): string {
  const found = sites.map((site, k) => `  cmp eax, ${site.label} + 1\n  jne poke_other${k}\n${emulate(site)}\n  mov dword [esp + 4], ${site.label} + ${site.sizeBytes}\n  pop eax\n  iret\npoke_other${k}:`)
  return `.handler 3, poke_handler\npoke_handler: push eax\n  mov eax, [esp + 4]\n${found.join('\n')}\n  mov byte [0], 0`
}

/** For pokeHandler: who hits the INT3 goes on as by a jump to `target`, or as by a call of it. The entry of the handler has pushed EAX. */
export const emulateJump = (target: string): string => `  mov dword [esp + 4], ${target}\n  pop eax\n  iret`
/** The frame moves down by a word, and what it leaves holds the return address: behind the site, whose other bytes are being written. */
export const emulateCall = (site: Site, target: string): string =>
  `  sub esp, 4\n${[0, 4, 8, 12].map((at) => `  mov eax, [esp + ${at + 4}]\n  mov [esp + ${at}], eax`).join('\n')}\n  mov dword [esp + 16], ${site.label} + ${site.sizeBytes}\n  mov dword [esp + 4], ${target}\n  pop eax\n  iret`

/** A probe of the instruction at `label`: what its INT3 leads to (emulateJump) calls `hit`, runs the copy and goes back: boosted, or by a jump optimised. */
export const detour = (name: string, { label, sizeBytes }: Site, instructions: string, hit: string): string =>
  `${name}: pushfd\n  pushad\n  call ${hit}\n  popad\n  popfd\n${instructions}\n  jmp ${label} + ${sizeBytes}`

/** An NMI handler whose body does not nest, even where a breakpoint in it lets NMIs in early. 0: none runs, 1: one does, 2: another came. */
export const nmiLatched = (label: string, body: string): string =>
  `${label}: cmp dword [${label}_state], 0\n  je ${label}_first\n  mov dword [${label}_state], 2\n  iret\n${label}_first: pushad\n${label}_again: mov dword [${label}_state], 1\n${body}\n  mov eax, 1\n  mov ecx, 0\n  lock cmpxchg [${label}_state], ecx\n  jne ${label}_again\n  popad\n  iret\nsection .data.${label}\nalign 4\n${label}_state: dd 0\nsection .text`

/** vCPU 0 waits until the others have stopped, does `work`, and lets them go on. */
export const stopMachine = (name: string, vcpus: number, work: string): string =>
  [...Array.from({ length: vcpus - 1 }, (_, k) => `${name}_stop${k + 1}: pause\n  cmp byte [stopped + ${k + 1}], 0\n  je ${name}_stop${k + 1}`), work, '  mov byte [resumed], 1'].join('\n')
/** The others' side: interrupts are off meanwhile. `sync`: who goes on has serialised. */
export const stopPoint = (name: string, vcpu: number, sync: boolean): string =>
  `  mov byte [stopped + ${vcpu}], 1\n${name}_stopped: pause\n  cmp byte [resumed], 0\n  je ${name}_stopped\n${sync ? syncCore(name) : ''}`

/** A site that calls this stub is linked to what `slot` holds, by itself, at its first call; the offset is one store. */
export const lazyStub = (label: string, slot: string): string =>
  `${label}: mov edx, [esp]\n  mov eax, [${slot}]\n  mov ecx, eax\n  sub ecx, edx\n  mov [edx - 4], ecx\n  jmp eax`

/** What the blocks use. */
export const patchingData = (vcpus: number): string => `section .data.patching\nacknowledged: times ${vcpus} db 0\nstopped: times ${vcpus} db 0\nresumed: db 0\n`
