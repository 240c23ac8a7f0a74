/**
 * The knobs of the model: every assumption that a verdict rests on, as one table. Command line flags, help
 * text, `xmcheck list`, docs and the `models` object of a verdict are all read from it.
 */
import { classOf, CPU_CLASSES, type CpuClass } from '../cpu/classes.ts'
import { parseUndefinedFlags, type UndefinedFlags } from '../cpu/undefinedFlags.ts'

export type KnobValue = string | number | boolean

interface KnobRow {
  readonly name: string
  readonly fallback: KnobValue
  /** Allowed spellings; absent: any number in `range`, or what `accepts`. */
  readonly values?: readonly string[]
  readonly accepts?: { readonly test: (text: string) => boolean; readonly doc: () => string }
  readonly range?: readonly [number, number]
  readonly doc: string
}

/** Of knob `pcpus`. */
export const PCPUS_MAX = 32

export const KNOBS: readonly KnobRow[] = [
  { name: 'cpu', fallback: 'p4', values: Object.keys(CPU_CLASSES), doc: 'CPU class: instructions, line size, atomicity, prefetch queue' },
  { name: 'memory', fallback: 'tso', values: ['tso', 'sc'], doc: 'data memory: x86-TSO, or sequentially consistent' },
  {
    name: 'fetch', fallback: 'ordered:16', accepts: { test: (text) => parseRung(text) !== null, doc: () => `one of ${RUNGS.join(', ')}` },
    doc: 'rung of the fetch ladder: coherent, single, ordered:N, independent:N, byte, strict',
  },
  { name: 'ownStores', fallback: 'seen', values: ['seen', 'lag'], doc: 'own stores to code: seen by the own fetch (Pentium and later), or only after serialising' },
  { name: 'smcMatch', fallback: 'linear', values: ['linear', 'physical'], doc: 'own stores to code are seen where they go through the linear address that is fetched from; or through any' },
  { name: 'storeBuffer', fallback: 16, range: [1, 32], doc: 'entries of a store buffer; a full one weakens `complete` to `bounded`' },
  {
    name: 'storeOrder', fallback: 'fifo', values: ['fifo', 'any'],
    doc: 'stores of a vCPU reach memory in program order, or in any (out-of-order stores of the WinChip; what the Pentium Pro errata 66 and 92 are guarded against as)',
  },
  { name: 'partialOverlap', fallback: 'merge', values: ['merge', 'wait'], doc: 'a load that overlaps a buffered store in part: merge bytes, or wait for the drain' },
  { name: 'interruptDrains', fallback: true, doc: 'taking an interrupt or exception empties the store buffer (SDM vol. 3A 11.10)' },
  { name: 'interruptSync', fallback: false, doc: 'taking an interrupt or exception is core-serialising (the IRET at its end always is)' },
  { name: 'ipiDrains', fallback: true, doc: 'sending an IPI waits for earlier stores (xAPIC yes, x2APIC no)' },
  { name: 'fetchHistory', fallback: 24, range: [1, 64], doc: 'code writes a vCPU may lag behind; reaching it weakens `complete` to `bounded`' },
  { name: 'tlb', fallback: 'pde', values: ['none', 'leaf', 'pde'], doc: 'with paging on, cached are: nothing (every access walks), translations, or also directory entries' },
  { name: 'tlbSplit', fallback: 'split', values: ['unified', 'split', 'each'], doc: 'one TLB; one for fetches and one for data; or every access looks up on its own, newer or older' },
  { name: 'tlbSpeculative', fallback: 'any', values: ['no', 'accessed', 'any'], doc: 'cached without an access: nothing; what has its accessed bits set; anything present' },
  { name: 'tlbEntries', fallback: 24, range: [1, 64], doc: 'stale translations, and stale directory entries, of a vCPU; more weaken `complete` to `bounded`' },
  { name: 'pcpus', fallback: 0, range: [0, PCPUS_MAX], doc: 'pCPUs that the vCPUs share: no more of them run at a time, a hypervisor decides which; 0: one each. Programs may declare it (XM_PCPUS)' },
  { name: 'localSteps', fallback: 4096, range: [16, 1e9], doc: 'instructions without a visible event before a scheduling point is forced' },
  {
    name: 'undefinedFlags', fallback: 'fixed', accepts: { test: (text) => parseUndefinedFlags(text) !== null, doc: () => 'fixed, zero or random:SEED' },
    doc: 'flags that the manual leaves undefined: fixed (what the model makes of them), zero, or random:SEED',
  },
]

