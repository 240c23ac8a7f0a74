/**
 * What the deciding difference (elements.ts) of an execution amounts to, in the words of whoever has to mend it: which load passed which
 * store, which store which other, between which two accesses a vCPU was preempted.
 */
import { choiceArgument, choiceKind, INTERRUPT, NMI } from '../smp/choice.ts'
import { bufferAt, overlap, storeAt, type Access } from './accesses.ts'
import type { Element } from './elements.ts'
import { quoted } from './elementText.ts'
import { isOwn, type TimelineLine } from './timeline.ts'

/** Null: there is nothing to say that the difference itself does not. */
export function inShort(accesses: readonly Access[], lines: readonly TimelineLine[], element: Element, step: number): string | null {
  switch (element.kind) {
    case 'hold':
      return loadPassesStore(accesses, element.vcpu, element.drains)
    case 'overtake':
      return storePassesStores(accesses, element.vcpu, element.drains, choiceArgument(element.choice))
    case 'switch':
      return preempted(lines, element.vcpu, element.to, step)
    case 'deschedule':
      return descheduled(lines, element.of, step)
    case 'choose':
      return interrupted(lines, element.vcpu, element.choice, step) ?? walkedAhead(lines, element.vcpu, step) ?? marksAhead(lines, element.vcpu, step)
  }
}

function loadPassesStore(accesses: readonly Access[], vcpu: number, drains: number): string | null {
  const { from } = bufferAt(accesses, vcpu, drains)
  const store = storeAt(accesses, vcpu, drains)
  if (store === undefined) return null
  const loads = accesses.slice(accesses.indexOf(store) + 1, from).filter((one) => one.vcpu === vcpu && one.kind === 'load' && !overlap(one, store))
  if (loads.length === 0) return null
  const [load] = loads
  const reader = accesses.slice(accesses.indexOf(store), from).find((one) => one.vcpu !== vcpu && one.kind.endsWith('load') && overlap(one, store))
  const seen = reader === undefined ? '' : `vCPU ${reader.vcpu} reads ${reader.text} in the meantime, and finds 0x${reader.value.toString(16)}, as if that store had not been made. `
  return (
    `vCPU ${vcpu} loads ${load.text} while its older store to ${store.text} is still in its store buffer: nothing between the two keeps that order. ` +
    seen +
    'MFENCE, or a LOCKed instruction, between them rules this execution out; --memory sc has none like it.'
  )
}

function storePassesStores(accesses: readonly Access[], vcpu: number, drains: number, older: number): string | null {
  const { buffer, drain } = bufferAt(accesses, vcpu, drains)
  const passed = buffer[0]
  const store = drain === null ? undefined : storeAt(accesses, vcpu, drains)
  if (store === undefined || passed === undefined || store === passed) return null
  const others = older > 1 ? ` and ${older - 1} more` : ''
  return `The store of vCPU ${vcpu} to ${store.text} reaches memory before its older one to ${passed.text}${others}: storeOrder=any. SFENCE, or a LOCKed instruction, between them rules this execution out.`
}

function preempted(lines: readonly TimelineLine[], vcpu: number, to: number, step: number): string | null {
  const [before, after] = around(lines, vcpu, step)
  if (before === undefined || after === undefined) return null
  return `vCPU ${vcpu} is preempted between ${quoted(before)} and ${quoted(after)}, and vCPU ${to} runs there.`
}

/** The last event of `vcpu` up to step `step`, from 0, and the first behind it. */
function around(lines: readonly TimelineLine[], vcpu: number, step: number): [TimelineLine | undefined, TimelineLine | undefined] {
  const own = eventsOf(lines, vcpu)
  return [own.findLast((line) => line.step <= step), own.find((line) => line.step > step + 1)]
}

function descheduled(lines: readonly TimelineLine[], vcpu: number, step: number): string | null {
  const [before, after] = around(lines, vcpu, step)
  if (before === undefined) return null
  return `The hypervisor deschedules vCPU ${vcpu} after ${quoted(before)}, and it ${after === undefined ? 'does not run again' : `goes on with ${quoted(after)}`}.`
}

function interrupted(lines: readonly TimelineLine[], vcpu: number, choice: number, step: number): string | null {
  const kind = choiceKind(choice)
  const before = eventsOf(lines, vcpu).findLast((line) => line.step <= step)
  if ((kind !== INTERRUPT && kind !== NMI) || before === undefined) return null
  return `vCPU ${vcpu} takes ${kind === NMI ? 'an NMI' : `interrupt ${choiceArgument(choice) & 0xff}`} behind ${quoted(before)}.`
}

function marksAhead(lines: readonly TimelineLine[], vcpu: number, step: number): string | null {
  const walk = eventsOf(lines, vcpu).find((line) => line.step > step)
  if (walk === undefined || !walk.text.startsWith('page walk ahead ')) return null
  return (
    `A vCPU may walk page tables for an access that it never makes, and sets A in the entries that it comes through (SDM vol. 3A 5.8, 5.10.2.3): vCPU ${vcpu} loads such an entry after a ` +
    `${quoted(walk)}. Where A was set from the start, or no directory entry leads there, there is nothing to set.`
  )
}

function walkedAhead(lines: readonly TimelineLine[], vcpu: number, step: number): string | null {
  const own = eventsOf(lines, vcpu)
  const use = own.find((line) => line.step > step)
  if (use === undefined || !use.text.startsWith('STALE translation')) return null
  const flush = own.findLast((line) => line.step <= step && line.text.startsWith('invalidates'))
  const since = flush === undefined ? 'since it turned paging on' : `since ${quoted(flush)}`
  return `vCPU ${vcpu} goes by a translation that the tables no longer hold. The page walk that gave it is a load, which it may have made at any time ${since}, ahead of all accesses.`
}

const eventsOf = (lines: readonly TimelineLine[], vcpu: number) => lines.filter((line) => line.vcpu === vcpu && isOwn(line))
