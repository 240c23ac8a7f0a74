/**
 * Generated patching protocols, and an oracle that shares nothing with the machine but the decoder: it enumerates the times at
 * which the bytes of each instruction of one pass may be taken.
 */
import fc from 'fast-check'
import { decode } from '../src/cpu/decode.ts'
import { checkImage } from '../src/explore/check.ts'
import { NOPS } from '../src/patching/blocks.ts'
import { protocolImage, type Caller, type Method, type Protocol, type ProtocolSite } from '../src/patching/protocol.ts'
import { makeModel, parseRung, RUNGS } from '../src/smp/model.ts'

const LINE = 64
export const INT3 = 0xcc
/** RET and jumps: nothing behind them in the site is executed. */
const GOES_AWAY: readonly number[] = [0xc3, 0xe9, 0xeb]

// --- the oracle -----------------------------------------------------------------------------------------

export interface Write {
  readonly site: number
  readonly at: number
  readonly bytes: readonly number[]
}
/** Writes in order; `syncs`: after how many of them everybody has serialised before the patcher goes on. */
export interface Plan {
  readonly writes: readonly Write[]
  readonly syncs: readonly number[]
  /** From so many writes on, the breakpoint handler knows nothing of a breakpoint at that site any more. */
  readonly forgets?: readonly { readonly site: number; readonly at: number }[]
}

function planOf({ sites, method }: Protocol): Plan {
  const bytewise = (site: number, from: number, to: number) => sites[site].after.slice(from, to).map((byte, k) => ({ site, at: from + k, bytes: [byte] }))
  const all = (write: (site: number) => Write[]) => sites.flatMap((_, site) => write(site))
  if (method.kind === 'poke') {
    const heads = all((site) => [{ site, at: 0, bytes: [INT3] }])
    const tails = all((site) => bytewise(site, 1, sites[site].after.length))
    const lasts = all((site) => bytewise(site, 0, 1))
    const ends = [heads.length, heads.length + tails.length, heads.length + tails.length + lasts.length]
    const { sync1, sync2, sync3 } = method.steps
    return { writes: [...heads, ...tails, ...lasts], syncs: ends.filter((_, k) => [sync1, sync2, sync3][k]) }
  }
  if (method.kind !== 'wide') return { writes: all((site) => bytewise(site, 0, sites[site].after.length)), syncs: [] }
  const wide = (site: number): Write[] => {
    const { after } = sites[site]
    const out: Write[] = []
    for (let at = 0; at < after.length; ) {
      const size = after.length - at >= 4 ? 4 : after.length - at >= 2 ? 2 : 1
      out.push({ site, at, bytes: after.slice(at, at + size) })
      at += size
    }
    return out
  }
  return { writes: all(wide), syncs: [] }
}

/** A store across a line is two, in either order. */
function splits({ writes, syncs }: Plan, sites: readonly ProtocolSite[]): Plan[] {
  const at = writes.findIndex((write) => (sites[write.site].offset + write.at) % LINE + write.bytes.length > LINE)
  if (at < 0) return [{ writes, syncs }]
  const { site, at: from, bytes } = writes[at]
  const room = LINE - ((sites[site].offset + from) % LINE)
  const halves = [{ site, at: from, bytes: bytes.slice(0, room) }, { site, at: from + room, bytes: bytes.slice(room) }]
  return [halves, halves.toReversed()].flatMap((two) => splits({ writes: [...writes.slice(0, at), ...two, ...writes.slice(at + 1)], syncs: syncs.map((one) => (one > at ? one + 1 : one)) }, sites))
}

/**
 * Whether a pass over site `number` can execute what is of no form, or stand where bytes are about to be rewritten. `same`: the pass interrupts the
 * vCPU that patches, and is over before it goes on.
 */
