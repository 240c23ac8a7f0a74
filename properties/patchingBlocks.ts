/**
 * Programs that patch by the functions of the library (include/xmpatch.h, xmstatic.h, xmprobe.h) while an interrupt or NMI of the same vCPU
 * runs the code, with and without each synchronisation; and what the oracle of patchingProtocols.ts says of them.
 *
 * The vCPU that patches is the one that executes, so what matters is whether it sees its own stores to code before it serialises
 * (knob ownStores): `seen` is what parts do from the Pentium on, `lag` is what portable code has to assume.
 */
import fc from 'fast-check'
import { checkImage } from '../src/explore/check.ts'
import { assembleImage } from '../src/guest/asm/index.ts'
import { formBytes, formCall, formDirect, formIndirect, formJump, NOPS, STATIC_RET, staticBranch, trampoline } from '../src/patching/blocks.ts'
import {
  breakpoints, pokeTable, staticCallKey, staticKey, STEPS, type BreakpointPart,
} from '../src/patching/library.ts'
import type { MachineImage } from '../src/smp/image.ts'
import { makeModel } from '../src/smp/model.ts'
import { canFail, INT3, type Plan, type Write } from './patchingProtocols.ts'

export interface Steps {
  readonly sync1: boolean
  readonly sync2: boolean
  readonly sync3: boolean
}

/** How a block is used: sites with the places of their first bytes in a line of 64 bytes. */
export interface BlockUse {
  readonly block: keyof typeof BLOCKS
  readonly offsets: readonly [number, number]
  /** Bytes between the old and the new function: how far their displacements differ. */
  readonly apart: number
  readonly steps: Steps
  readonly caller: 'irq' | 'nmi'
}

/** A site as the program has it: forms as bytes follow from the image. */
interface Patched {
  readonly label: string
  readonly sizeBytes: number
  readonly before: string
  readonly after: string
}

interface Block {
  readonly sites: readonly Patched[]
  /** What the interrupt runs; the sites stand where `place` puts them. */
  readonly code: (place: (index: number, text: string) => string) => string
  /** Forms in .rodata, and data. */
  readonly forms: string
  readonly data: string
  /** The patcher, with the steps as a number. */
  readonly patch: (steps: number) => string
  readonly part: BreakpointPart
  /** The order of what is written: pokes of groups of sites, there or back. */
  readonly pokes: readonly { readonly sites: readonly number[]; readonly back?: boolean }[]
  /** Breakpoints are known for ever: they are looked up in a table. Otherwise, as long as the poke lasts. */
  readonly table: boolean
}

const site = (index: number, sizeBytes = 5): Patched => ({ label: `site${index}`, sizeBytes, before: `before${index}`, after: `after${index}` })
const [one, two] = [site(0), site(1)]
const invoke = (fn: string, ...words: (string | number)[]) => `  invoke ${[fn, ...words].join(', ')}`
const call = (place: (index: number, text: string) => string, text: string) => place(0, `code:\n${text}\n  ret`)

