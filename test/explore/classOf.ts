/**
 * The class of an execution by its definition: what each vCPU did in its order, whom each byte of a load was
 * read from, and the order of the writes to each byte. Shares nothing with the reduction, which is tested
 * against it.
 */
import type { MachineEvent } from '../../src/smp/events.ts'
import type { Machine } from '../../src/smp/machine.ts'

/** What orders are kept of beside bytes: interrupts and kicks sent to a vCPU; marks. */
const SENT = 2 ** 33
const MARKS = 2 ** 34

/** The class of the execution that `schedule` is, as text; the machine stands at its start, and does so after. */
export function classOf(machine: Machine, schedule: readonly number[]): string {
  const program: string[][] = machine.cpus.map(() => [])
  const stored = machine.cpus.map(() => 0)
  const pending: { name: string; address: number; sizeBytes: number }[][] = machine.cpus.map(() => [])
  /** Byte to the names of its writes. */
  const coherence = new Map<number, string[]>()
  const write = (name: string, address: number, sizeBytes: number) => {
    for (let b = 0; b < sizeBytes; b++) coherence.set(address + b, [...(coherence.get(address + b) ?? []), name])
  }
  const source = (vcpu: number, byte: number) =>
    pending[vcpu].findLast((one) => byte >= one.address && byte < one.address + one.sizeBytes)?.name ?? coherence.get(byte)?.at(-1) ?? 'init'
  // Of a store that is split the observer sees the whole; the buffer knows the parts.
  const notePending = () =>
    machine.cpus.forEach((_, v) => {
      const buffered = machine.bufferedStoresList(v)
      for (let k = pending[v].length; k < buffered.length; k++) {
        const [address, sizeBytes] = buffered[k]
        const name = `${v}.${stored[v]++}`
        program[v].push(`store ${address.toString(16)}+${sizeBytes}`)
        pending[v].push({ name, address, sizeBytes })
      }
    })
  /** The order of those that concern what is no memory. */
  const order = (vcpu: number, text: string, resource: number) => {
    const name = `${vcpu}/${program[vcpu].length}`
    program[vcpu].push(text)
    write(name, resource, 1)
  }
  const observe = (event: MachineEvent) => {
    const { kind, vcpu, address, sizeBytes, value } = event
    const bytes = Array.from({ length: sizeBytes }, (_, b) => address + b)
    notePending()
    switch (event.kind) {
      case 'load':
      case 'locked-load':
        program[vcpu].push(`load ${address.toString(16)} ${bytes.map((byte) => source(vcpu, byte)).join()}`)
        break
      case 'locked-store': {
        if (machine.cpus[vcpu].compareFailed) break
        const name = `${vcpu}.${stored[vcpu]++}`
        program[vcpu].push(`locked ${address.toString(16)}+${sizeBytes}`)
        write(name, address, sizeBytes)
        break
      }
      case 'drain': {
        const { name } = pending[vcpu].shift()!
        write(name, address, sizeBytes)
        break
      }
      case 'fetch': {
        // A fetch sees memory only; where it may lag, what it saw is what counts.
        const seen = machine.model.fetch.kind === 'coherent' ? bytes.map((byte) => coherence.get(byte)?.at(-1) ?? 'init') : Array.from(event.bytes!)
        program[vcpu].push(`fetch ${address.toString(16)} ${seen.join()}`)
        break
      }
      case 'interrupt':
      case 'nmi':
        program[vcpu].push(`${kind} ${address} after ${machine.icount(vcpu)}`)
        break
      case 'walk':
        program[vcpu].push(`walk ${address.toString(16)} ${bytes.map((byte) => coherence.get(byte)?.at(-1) ?? 'init').join()}`)
        break
      case 'choose':
      case 'translation':
      case 'serialize':
        program[vcpu].push(`${kind} ${address} ${value}`)
        break
      case 'block':
        // A poll reads a byte of memory; else it takes what was sent.
        if (sizeBytes > 0) program[vcpu].push(`poll ${address.toString(16)} ${source(vcpu, address)}`)
        else order(vcpu, `block ${vcpu}`, SENT + vcpu)
        break
      case 'send':
        order(vcpu, `send ${address} ${value}`, SENT + address)
        break
      case 'mark':
        if (sizeBytes === 0) order(vcpu, `mark ${value} ${address}`, MARKS)
    }
  }
  const before = machine.observer
  const take = (choice: number) => {
    machine.take(choice)
    notePending()
  }
  machine.cpus.forEach((_, v) => {
    for (const [address, sizeBytes] of machine.bufferedStoresList(v)) pending[v].push({ name: `${v}.${stored[v]++}`, address, sizeBytes })
  })
  machine.observer = observe
  for (const choice of schedule) take(choice)
  machine.observer = before
  for (let k = 0; k < schedule.length; k++) machine.undo()
  const writes = [...coherence].sort(([a], [b]) => a - b).map(([byte, names]) => `${byte.toString(16)}: ${names.join(' ')}`)
  return [...program.map((one) => one.join('; ')), ...writes].join('\n')
}
