/**
 * Every way of src/patching/library.ts and blocks.ts to write code, as a program needs it: sites and what may stand there, the code that runs them,
 * the patcher with its synchronisations as a number, and the order of what it writes, for the oracle.
 */
import {
  formBytes, formCall, formDirect, formIndirect, formJump, lazyStub, NOPS, STATIC_RET, staticBranch, trampoline, type PokeSteps, type Site,
} from '../src/patching/blocks.ts'
import {
  pokeTable, PROBE_BOOSTED, PROBE_PLAIN, probeCode, probeData, probeSteps, staticCallKey, staticKey, type BreakpointPart,
} from '../src/patching/library.ts'
import { INT3, type Plan, type Write } from './patchingOracle.ts'

/** Whom the code runs on: an interrupt or NMI of the vCPU that patches; another vCPU, as its task or in a handler. */
export type Where = 'irq' | 'nmi' | 'other task' | 'other irq' | 'other nmi'

/** Puts text at the place of site `index`. */
type Place = (index: number, text: string) => string
/** The forms of each site, in the order in which they are listed. */
type Forms = readonly (readonly (readonly number[])[])[]

export interface Block {
  readonly sites: readonly Site[]
  /** Labels of what may stand there besides. */
  readonly others?: readonly string[]
  /** Label `code` runs all sites; they stand where `place` puts them. */
  readonly code: (place: Place) => string
  /** In .rodata, and in .data. */
  readonly forms: string
  readonly data?: string
  /** Handlers and functions besides. */
  readonly more?: string
  readonly init?: string
  /** What who runs the code does around that; what another task does between two runs of it. */
  readonly around?: (steps: PokeSteps) => readonly [string, string]
  readonly between?: (steps: PokeSteps) => string
  readonly patch: (steps: number) => string
  /** The #BP handler. */
  readonly parts?: readonly BreakpointPart[]
  readonly where: readonly Where[]
  /** Which of the steps are something here; absent: all. */
  readonly steps?: readonly (keyof PokeSteps)[]
  readonly plan: (steps: PokeSteps, forms: Forms, where: Where) => Plan
  /** Label of what stands at a site in the end; absent: `after`. */
  readonly final?: (site: Site) => string
  /** Who runs the code has serialised, and sees it written as a whole. */
  readonly fresh?: (steps: PokeSteps, where: Where) => boolean
  /** It runs while all others stand still. */
  readonly stopped?: boolean
  /** It is written through another linear address. */
  readonly alias?: boolean
}

// --- plans ----------------------------------------------------------------------------------------------

const bytewise = (site: number, bytes: readonly number[], from: number): Write[] => bytes.slice(from).map((byte, k) => ({ site, at: from + k, bytes: [byte] }))

interface Poke {
  readonly sites: readonly number[]
  /** From the second form to the first. */
  readonly back?: boolean
  /** How much is written behind the INT3; absent: all. */
  readonly sizeBytes?: number
}
/** Pokes, one after the other: INT3s, tails byte by byte, first bytes. `table`: breakpoints are known for ever, not as long as the poke lasts. */
const poked =
  (table: boolean, ...pokes: readonly Poke[]): Block['plan'] =>
  ({ sync1, sync2, sync3 }, forms) => {
    const writes: Write[] = []
    const syncs: number[] = []
    const forgets: { readonly site: number; readonly at: number }[] = []
    const synchronise = (made: boolean) => made && syncs.push(writes.length)
    for (const { sites, back, sizeBytes } of pokes) {
      const target = (k: number) => forms[k][back === true ? 0 : 1].slice(0, sizeBytes)
      for (const k of sites) writes.push({ site: k, at: 0, bytes: [INT3] })
      synchronise(sync1)
      for (const k of sites) writes.push(...bytewise(k, target(k), 1))
      synchronise(sync2)
      for (const k of sites) writes.push({ site: k, at: 0, bytes: [target(k)[0]] })
      synchronise(sync3)
      // With the third synchronisation nobody can meet the breakpoint any more when it is forgotten.
      if (!sync3 && !table) for (const k of sites) forgets.push({ site: k, at: writes.length })
    }
    return { writes, syncs, forgets }
  }
/** What `written` says, and a synchronisation behind it all, where the third is made. */
const written =
  (list: (form: readonly number[]) => readonly Write[]): Block['plan'] =>
  ({ sync3 }, forms) => {
    const writes = list(forms[0][1])
    return { writes, syncs: sync3 ? [writes.length] : [] }
  }