/** Effective knobs, and what follows from them. */
export interface Model {
  readonly knobs: Readonly<Record<string, KnobValue>>
  readonly cpu: CpuClass
  readonly sc: boolean
  /** What one fetch may be made of: the rung, or what a prefetch queue makes of it. */
  readonly fetch: FetchRung
  /** Fetches lag by the prefetch queue of the CPU class alone (rung `coherent`). */
  readonly queueOnly: boolean
  /** A vCPU fetches what it has stored itself (SDM vol. 3A 11.6). */
  readonly ownStoresSeen: boolean
  /** It does where the store went through the linear address of the fetch; false: through any (SDM vol. 3A 11.6). */
  readonly matchesLinear: boolean
  readonly storeBuffer: number
  /** Stores may overtake older ones of the same vCPU, other than to the same bytes and across an SFENCE. */
  readonly storesOvertake: boolean
  readonly partialWait: boolean
  readonly interruptDrains: boolean
  readonly interruptSync: boolean
  readonly ipiDrains: boolean
  readonly fetchHistory: number
  readonly tlb: 'none' | 'leaf' | 'pde'
  readonly tlbSplit: 'unified' | 'split' | 'each'
  readonly tlbSpeculative: 'no' | 'accessed' | 'any'
  readonly tlbEntries: number
  /** 0: as many as there are vCPUs. */
  readonly pcpus: number
  readonly localSteps: number
  readonly undefinedFlags: UndefinedFlags
}

export interface FetchRung {
  readonly kind: 'coherent' | 'single' | 'ordered' | 'independent' | 'byte' | 'strict'
  /** Aligned chunk of a fetch, in bytes; 1 for `byte` and `strict`, 0 where the rung has none. */
  readonly chunkBytes: number
}

/** Every rung that has a name, from the strongest assumption to the weakest (a linear extension of the partial order). */
export const RUNGS: readonly string[] = [
  'coherent',
  'single',
  ...[64, 32, 16, 8, 4].map((n) => `ordered:${n}`),
  ...[64, 32, 16, 8, 4].map((n) => `independent:${n}`),
  'byte',
  'strict',
]

/** Of the bytes of one executed instruction, by kind of rung; N: its `chunkBytes`. */
export const RUNG_KINDS: Readonly<Record<FetchRung['kind'], string>> = {
  coherent: 'what memory holds when the instruction executes',
  single: 'all of one version, which may lag behind until the vCPU serialises',
  ordered: 'aligned chunks of N bytes, each may lag, versions do not decrease with the address',
  independent: 'the same, each chunk on its own',
  byte: 'each byte on its own',
  strict: 'executing code modified since the last serialisation is the violation',
}

/** What the kinds of these rungs mean, a line each; N stands for the numbers that occur. */
export function rungLegend(rungs: readonly string[]): string[] {
  const kinds = new Set(rungs.map((rung) => parseRung(rung)!.kind))
  return [...kinds].map((kind) => `${(rungs.some((rung) => rung.startsWith(`${kind}:`)) ? `${kind}:N` : kind).padEnd(16)}${RUNG_KINDS[kind]}`)
}

/** Whether every behaviour of rung `a` is one of rung `b` (so a violation on `a` persists on `b`). */
export function rungImplies(a: FetchRung, b: FetchRung): boolean {
  const level = { coherent: 0, single: 1, ordered: 2, independent: 3, byte: 4, strict: 5 }
  if (level[a.kind] > level[b.kind]) return false
  const chunked = a.chunkBytes > 1 && b.chunkBytes > 1
  return chunked ? a.chunkBytes >= b.chunkBytes : true
}

/** A rung from its spelling; null where there is none of that name. */
export function parseRung(text: string): FetchRung | null {
  if (!RUNGS.includes(text)) return null
  const [kind, size] = text.split(':')
  const chunkBytes = size ? Number(size) : kind === 'byte' || kind === 'strict' ? 1 : 0
  return { kind: kind as FetchRung['kind'], chunkBytes }
}