export function canFail(protocol: Protocol & { readonly same?: boolean }, number: number, { writes, syncs, forgets = [] }: Plan, rung: string): boolean {
  const { offset, before, after } = protocol.sites[number]
  const { kind, chunkBytes } = parseRung(rung)!
  const size = before.length
  const last = writes.length
  // Behind the site: RET, then NOPs.
  const contents = [[...before, 0xc3, ...new Array<number>(16).fill(0x90)]]
  for (const write of writes) {
    const next = contents[contents.length - 1].slice()
    if (write.site === number) write.bytes.forEach((byte, k) => (next[write.at + k] = byte))
    contents.push(next)
  }
  const forms = [before, after].map((form) => {
    const instructions = new Map<number, string>()
    for (let at = 0; at < size; ) {
      const { length } = decode(Uint8Array.from(form), at, size - at, true)
      instructions.set(at, form.slice(at, at + length).join())
      at += length
    }
    return instructions
  })
  const task = protocol.caller === 'task'
  const bounds = [0, ...syncs, last]
  const seen = new Set<string>()

  /** At offset `o`, at time `t`, with `done` synchronisations over and nothing older than `floor` to be fetched. */
  const fails = (o: number, t: number, done: number, floor: number, frozen: boolean): boolean => {
    if (o >= size) return false
    const key = `${o} ${t} ${done} ${floor}`
    if (seen.has(key)) return false
    seen.add(key)
    const end = bounds[done + 1]
    if (task && done < syncs.length && t === end && !frozen) {
      // The interrupt that synchronises may park the caller here, and what follows may be rewritten before it goes on.
      const rest = contents.slice(t + 1, bounds[done + 2] + 1)
      if (o > 0 && rest.some((content, k) => content.slice(o, size).join() !== contents[t + k].slice(o, size).join())) return true
      if (fails(o, t, done + 1, t, frozen)) return true
    }
    if (t < end && !frozen && fails(o, t + 1, done, floor, frozen)) return true
    return fetches(o, t, floor).some((bytes) => {
      const op = decode(Uint8Array.from(bytes), 0, bytes.length, true)
      const text = bytes.slice(0, op.length).join()
      if (protocol.method.kind === 'poke' && o === 0 && bytes[0] === INT3) return forgets.some(({ site, at }) => site === number && t >= at)
      if (op.length === 0 || !forms.some((form) => form.get(o) === text)) return true
      if (GOES_AWAY.includes(bytes[0])) return false
      return fails(o + op.length, t, done, floor, frozen)
    })
  }
  /** What may be fetched at offset `o` between times `floor` and `t`, 15 bytes each. */
  const fetches = (o: number, t: number, floor: number): number[][] => {
    const window = (time: number) => contents[time].slice(o, o + 15)
    if (kind === 'coherent') return [window(t)]
    const times = Array.from({ length: t - floor + 1 }, (_, k) => floor + k)
    if (kind === 'single') return times.map(window)
    let found: { bytes: number[]; from: number }[] = [{ bytes: [], from: floor }]
    // What follows the site never changes.
    while (found[0].bytes.length < size - o) {
      const at = found[0].bytes.length
      const end = Math.min(size - o, at + chunkBytes - ((offset + o + at) % chunkBytes))
      const next = new Map<string, { bytes: number[]; from: number }>()
      for (const { bytes, from } of found)
        for (const time of times) {
          if (kind === 'ordered' && time < from) continue
          const longer = [...bytes, ...window(time).slice(at, end)]
          const text = longer.join()
          const one = next.get(text)
          if (one === undefined || one.from > time) next.set(text, { bytes: longer, from: time })
        }
      found = [...next.values()]
    }
    return found.map(({ bytes }) => [...bytes, ...contents[0].slice(size, size + 15)])
  }
  if (protocol.method.kind === 'stop' && protocol.caller !== 'nmi') return fails(0, last, 0, protocol.method.sync ? last : 0, true)
  if (protocol.same === true)
    return bounds.slice(0, -1).some((from, done) => Array.from({ length: bounds[done + 1] - from + 1 }, (_, k) => from + k).some((t) => fails(0, t, done, from, true)))
  return bounds.slice(0, -1).some((from, done) => fails(0, from, done, from, false))
}

export const predict = (protocol: Protocol, rung: string) =>
  splits(planOf(protocol), protocol.sites).some((plan) => protocol.sites.some((_, number) => canFail(protocol, number, plan, rung))) ? 'violated' : 'holds'

// --- protocols ------------------------------------------------------------------------------------------

/** Straight-line instructions that touch no memory, by length. */
const byte = fc.nat({ max: 0xff })
const INSTRUCTIONS: Readonly<Record<number, fc.Arbitrary<number[]>>> = {
  1: fc.constantFrom<number[]>([0x90], [0xf8], [0xf5]),
  2: fc.oneof(fc.constantFrom<number[]>([0x66, 0x90], [0x89, 0xf6]), byte.map((imm): number[] => [0xb0, imm])),
  3: fc.oneof(fc.constant<number[]>([...NOPS.p6[2]]), byte.map((imm): number[] => [0x83, 0xc0, imm])),
  4: fc.constantFrom<number[]>([...NOPS.p6[3]], [...NOPS.k8[3]]),
  5: fc.oneof(fc.constant<number[]>([...NOPS.p6[4]]), fc.tuple(byte, byte, byte, byte).map((imm) => [0xb8, ...imm]), fc.tuple(byte, byte, byte, byte).map((imm) => [0x05, ...imm])),
  6: fc.constant<number[]>([...NOPS.p6[5]]),
}
const partition = (size: number): fc.Arbitrary<number[]> =>
  size === 0 ? fc.constant<number[]>([]) : fc.oneof({ weight: 2, arbitrary: fc.constant<number[]>([size]) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: size }).chain((first) => partition(size - first).map((rest) => [first, ...rest])) })
const form = (size: number) => partition(size).chain((parts) => fc.tuple(...parts.map((part) => INSTRUCTIONS[part])).map((instructions) => instructions.flat()))
const anySite = fc.tuple(fc.integer({ min: 1, max: 6 }), fc.nat({ max: 63 })).chain(([size, offset]) => fc.record({ offset: fc.constant(offset), before: form(size), after: form(size) })) as fc.Arbitrary<ProtocolSite>
const steps = fc.record({ sync1: fc.boolean(), sync2: fc.boolean(), sync3: fc.boolean() })
const anyMethod: fc.Arbitrary<Method> = fc.oneof(
  fc.constantFrom<Method>({ kind: 'copy' }, { kind: 'wide' }),
  fc.boolean().map((sync): Method => ({ kind: 'stop', sync })),
  steps.map((made): Method => ({ kind: 'poke', steps: made })),
)
export const anyProtocol: fc.Arbitrary<Protocol> = fc.record({
  sites: fc.oneof({ weight: 4, arbitrary: fc.tuple(anySite) }, { weight: 1, arbitrary: fc.tuple(anySite, anySite) }),
  method: anyMethod,
  caller: fc.constantFrom<Caller>('task', 'irq', 'nmi'),
  vcpus: fc.constant(2),
})
export const rungs = fc.constantFrom(...RUNGS.filter((rung) => rung !== 'strict'))
/** Searches that would take longer decide nothing here. */
const EVENTS = 2_500

/** `undefined`: the search was cut short. */
export function judge(protocol: Protocol, fetch: string, events = EVENTS): 'holds' | 'violated' | undefined {
  const result = checkImage(protocolImage(protocol), makeModel({ fetch }), { engine: 'graph', liveness: 'off', limits: { events } })
  return result.verdict === 'violated' ? 'violated' : result.strength === 'complete' ? 'holds' : undefined
}
