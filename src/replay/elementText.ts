/** Differences from the default run (elements.ts) in words, each with what the events that it is tied to do. */
import { choiceVcpu } from '../smp/choice.ts'
import { storeAt, type Access } from './accesses.ts'
import { actorOf, describeElement, type Element, type Release } from './elements.ts'
import { isOwn, type TimelineLine } from './timeline.ts'

/** @param lines of `schedule` */
export function elementTexts(schedule: readonly number[], lines: readonly TimelineLine[], accesses: readonly Access[]): (element: Element) => string {
  /** Event or drain number of a vCPU to its step, from 1. */
  const steps = new Map<string, number>()
  const counts = new Map<string, number>()
  schedule.forEach((choice, k) => {
    const actor = `${actorOf(choice)} ${choiceVcpu(choice)}`
    counts.set(actor, (counts.get(actor) ?? 0) + 1)
    steps.set(`${actor} ${counts.get(actor)}`, k + 1)
  })
  const lineOf = ({ actor, vcpu, count }: Release) => {
    const step = steps.get(`${actor} ${vcpu} ${count}`)
    return lines.find((line) => line.step === step && line.vcpu === vcpu && (actor !== 'events' || isOwn(line)))
  }
  return (element) => {
    if ((element.kind === 'switch' || element.kind === 'deschedule') && element.vcpu >= 0) {
      const line = lineOf({ actor: 'events', vcpu: element.vcpu, count: element.events })
      const what = element.kind === 'switch' ? `vCPU ${element.to} runs` : `the hypervisor takes the pCPU of vCPU ${element.of} away`
      if (line !== undefined) return `${what} after ${quoted(line)} of vCPU ${element.vcpu}`
    }
    if (element.kind === 'choose') {
      const line = lineOf({ actor: 'events', vcpu: element.vcpu, count: element.events + 1 })
      if (line !== undefined && isStale(line)) return `vCPU ${element.vcpu} goes by the ${quoted(line)}`
      if (line !== undefined && /^page walk ahead /.test(line.text)) return `before vCPU ${element.vcpu} loads the entry, a ${quoted(line)}`
      if (line !== undefined && /^chooses /.test(line.text)) return `vCPU ${element.vcpu}: ${quoted(line)}`
    }
    if (element.kind === 'hold') {
      const store = storeAt(accesses, element.vcpu, element.drains)
      const line = element.until === null ? undefined : lineOf(element.until)
      if (store !== undefined && (element.until === null || line !== undefined))
        return `the store of vCPU ${element.vcpu} to ${store.text} stays in its buffer ${line === undefined ? 'for good' : `until ${quoted(line)} of vCPU ${element.until!.vcpu}`}`
    }
    return describeElement(element)
  }
}

/** A translation, directory entry or instruction that memory no longer holds. */
export const isStale = ({ text }: TimelineLine) => /^(fetch )?STALE /.test(text)
export const quoted = ({ text, source }: TimelineLine) => `\`${text}\`${source === '' ? '' : ` (${source})`}`
