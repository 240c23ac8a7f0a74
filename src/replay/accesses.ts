/** What an execution loads and stores, and what waits in its store buffers: for those who explain it. */
import { EIP } from '../cpu/registers.ts'
import type { EventKind, MachineEvent } from '../smp/events.ts'
import type { Machine } from '../smp/machine.ts'
import { sourceOf } from '../smp/symbols.ts'
import type { MakeObserved } from './timeline.ts'

type AccessKind = 'load' | 'store' | 'drain' | 'locked-load'
const isAccess = (kind: EventKind): kind is AccessKind => kind === 'load' || kind === 'store' || kind === 'drain' || kind === 'locked-load'

export interface Access {
  readonly kind: AccessKind
  readonly vcpu: number
  readonly step: number
  readonly address: number
  readonly sizeBytes: number
  readonly value: number
  /** `name (file:line)`. */
  readonly text: string
}

export const overlap = (a: Access, b: Access) => a.address < b.address + b.sizeBytes && b.address < a.address + a.sizeBytes

/** Accesses of `schedule` that others could see. */
export function accessesOf(makeMachine: MakeObserved, schedule: readonly number[]): Access[] {
  const found: Access[] = []
  const observe = (machine: Machine) => ({ kind, vcpu, address, sizeBytes, value }: MachineEvent) => {
    if (!isAccess(kind) || !machine.running()) return
    const source = kind === 'drain' ? '' : sourceOf(machine.image, machine.cpus[vcpu].r[EIP])
    found.push({ kind, vcpu, step: machine.step, address: address >>> 0, sizeBytes, value: value >>> 0, text: machine.symbolize(address) + (source === '' ? '' : ` (${source})`) })
  }
  const machine = makeMachine(observe)
  for (const choice of schedule) if (machine.take(choice) !== 0) break
  return found
}

/** The stores of `vcpu` that are buffered before its drain number `drains`, oldest first, and that drain. */
export function bufferAt(accesses: readonly Access[], vcpu: number, drains: number): { buffer: Access[]; drain: Access | null; from: number } {
  const buffer: Access[] = []
  let count = 0
  for (const [k, one] of accesses.entries()) {
    if (one.vcpu !== vcpu) continue
    if (one.kind === 'store') buffer.push(one)
    if (one.kind !== 'drain') continue
    if (count++ === drains) return { buffer, drain: one, from: k }
    const gone = buffer.findIndex((store) => overlap(store, one))
    if (gone >= 0) buffer.splice(gone, 1)
  }
  return { buffer, drain: null, from: accesses.length }
}

/** The store that is drain number `drains` of `vcpu`, or would be the next to drain; undefined: there is none. */
export function storeAt(accesses: readonly Access[], vcpu: number, drains: number): Access | undefined {
  const { buffer, drain } = bufferAt(accesses, vcpu, drains)
  return drain === null ? buffer[0] : buffer.find((one) => overlap(one, drain))
}