export const BLOCKS = {
  'text_poke, call to call': {
    sites: [one], table: false, pokes: [{ sites: [0] }],
    code: (place) => call(place, 'site0: call old'), data: '',
    forms: `${formCall('before0', 'site0', 'old')}\n${formCall('after0', 'site0', 'new')}`,
    patch: (steps) => invoke('xm_text_poke', 'site0', 'after0', 5, steps), part: { known: 'xm_poke_bp', argument: 0 },
  },
  'text_poke, NOP to jump': {
    sites: [one], table: false, pokes: [{ sites: [0] }],
    code: (place) => call(place, `site0: db ${NOPS.k8[4].join()}\n  call old\n  nop\nlanding:`), data: '',
    forms: `${formBytes('before0', NOPS.k8[4])}\n${formJump('after0', 'site0', 'landing')}`,
    patch: (steps) => invoke('xm_text_poke', 'site0', 'after0', 5, steps), part: { known: 'xm_poke_bp', argument: 0 },
  },
  'batch of a call and a NOP': {
    sites: [one, two], table: true, pokes: [{ sites: [0, 1] }],
    code: (place) => `${place(0, 'code:\nsite0: call old\n  jmp near site1')}\n${place(1, `site1: db ${NOPS.p6[4].join()}\n  ret`)}`,
    forms: [formCall('before0', 'site0', 'old'), formBytes('after0', NOPS.p6[4]), formBytes('before1', NOPS.p6[4]), formCall('after1', 'site1', 'new')].join('\n'),
    data: pokeTable('sites', [one, two]),
    patch: (steps) => invoke('xm_poke_batch', 'sites', steps), part: { known: 'xm_batch_bp', argument: 'sites' },
  },
  'static call': {
    sites: [one, two], table: false, pokes: [{ sites: [0] }, { sites: [1] }],
    code: (place) => `${place(1, 'code:\nsite1: call site0\n  ret')}\n${place(0, trampoline('site0', 'old'))}`,
    forms: [formJump('before0', 'site0', 'old'), formJump('after0', 'site0', 'new'), formCall('before1', 'site1', 'site0'), formCall('after1', 'site1', 'new')].join('\n'),
    data: staticCallKey('key', 'site0', 'old', [{ label: 'site1', tail: false }]),
    patch: (steps) => invoke('xm_static_call_update', 'key', 'new', steps), part: { known: 'xm_poke_bp', argument: 0 },
  },
  'static call to nothing, tail': {
    sites: [one, two], table: false, pokes: [{ sites: [0] }, { sites: [1] }],
    code: (place) => `${place(1, 'code:\nsite1: db 0xe9\n  dd site0 - (site1 + 5)')}\n${place(0, trampoline('site0', 'old'))}`,
    forms: [formJump('before0', 'site0', 'old'), formBytes('after0', STATIC_RET), formJump('before1', 'site1', 'site0'), formBytes('after1', STATIC_RET)].join('\n'),
    data: staticCallKey('key', 'site0', 'old', [{ label: 'site1', tail: true }]),
    patch: (steps) => invoke('xm_static_call_update', 'key', 0, steps), part: { known: 'xm_poke_bp', argument: 0 },
  },
  'static key, there and back': {
    sites: [one], table: true, pokes: [{ sites: [0] }, { sites: [0], back: true }],
    code: (place) => call(place, staticBranch('site0')),
    forms: `${formBytes('before0', NOPS.p6[4])}\n${formJump('after0', 'site0', 'site0_on')}`,
    data: staticKey('key', [one]),
    patch: (steps) => [invoke('xm_static_key_inc', 'key', steps), invoke('xm_static_key_dec', 'key', steps)].join('\n'),
    part: { known: 'xm_key_bp', argument: 'key' },
  },
  'pv_ops, indirect to direct': {
    sites: [site(0, 6)], table: false, pokes: [{ sites: [0] }],
    code: (place) => call(place, 'site0: call dword [op]'), data: 'align 4\nop: dd new',
    forms: `${formIndirect('before0', 'op')}\n${formDirect('after0', 'site0', 'new')}`,
    patch: (steps) => invoke('xm_text_poke_emulating', 'site0', 'after0', 6, steps, 'before0'), part: { known: 'xm_poke_bp', argument: 0 },
  },
} as const satisfies Readonly<Record<string, Block>>

const numberOf = ({ sync1, sync2, sync3 }: Steps) => (sync1 ? STEPS.first : 0) | (sync2 ? STEPS.second : 0) | (sync3 ? STEPS.third : 0)