const displacement = written((form) => [{ site: 0, at: 1, bytes: form.slice(1, 5) }])

// --- blocks ---------------------------------------------------------------------------------------------

const site = (index: number, sizeBytes = 5): Site => ({ label: `site${index}`, sizeBytes, before: `before${index}`, after: `after${index}` })
const [one, two] = [site(0), site(1)]
const six = site(0, 6)
const invoke = (fn: string, ...words: (string | number)[]) => `  invoke ${[fn, ...words].join(', ')}`
const lines = (...text: string[]) => text.join('\n')
const call = (place: Place, text: string) => place(0, `code:\n${text}\n  ret`)
const synchronised = (steps: number, text: string) => lines(text, ...(steps & 4 ? [invoke('xm_sync_all')] : []))
const calls = lines(formCall('before0', 'site0', 'old'), formCall('after0', 'site0', 'new'))

const HERE: readonly Where[] = ['irq', 'nmi']
const APART: readonly Where[] = ['other task', 'other irq', 'other nmi']
const ANYWHERE = [...HERE, ...APART]
const POKE: readonly BreakpointPart[] = [{ known: 'xm_poke_bp', argument: 0 }]
const PROBE: readonly BreakpointPart[] = [{ known: 'xm_probe_bp', argument: 'probe' }]

const probe = (kind: number, sizeBytes: number) => ({
  init: invoke('xm_probe_prepare', 'probe', kind), data: probeData('probe', site(0, sizeBytes), 'hit'),
  more: lines(probeCode('probe', 'hit'), 'hit: ret', ...(kind === PROBE_PLAIN ? [probeSteps()] : [])),
  parts: PROBE, where: ANYWHERE, final: ({ before }: Site) => before,
}) // prettier-ignore
const armed = (kind: number): Block => ({
  ...probe(kind, 3), sites: [site(0, 3)], steps: ['sync1', 'sync3'],
  code: (place) => call(place, 'site0: add eax, 2'), forms: lines(formBytes('before0', [0x83, 0xc0, 2]), formBytes('after0', [0x83, 0xc0, 2])),
  patch: (steps) => lines(invoke('xm_probe_arm', 'probe', steps), invoke('xm_probe_disarm', 'probe', steps)),
  plan: ({ sync1, sync3 }, [[original]]) =>
    ({ writes: [{ site: 0, at: 0, bytes: [INT3] }, { site: 0, at: 0, bytes: [original[0]] }], syncs: [...(sync1 ? [1] : []), ...(sync3 ? [2] : [])] }),
}) // prettier-ignore

const PV_OP = 2

