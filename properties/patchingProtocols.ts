/** Generated patching protocols (src/patching/protocol.ts), and what the oracle says of them. */
import fc from 'fast-check'
import { checkImage } from '../src/explore/check.ts'
import { NOPS } from '../src/patching/blocks.ts'
import { protocolImage, type Caller, type Method, type Protocol, type ProtocolSite } from '../src/patching/protocol.ts'
import { makeModel, RUNGS } from '../src/smp/model.ts'
import { canFail, INT3, splits, type Passes, type Plan, type Write } from './patchingOracle.ts'

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

/** Who executes the sites of a protocol, for the oracle. */
const passesOf = ({ sites, caller, method }: Protocol): Passes => ({
  sites: sites.map(({ offset, before, after }) => ({ offset, forms: [before, after] })),
  caller,
  breakpoints: method.kind === 'poke',
  ...(method.kind === 'stop' ? { stopped: method } : {}),
})

export const predict = (protocol: Protocol, rung: string) =>
  splits(planOf(protocol), protocol.sites).some((plan) => protocol.sites.some((_, number) => canFail(passesOf(protocol), number, plan, rung))) ? 'violated' : 'holds'

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
