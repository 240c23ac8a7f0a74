/**
 * The blocks that are functions of a library (include/xmpatch.inc lists them), as text for the assembler: what they need declared, and their
 * tables. They are called by `invoke FUNCTION, ARGUMENTS...`, change EAX, ECX, EDX and the flags, and know nothing of the data of blocks.ts.
 */
import { SYNC_VECTOR, type Site } from './blocks.ts'

/** Synchronisations, as the `steps` of functions. XM_KEY_BUSY: nobody is told that a static key is enabled before it is. */
export const STEPS = { first: 1, second: 2, third: 4, all: 7, busy: 8 } as const

/** The handler of the synchronising IPI. */
export const syncDeclarations = (): string => `.handler ${SYNC_VECTOR}, xm_sync_handler, wrapped`
/** For the `.init` function: vCPUs 0 .. vcpus-1 take part; those `absent` do not before they call xm_online. */
export const syncGroup = (vcpus: number, absent: readonly number[] = []): string =>
  [`  mov dword [xm_sync_vcpus_], ${vcpus}`, ...absent.map((vcpu) => `  invoke xm_absent, ${vcpu}`)].join('\n')

export interface BreakpointPart {
  /** xm_poke_bp, xm_batch_bp, xm_key_bp or xm_probe_bp. */
  readonly known: string
  /** Label of its table, key or probe; 0 for xm_poke_bp. */
  readonly argument: string | number
}
/**
 * The #BP handler: `parts` are asked in turn, and get the address of struct xm_int3_frame (include/xmpatch.h), which has room for the frame
 * to move down by a word.
 */
export const breakpoints = (parts: readonly BreakpointPart[]): string => `.handler 3, breakpoint_entry
breakpoint_entry: push 0
  push esp
  add dword [esp], 4
  pushad
  mov ebx, esp
${parts.map(({ known, argument }) => `  invoke ${known}, ebx, ${argument}\n  test eax, eax\n  jnz breakpoint_known`).join('\n')}
breakpoint_known: assert eax, "a breakpoint that somebody planted"
  popad
  pop esp
  iret`

/** struct xm_site, for xm_poke_batch, xm_batch_bp and static keys. In a data section, as what follows. */
export const pokeTable = (label: string, sites: readonly Site[]): string =>
  `align 4\n${label}:\n${sites.map((site) => `  dd ${site.label}, ${site.before}, ${site.after}, ${site.sizeBytes}`).join('\n')}\n  dd 0, 0, 0, 0`
/** A static key and the table of its branches. */
export const staticKey = (label: string, branches: readonly Site[]): string => `align 4\n${label}: dd 0, 0, ${label}_sites\n${pokeTable(`${label}_sites`, branches)}`
/** The key of a static call for xm_static_call_update: `trampoline` (blocks.ts) leads to `target`; sites that become direct calls, or jumps. */
export const staticCallKey = (label: string, trampoline: string, target: string | 0, sites: readonly { readonly label: string; readonly tail: boolean }[]): string =>
  `align 4\n${label}: dd ${target}, ${trampoline}, ${label}_sites\n${label}_sites:\n${sites.map((one) => `  dd ${one.label}, ${one.tail ? 1 : 0}`).join('\n')}\n  dd 0, 0`

/** Room for the copy of what a probe replaces, and what an optimised one leads to: it calls `hit`. In a code section. */
export const probeCode = (label: string, hit: string): string => `${label}_detour: pushfd\n  pushad\n  call ${hit}\n  popad\n  popfd\n${label}_slot: times 21 db 0xcc`
/** struct xm_probe for xm_probe_prepare and the others. */
export const probeData = (label: string, site: Site, hit: string): string =>
  `align 4\n${label}: dd ${site.label}, ${site.sizeBytes}, ${label}_slot, ${label}_detour, ${hit}, 0, 0\n  times 16 db 0`
/** The handler of #DB, for probes that are stepped over. */
export const probeSteps = (): string => '.handler 1, xm_step_handler, wrapped'
export const PROBE_PLAIN = 0
export const PROBE_BOOSTED = 1

/** An NMI handler, to be called as a C function (`wrapped`), whose `body` does not nest. */
export const nmiLatch = (label: string, body: string): string =>
  `${label}: vcpu\n  lea eax, [${label}_states + eax * 4]\n  invoke xm_nmi_latched, eax, ${body}\n  ret\nsection .bss.${label}\nalign 4\n${label}_states: resd 8\nsection .text`

/** For programs that make tasks, by `invoke xm_task, FUNCTION`; `interrupts`: how often a timer of vCPU 0 switches them. */
export const taskDeclarations = (interrupts: number): string =>
  `.handler 0x81, xm_yield_entry\n${interrupts > 0 ? `.irq 0, 0x20, xm_timer_entry, ${interrupts}\n` : ''}`

/**
 * The low 4 MB stand there again for a vCPU that has called xm_alias_on, where the `.init` function has called xm_alias_map: stores to a site + ALIAS
 * go through another linear address, as those of `invoke xm_text_poke_alias, SITE, BYTES, SIZE, STEPS` do.
 */
export const ALIAS = 0x400000