export const BLOCKS = {
  'text_poke, call to call': {
    sites: [one], where: ANYWHERE, parts: POKE, plan: poked(false, { sites: [0] }),
    code: (place) => call(place, 'site0: call old'), forms: calls,
    patch: (steps) => invoke('xm_text_poke', 'site0', 'after0', 5, steps),
  },
  'text_poke, NOP to jump': {
    sites: [one], where: ANYWHERE, parts: POKE, plan: poked(false, { sites: [0] }),
    code: (place) => call(place, `site0: db ${NOPS.k8[4].join()}\n  call old\n  nop\nlanding:`),
    forms: lines(formBytes('before0', NOPS.k8[4]), formJump('after0', 'site0', 'landing')),
    patch: (steps) => invoke('xm_text_poke', 'site0', 'after0', 5, steps),
  },
  'text_poke through an alias': {
    sites: [one], where: HERE, alias: true, plan: poked(false, { sites: [0] }), parts: POKE,
    code: (place) => call(place, `site0: db ${NOPS.p6[4].join()}\n  call old\nlanding: nop`),
    forms: lines(formBytes('before0', NOPS.p6[4]), formJump('after0', 'site0', 'landing')),
    patch: (steps) => invoke('xm_text_poke_alias', 'site0', 'after0', 5, steps),
  },
  'batch of a call and a NOP': {
    sites: [one, two], where: ANYWHERE, parts: [{ known: 'xm_batch_bp', argument: 'sites' }], plan: poked(true, { sites: [0, 1] }),
    code: (place) => `${place(0, 'code:\nsite0: call old\n  jmp near site1')}\n${place(1, `site1: db ${NOPS.p6[4].join()}\n  ret`)}`,
    forms: lines(formCall('before0', 'site0', 'old'), formBytes('after0', NOPS.p6[4]), formBytes('before1', NOPS.p6[4]), formCall('after1', 'site1', 'new')),
    data: pokeTable('sites', [one, two]), patch: (steps) => invoke('xm_poke_batch', 'sites', steps),
  },
  'static call': {
    sites: [one, two], where: ANYWHERE, parts: POKE, plan: poked(false, { sites: [0] }, { sites: [1] }),
    code: (place) => `${place(1, 'code:\nsite1: call site0\n  ret')}\n${place(0, trampoline('site0', 'old'))}`,
    forms: lines(formJump('before0', 'site0', 'old'), formJump('after0', 'site0', 'new'), formCall('before1', 'site1', 'site0'), formCall('after1', 'site1', 'new')),
    data: staticCallKey('key', 'site0', 'old', [{ label: 'site1', tail: false }]),
    patch: (steps) => invoke('xm_static_call_update', 'key', 'new', steps),
  },
  'static call to nothing, tail': {
    sites: [one, two], where: ANYWHERE, parts: POKE, plan: poked(false, { sites: [0] }, { sites: [1] }),
    code: (place) => `${place(1, 'code:\nsite1: db 0xe9\n  dd site0 - (site1 + 5)')}\n${place(0, trampoline('site0', 'old'))}`,
    forms: lines(formJump('before0', 'site0', 'old'), formBytes('after0', STATIC_RET), formJump('before1', 'site1', 'site0'), formBytes('after1', STATIC_RET)),
    data: staticCallKey('key', 'site0', 'old', [{ label: 'site1', tail: true }]),
    patch: (steps) => invoke('xm_static_call_update', 'key', 0, steps),
  },
  'static key, there and back': {
    sites: [one], where: ANYWHERE, parts: [{ known: 'xm_key_bp', argument: 'key' }], plan: poked(true, { sites: [0] }, { sites: [0], back: true }),
    code: (place) => call(place, staticBranch('site0')), final: ({ before }) => before,
    forms: lines(formBytes('before0', NOPS.p6[4]), formJump('after0', 'site0', 'site0_on')), data: staticKey('key', [one]),
    patch: (steps) => lines(invoke('xm_static_key_inc', 'key', steps), invoke('xm_static_key_dec', 'key', steps)),
  },
  'pv_ops, indirect to direct': {
    sites: [six], where: ANYWHERE, parts: POKE, plan: poked(false, { sites: [0] }),
    code: (place) => call(place, 'site0: call dword [op]'), data: 'align 4\nop: dd new',
    forms: lines(formIndirect('before0', 'op'), formDirect('after0', 'site0', 'new')),
    patch: (steps) => invoke('xm_text_poke_emulating', 'site0', 'after0', 6, steps, 'before0'),
  },
  // sync1: with interrupts off. Who patches serialises at the end.
  'pv_ops, while one vCPU runs': {
    sites: [six], where: HERE, steps: ['sync1'],
    code: (place) => call(place, `site0: call dword [xm_pv_ops + ${16 * PV_OP}]`),
    init: lines(`  mov dword [xm_pv_ops + ${16 * PV_OP}], new`, `  mov dword [xm_pv_ops + ${16 * PV_OP + 4}], 7`),
    data: `align 4\nop_site: dd site0, 6, ${PV_OP}, 7`,
    forms: lines(formIndirect('before0', `xm_pv_ops + ${16 * PV_OP}`), formDirect('after0', 'site0', 'new')),
    patch: (steps) => (steps & 1 ? lines('  cli', invoke('xm_pv_patch', 'op_site', 1), '  sti', '  nop') : invoke('xm_pv_patch', 'op_site', 1)),
    fresh: ({ sync1 }, where) => sync1 && where === 'irq',
    plan: ({ sync1 }, [[, form]], where) => ({
      writes: sync1 && where === 'irq' ? [{ site: 0, at: 0, bytes: form }] : [[0, 1], [1, 5], [5, 6]].map(([from, to]) => ({ site: 0, at: from, bytes: form.slice(from, to) })),
      syncs: [sync1 && where === 'irq' ? 1 : 3],
    }),
  },
  'relink by one store': {
    sites: [one], where: ANYWHERE, steps: ['sync3'], plan: displacement,
    code: (place) => call(place, 'site0: call old'), forms: calls, patch: (steps) => synchronised(steps, invoke('xm_relink', 'site0', 'after0')),
  },
  'call site that links itself': {
    sites: [one], where: ANYWHERE, steps: ['sync3'], plan: displacement, more: lazyStub('stub', 'slot'), data: 'align 4\nslot: dd new',
    code: (place) => call(place, 'site0: call stub'), forms: lines(formCall('before0', 'site0', 'stub'), formCall('after0', 'site0', 'new')),
    patch: (steps) => synchronised(steps, '  call code'),
  },
  'self-loop guard': {
    sites: [one], others: ['guard0'], where: APART, steps: ['sync3'],
    plan: written((form) => [{ site: 0, at: 0, bytes: [0xeb, 0xfe, 0xeb, 0xfe] }, ...bytewise(0, form, 4), { site: 0, at: 0, bytes: form.slice(0, 4) }]),
    code: (place) => call(place, 'site0: call old'), forms: lines(calls, formBytes('guard0', [0xeb, 0xfe, 0xeb, 0xfe, 0x90])),
    patch: (steps) => synchronised(steps, invoke('xm_poke_guarded', 'site0', 'after0', 5)),
  },
  'LOCK prefix': {
    sites: [site(0, 7)], where: ANYWHERE, steps: ['sync3'], plan: written((form) => [{ site: 0, at: 0, bytes: [form[0]] }]),
    code: (place) => call(place, 'site0: db 0xf0, 0xff, 0x05\n  dd counter'), data: 'align 4\ncounter: dd 0',
    forms: [['before0', 0xf0], ['after0', 0x3e]].map(([label, prefix]) => `${label}: db ${prefix}, 0xff, 0x05\n  dd counter`).join('\n'),
    patch: (steps) => synchronised(steps, invoke('xm_set_prefix', 'site0', 0x3e)),
  },
  'plain copy': {
    sites: [one], where: ANYWHERE, steps: ['sync3'], plan: written((form) => bytewise(0, form, 0)),
    code: (place) => call(place, `site0: db ${NOPS.generic[4].join()}`), forms: lines(formBytes('before0', NOPS.generic[4]), formCall('after0', 'site0', 'new')),
    patch: (steps) => synchronised(steps, invoke('xm_copy', 'site0', 'after0', 5)),
  },
  // sync3: who was stopped serialises.
  'stop_machine': {
    sites: [one], where: ['other task', 'other nmi'], steps: ['sync3'], stopped: true, between: ({ sync3 }) => invoke('xm_stopped', sync3 ? 1 : 0),
    code: (place) => call(place, 'site0: call old'), forms: calls,
    patch: () => lines(invoke('xm_stop_machine', 2), invoke('xm_copy', 'site0', 'after0', 5), invoke('xm_resume')),
    plan: (_, [[, form]]) => ({ writes: bytewise(0, form, 0), syncs: [] }),
  },
  // sync1: the NMI handler completes what is being written.
  'copy that NMI handlers complete': {
    sites: [one], where: ['nmi', 'other nmi'], steps: ['sync1'], fresh: ({ sync1 }) => sync1,
    around: ({ sync1 }) => (sync1 ? [invoke('xm_nmi_enter'), invoke('xm_nmi_exit')] : ['', '']),
    code: (place) => call(place, 'site0: call old'), forms: calls, patch: () => invoke('xm_nmi_write', 'site0', 'after0', 5),
    plan: ({ sync1 }, [[, form]]) => (sync1 ? { writes: [{ site: 0, at: 0, bytes: form }], syncs: [1] } : { writes: bytewise(0, form, 0), syncs: [] }),
  },
  'probe, stepped over': armed(PROBE_PLAIN),
  'probe, boosted': armed(PROBE_BOOSTED),
  'probe, optimised and back': {
    ...probe(PROBE_BOOSTED, 6), sites: [six], code: (place) => call(place, 'site0: add eax, 2\n  add eax, 3'),
    forms: lines(formBytes('before0', [0x83, 0xc0, 2, 0x83, 0xc0, 3]), `${formJump('after0', 'site0', 'probe_detour')}\n  db 3`),
    patch: (steps) => ['arm', 'optimize', 'unoptimize', 'disarm'].map((step) => invoke(`xm_probe_${step}`, 'probe', steps)).join('\n'),
    plan: poked(true, { sites: [0], sizeBytes: 5 }, { sites: [0], back: true }),
  },
} as const satisfies Readonly<Record<string, Block>> // prettier-ignore