/** Named readings of the manuals and of parts, as settings of knobs; flags and `--set` go before them. */
export const PROFILES: Readonly<Record<string, { readonly knobs: Readonly<Record<string, KnobValue>>; readonly doc: string }>> = {
  'intel-manual': { knobs: { fetch: 'strict' }, doc: 'unsynchronised cross-modification is not allowed at all (SDM vol. 3A 9.1.3)' },
  'amd-manual': { knobs: { fetch: 'ordered:8' }, doc: 'a store inside an aligned quadword is fetched old or new (APM vol. 2 7.6.1)' },
  measured: { knobs: { fetch: 'independent:16', partialOverlap: 'wait' }, doc: 'what parts were seen to do: 16-byte fetch blocks, each of its own age; no forwarding of partial overlaps' },
  '386': { knobs: { cpu: '386', fetch: 'ordered:4' }, doc: 'Intel386: dword prefetches, 16-byte queue' },
  '486': { knobs: { cpu: '486', fetch: 'ordered:16' }, doc: 'Intel486: 16-byte lines, 32-byte queue' },
  pentium: { knobs: { cpu: 'pentium', fetch: 'ordered:32' }, doc: 'Pentium: 32-byte lines, aligned 8 bytes are atomic' },
  p6: { knobs: { cpu: 'p6', fetch: 'ordered:16' }, doc: 'P6: 32-byte lines, 16-byte fetch blocks' },
  x2apic: { knobs: { ipiDrains: false }, doc: 'sending an IPI does not wait for earlier stores' },
}

/** The rung assumes more than parts were seen to keep to. */
export function assumesMoreThanMeasured(rung: FetchRung): boolean {
  return !rungImplies(parseRung(PROFILES.measured.knobs.fetch as string)!, rung)
}

/** A mistake in a knob; `message` says what is allowed. */
export class KnobError extends Error {}

/** The model for the given knobs (spelled as on the command line), the others at their defaults. @throws KnobError */
export function makeModel(settings: Readonly<Record<string, KnobValue>> = {}): Model {
  const knobs: Record<string, KnobValue> = {}
  for (const name of Object.keys(settings))
    if (!KNOBS.some((row) => row.name === name))
      throw new KnobError(`there is no knob '${name}'; knobs are ${KNOBS.map((row) => row.name).join(', ')}`)
  for (const row of KNOBS) knobs[row.name] = readKnob(row, settings[row.name] ?? row.fallback)
  const cpu = classOf(knobs.cpu as string)
  const rung = parseRung(knobs.fetch as string)!
  // A queue is filled in order, by aligned prefetches: one instruction may take bytes of several.
  const queued = cpu.queueBytes > 0 && (rung.kind === 'coherent' || rung.kind === 'single')
  return {
    knobs,
    cpu,
    sc: knobs.memory === 'sc',
    fetch: queued ? { kind: 'ordered', chunkBytes: cpu.prefetchBytes } : rung,
    queueOnly: queued && rung.kind === 'coherent',
    ownStoresSeen: cpu.detectsOwnStores && knobs.ownStores === 'seen',
    matchesLinear: cpu.detectsOwnStores && knobs.ownStores === 'seen' && knobs.smcMatch === 'linear',
    storeBuffer: knobs.storeBuffer as number,
    storesOvertake: knobs.storeOrder === 'any',
    partialWait: knobs.partialOverlap === 'wait',
    interruptDrains: knobs.interruptDrains as boolean,
    interruptSync: knobs.interruptSync as boolean,
    ipiDrains: knobs.ipiDrains as boolean,
    fetchHistory: knobs.fetchHistory as number,
    tlb: knobs.tlb as Model['tlb'],
    tlbSplit: knobs.tlbSplit as Model['tlbSplit'],
    tlbSpeculative: knobs.tlbSpeculative as Model['tlbSpeculative'],
    tlbEntries: knobs.tlbEntries as number,
    pcpus: knobs.pcpus as number,
    localSteps: knobs.localSteps as number,
    undefinedFlags: parseUndefinedFlags(knobs.undefinedFlags as string)!,
  }
}

function readKnob(row: KnobRow, value: KnobValue): KnobValue {
  const wrong = (allowed: string) => new KnobError(`${row.name}=${value}: ${row.name} is ${allowed}`)
  if (row.accepts) {
    if (!row.accepts.test(String(value))) throw wrong(row.accepts.doc())
    return String(value)
  }
  if (row.values) {
    if (!row.values.includes(String(value))) throw wrong(`one of ${row.values.join(', ')}`)
    return String(value)
  }
  if (typeof row.fallback === 'boolean') {
    if (!['true', 'false', 'yes', 'no'].includes(String(value))) throw wrong('yes or no')
    return value === true || value === 'true' || value === 'yes'
  }
  const number = Number(value)
  const [low, high] = row.range!
  if (!Number.isInteger(number) || number < low || number > high) throw wrong(`a whole number, ${low} to ${high}`)
  return number
}
