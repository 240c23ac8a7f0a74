/**
 * What the deciding difference (elements.ts) of an execution amounts to, in the words of whoever has to mend it: which load passed which
 * store, which store which other, between which two accesses a vCPU was preempted.
 */
import { EIP } from '../cpu/registers.ts'
import { choiceArgument, choiceKind, INTERRUPT, NMI } from '../smp/choice.ts'
import type { MachineEvent } from '../smp/events.ts'
import type { Machine } from '../smp/machine.ts'
import type { Element } from './elements.ts'
import { sourceOf, type TimelineLine } from './timeline.ts'

interface Access {
  readonly kind: 'load' | 'store' | 'drain'
  readonly vcpu: number
  readonly step: number
  readonly address: number
  readonly sizeBytes: number
  /** `name (file:line)`. */
  readonly text: string
}

const overlap = (a: Access, b: Access) => a.address < b.address + b.sizeBytes && b.address < a.address + a.sizeBytes

/** Plain accesses of `schedule` that others could see. The machine stands at its start, and is of no use afterwards. */
function accessesOf(machine: Machine, schedule: readonly number[]): Access[] {
  const found: Access[] = []
  machine.observer = ({ kind, vcpu, address, sizeBytes }: MachineEvent) => {
    if (kind !== 'load' && kind !== 'store' && kind !== 'drain') return
    const source = kind === 'drain' ? '' : sourceOf(machine.image, machine.cpus[vcpu].r[EIP])
    found.push({ kind, vcpu, step: machine.step, address: address >>> 0, sizeBytes, text: machine.symbolize(address) + (source === '' ? '' : ` (${source})`) })
  }
  for (const choice of schedule) if (machine.take(choice) !== 0) break
  return found
}

/** Null: there is nothing to say that the difference itself does not. */
export function inShort(makeMachine: () => Machine, schedule: readonly number[], lines: readonly TimelineLine[], element: Element, step: number): string | null {
  switch (element.kind) {
    case 'hold':
      return loadPassesStore(accessesOf(makeMachine(), schedule), element.vcpu, element.drains)
    case 'overtake':
      return storePassesStores(accessesOf(makeMachine(), schedule), element.vcpu, element.drains, choiceArgument(element.choice))
    case 'switch':
      return preempted(lines, element.vcpu, element.to, step)
    case 'choose':
      return interrupted(lines, element.vcpu, element.choice, step)
  }
}

/** The stores of `vcpu` that are buffered before its drain number `drains`, oldest first, and that drain. */
function bufferAt(accesses: readonly Access[], vcpu: number, drains: number): { buffer: Access[]; drain: Access | null; from: number } {
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

function loadPassesStore(accesses: readonly Access[], vcpu: number, drains: number): string | null {
  const { buffer, drain, from } = bufferAt(accesses, vcpu, drains)
  const store = drain === null ? buffer[0] : buffer.find((one) => overlap(one, drain))
  if (store === undefined) return null
  const loads = accesses.slice(accesses.indexOf(store) + 1, from).filter((one) => one.vcpu === vcpu && one.kind === 'load' && !overlap(one, store))
  if (loads.length === 0) return null
  const [load] = loads
  return (
    `vCPU ${vcpu} loads ${load.text} while its older store to ${store.text} is still in its store buffer: nothing between the two keeps that order. ` +
    'MFENCE, or a LOCKed instruction, between them rules this execution out; --memory sc has none like it.'
  )
}

function storePassesStores(accesses: readonly Access[], vcpu: number, drains: number, older: number): string | null {
  const { buffer, drain } = bufferAt(accesses, vcpu, drains)
  const passed = buffer[0]
  const store = drain === null ? undefined : buffer.find((one) => overlap(one, drain))
  if (store === undefined || passed === undefined || store === passed) return null
  const others = older > 1 ? ` and ${older - 1} more` : ''
  return `The store of vCPU ${vcpu} to ${store.text} reaches memory before its older one to ${passed.text}${others}: storeOrder=any. SFENCE, or a LOCKed instruction, between them rules this execution out.`
}

function preempted(lines: readonly TimelineLine[], vcpu: number, to: number, step: number): string | null {
  const own = eventsOf(lines, vcpu)
  const before = own.findLast((line) => line.step <= step)
  const after = own.find((line) => line.step > step)
  if (before === undefined || after === undefined) return null
  return `vCPU ${vcpu} is preempted between ${quoted(before)} and ${quoted(after)}, and vCPU ${to} runs there.`
}

function interrupted(lines: readonly TimelineLine[], vcpu: number, choice: number, step: number): string | null {
  const kind = choiceKind(choice)
  const before = eventsOf(lines, vcpu).findLast((line) => line.step <= step)
  if ((kind !== INTERRUPT && kind !== NMI) || before === undefined) return null
  return `vCPU ${vcpu} takes ${kind === NMI ? 'an NMI' : `interrupt ${choiceArgument(choice) & 0xff}`} behind ${quoted(before)}.`
}

/** What `vcpu` does itself: its stores drain by themselves. */
const eventsOf = (lines: readonly TimelineLine[], vcpu: number) => lines.filter((line) => line.vcpu === vcpu && !line.text.startsWith('drain '))
const quoted = ({ text, source }: TimelineLine) => `\`${text}\`${source === '' ? '' : ` (${source})`}`