export function blockImage(use: BlockUse): MachineImage {
  const block: Block = BLOCKS[use.block]
  const place = (index: number, text: string) => `section .text.${index} ${0x110000 + index * 0x1000 + use.offsets[index]}\n${text}\nsection .text`
  const source = `.vcpu patcher
${use.caller === 'irq' ? '.irq 0, 0x40, handler, 1' : '.nmi 0, handler, 1'}
${block.sites.map((one) => `.forms ${one.label}, ${one.sizeBytes}, ${one.before}, ${one.after}, int3`).join('\n')}
${breakpoints([block.part])}
patcher: sti
  nop
${block.patch(numberOf(use.steps))}
  cli
  ret
handler: push eax
  call code
  pop eax
  iret
old: ret
times ${use.apart} nop
new: ret
${block.code(place)}
section .rodata
${block.forms}
section .data
${block.data}`
  return assembleImage(source, { title: use.block })
}

/** What is written, in order: INT3s, tails byte by byte, first bytes; and when everybody serialises. */
function planOf(block: Block, { sync1, sync2, sync3 }: Steps, forms: readonly (readonly number[])[][]): Plan {
  const writes: Write[] = []
  const syncs: number[] = []
  const forgets: { readonly site: number; readonly at: number }[] = []
  for (const { sites, back } of block.pokes) {
    const target = (k: number) => forms[k][back === true ? 0 : 1]
    for (const k of sites) writes.push({ site: k, at: 0, bytes: [INT3] })
    if (sync1) syncs.push(writes.length)
    for (const k of sites) target(k).slice(1).forEach((byte, n) => writes.push({ site: k, at: n + 1, bytes: [byte] }))
    if (sync2) syncs.push(writes.length)
    for (const k of sites) writes.push({ site: k, at: 0, bytes: [target(k)[0]] })
    if (sync3) syncs.push(writes.length)
    // With the third synchronisation nobody can meet the breakpoint any more when it is forgotten.
    else if (!block.table) for (const k of sites) forgets.push({ site: k, at: writes.length })
  }
  return { writes, syncs, forgets }
}

export function predictBlock(use: BlockUse, rung: string, ownStores: 'seen' | 'lag'): 'holds' | 'violated' {
  const block: Block = BLOCKS[use.block]
  const forms = blockImage(use).sites.toSorted((a, b) => (a.name < b.name ? -1 : 1)).map((one) => one.forms!.map(({ bytes }) => [...bytes]))
  const sites = forms.map(([before, after], k) => ({ offset: use.offsets[k], before, after }))
  const protocol = { sites, method: { kind: 'poke', steps: use.steps }, caller: use.caller, vcpus: 1, same: true } as const
  const plan = planOf(block, use.steps, forms)
  return sites.some((_, k) => canFail(protocol, k, plan, ownStores === 'seen' ? 'coherent' : rung)) ? 'violated' : 'holds'
}

/** `undefined`: the search was cut short. */
export function judgeBlock(use: BlockUse, fetch: string, ownStores: 'seen' | 'lag', events = 30_000): 'holds' | 'violated' | undefined {
  const result = checkImage(blockImage(use), makeModel({ fetch, ownStores }), { engine: 'graph', liveness: 'off', limits: { events } })
  return result.verdict === 'violated' ? 'violated' : result.strength === 'complete' ? 'holds' : undefined
}

const steps = fc.oneof(
  { weight: 1, arbitrary: fc.constant({ sync1: true, sync2: true, sync3: true }) },
  { weight: 3, arbitrary: fc.record({ sync1: fc.boolean(), sync2: fc.boolean(), sync3: fc.boolean() }) },
)
export const anyUse: fc.Arbitrary<BlockUse> = fc.record({
  block: fc.constantFrom(...(Object.keys(BLOCKS) as (keyof typeof BLOCKS)[])),
  offsets: fc.tuple(fc.nat({ max: 63 }), fc.nat({ max: 63 })),
  apart: fc.constantFrom(4, 0x201, 0x8001),
  steps,
  caller: fc.constantFrom('irq', 'nmi'),
})
export const ownStores = fc.constantFrom('seen' as const, 'lag' as const, 'lag' as const)
