/**
 * What the model promises of code that is rewritten while it runs: an oracle that shares nothing with the machine but the decoder. It enumerates
 * the times at which the bytes of each instruction of one pass may be taken.
 */
import { decode } from '../src/cpu/decode.ts'
import type { Caller } from '../src/patching/protocol.ts'
import { parseRung } from '../src/smp/model.ts'

const LINE = 64
export const INT3 = 0xcc
/** RET and jumps: nothing behind them in the site is executed. */
const GOES_AWAY: readonly number[] = [0xc3, 0xe9, 0xeb]

export interface Write {
  readonly site: number
  readonly at: number
  readonly bytes: readonly number[]
  /** The vCPU that writes takes no interrupt between this write and the one before: part of one store, or of what is done with interrupts off. */
  readonly joined?: boolean
}
/** Writes in order; `syncs`: after how many of them everybody has serialised before the patcher goes on. */
export interface Plan {
  readonly writes: readonly Write[]
  readonly syncs: readonly number[]
  /** From so many writes on, the breakpoint handler knows nothing of a breakpoint at that site any more. */
  readonly forgets?: readonly { readonly site: number; readonly at: number }[]
}

/** Who passes over the sites meanwhile, and what is asked of him. */
export interface Passes {
  /** `offset`: place of the first byte in a line; `forms`: what may stand there, `forms[0]` at first. */
  readonly sites: readonly { readonly offset: number; readonly forms: readonly (readonly number[])[] }[]
  readonly caller: Caller
  /** An INT3 at the first byte is legal: it is handled. */
  readonly breakpoints: boolean
  /** The pass interrupts the vCPU that patches, and is over before it goes on. */
  readonly same?: boolean
  /** Callers stand still while it is written; whether they serialise before they go on. */
  readonly stopped?: { readonly sync: boolean }
  /** What somebody may execute at a site after the patcher has said that it is done (XM_PATCHED). */
  readonly claims?: readonly (readonly number[])[]
}

/** A store across a line is two, in either order. */
export function splits({ writes, syncs, ...rest }: Plan, sites: readonly { readonly offset: number }[]): Plan[] {
  const at = writes.findIndex((write) => (sites[write.site].offset + write.at) % LINE + write.bytes.length > LINE)
  if (at < 0) return [{ writes, syncs, ...rest }]
  const { site, at: from, bytes, ...how } = writes[at]
  const room = LINE - ((sites[site].offset + from) % LINE)
  const low: Write = { site, at: from, bytes: bytes.slice(0, room) }
  const high: Write = { site, at: from + room, bytes: bytes.slice(room) }
  const later = (time: number) => (time > at ? time + 1 : time)
  const forgets = rest.forgets?.map((one) => ({ ...one, at: later(one.at) }))
  return [[low, high], [high, low]].flatMap(([first, second]) =>
    splits({ writes: [...writes.slice(0, at), { ...first, ...how }, { ...second, joined: true }, ...writes.slice(at + 1)], syncs: syncs.map(later), ...(forgets === undefined ? {} : { forgets }) }, sites),
  )
}

/** Whether a pass over site `number` can execute what is of no form, or stand where bytes are about to be rewritten. */
export function canFail(passes: Passes, number: number, { writes, syncs, forgets = [] }: Plan, rung: string): boolean {
  const { sites, caller, breakpoints, same = false, stopped, claims } = passes
  const { offset, forms: [before] } = sites[number]
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
  const cut = (form: readonly number[]) => {
    const instructions = new Map<number, string>()
    for (let at = 0; at < size; ) {
      const { length } = decode(Uint8Array.from(form), at, size - at, true)
      if (length === 0) break
      instructions.set(at, form.slice(at, at + length).join())
      at += length
    }
    return instructions
  }
  const forms = sites[number].forms.map(cut)
  const task = caller === 'task'
  const bounds = [0, ...syncs, last]
  const seen = new Set<string>()
  /** An interrupt of the vCPU that writes does not come between writes that belong together. */
  const comes = (time: number) => !(same && time < last && writes[time].joined === true)

  /** Somebody else is in the handler while the patcher goes on, up to the next time that it synchronises. */
  const forgotten = (t: number, done: number) => {
    const end = bounds[done + 1]
    return forgets.some(({ site, at }) => site === number && (t >= at || (!same && (at < end || done === syncs.length))))
  }
  /** At offset `o`, at time `t`, with `done` synchronisations over and nothing older than `floor` to be fetched. */
  const fails = (allowed: readonly ReadonlyMap<number, string>[], o: number, t: number, done: number, floor: number, frozen: boolean): boolean => {
    if (o >= size) return false
    const key = `${o} ${t} ${done} ${floor} ${allowed === forms}`
    if (seen.has(key)) return false
    seen.add(key)
    const end = bounds[done + 1]
    if (task && done < syncs.length && t === end && !frozen) {
      // The interrupt that synchronises may park the caller here, and what follows may be rewritten before it goes on.
      const rest = contents.slice(t + 1, bounds[done + 2] + 1)
      if (o > 0 && rest.some((content, k) => content.slice(o, size).join() !== contents[t + k].slice(o, size).join())) return true
      if (fails(allowed, o, t, done + 1, t, frozen)) return true
    }
    if (t < end && !frozen && fails(allowed, o, t + 1, done, floor, frozen)) return true
    return fetches(o, t, floor).some((bytes) => {
      const op = decode(Uint8Array.from(bytes), 0, bytes.length, true)
      const text = bytes.slice(0, op.length).join()
      if (breakpoints && o === 0 && bytes[0] === INT3) return allowed !== forms || forgotten(t, done)
      if (op.length === 0 || !allowed.some((form) => form.get(o) === text)) return true
      if (GOES_AWAY.includes(bytes[0])) return false
      return fails(allowed, o + op.length, t, done, floor, frozen)
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
  const claimed = claims === undefined ? [] : [cut(claims[number])]
  if (stopped !== undefined && caller !== 'nmi') return (claims === undefined ? [forms] : [forms, claimed]).some((allowed) => fails(allowed, 0, last, 0, stopped.sync ? last : 0, true))
  // Whoever comes when all is said to be done may have serialised last with the last synchronisation, and where that was before the last writes,
  // these may not be in memory for others yet.
  const told = syncs.at(-1) ?? 0
  if (claims !== undefined && Array.from({ length: last - told + 1 }, (_, k) => told + k).some((t) => (t === last || !same) && fails(claimed, 0, t, syncs.length, told, true))) return true
  return bounds.slice(0, -1).some((from, done) => {
    if (!same) return fails(forms, 0, from, done, from, false)
    return Array.from({ length: bounds[done + 1] - from + 1 }, (_, k) => from + k).some((t) => comes(t) && fails(forms, 0, t, done, from, true))
  })
}
