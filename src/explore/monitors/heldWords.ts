/**
 * Words that a queue holds: marked by whoever queues, until XM_SETTLED, which whoever carries it out says first. What others may not do with
 * them meanwhile is a line of a table:
 *
 * - XM_PENDING: an update of them is queued. Who reads one sees what was there before, who writes one is overtaken when the queue is carried
 *   out, and a page walk goes by the old entry (`pending-write`).
 * - XM_LENT: a queued call refers to them. They stay what they are, and where they are, until it is carried out (`argument-changed`): the function
 *   that has them on its stack does not return before, whoever carries it out.
 * - XM_UNFILLED: a slot that is not filled yet. It is written, but not read (`unfilled-slot`).
 */
import { ESP } from '../../cpu/registers.ts'
import { FP_RESOURCE_READ, RESOURCE_MARKS } from '../../smp/footprint.ts'
import { GUEST_CALLS } from '../../smp/guestCalls.ts'
import type { Machine } from '../../smp/machine.ts'
import type { Monitor } from '../../smp/monitor.ts'
import { Stretches, type Stretch } from './stretches.ts'

const WORDS_MAX = 64

export interface HeldWordsRule {
  readonly name: string
  readonly kind: string
  /** The guest call that marks them. */
  readonly mark: number
  readonly mayBeRead: boolean
  readonly mayBeWritten: boolean
  /** They go when the function returns that has them on its stack. */
  readonly mayBeLeft: boolean
  /** Behind the name of the word, and the vCPU that marked it. */
  readonly why: string
}

export const HELD_WORDS = {
  pending: { name: 'pending-write', kind: 'pending-write', mark: GUEST_CALLS.pending, mayBeRead: false, mayBeWritten: false, mayBeLeft: true, why: 'has an update queued' },
  lent: { name: 'lent-words', kind: 'argument-changed', mark: GUEST_CALLS.lent, mayBeRead: true, mayBeWritten: false, mayBeLeft: false, why: 'has a call queued that refers to it' },
  unfilled: { name: 'unfilled-slot', kind: 'unfilled-slot', mark: GUEST_CALLS.unfilled, mayBeRead: false, mayBeWritten: true, mayBeLeft: true, why: 'has not filled it' },
} satisfies Readonly<Record<string, HeldWordsRule>>

export class HeldWords implements Monitor {
  readonly name: string
  readonly delaysReturn?: (vcpu: number, place: number) => boolean
  readonly onReturn?: (vcpu: number, place: number) => void
  readonly #rule: HeldWordsRule
  #machine!: Machine
  /** And who marked them. */
  #words!: Stretches
  /** Of the stack of each vCPU, the lowest address from `place` down that marks were about. */
  readonly #marked: { version: number; place: number; lowest: number }[] = []

  constructor(rule: HeldWordsRule) {
    this.name = rule.name
    this.#rule = rule
    if (rule.mayBeLeft) return
    // Whether they are settled before may be a matter of what others do.
    this.delaysReturn = (vcpu, place) => this.#leavesMarked(vcpu, place)
    this.onReturn = (vcpu, place) => {
      if (!this.#leavesMarked(vcpu, place)) return
      const { footprint, buses } = this.#machine
      footprint.add(FP_RESOURCE_READ, RESOURCE_MARKS, 0)
      const hit = this.#words.first((one) => one.vcpu === vcpu && one.from < place && buses[vcpu].isStack(one.from))
      this.#judge(vcpu, 'returns from the function that had', hit, hit?.from ?? 0)
    }
  }

  ghostWords(): number {
    return Stretches.ghostWords(WORDS_MAX)
  }

  attach(machine: Machine, ghosts: number): void {
    this.#machine = machine
    this.#words = new Stretches(machine, ghosts, WORDS_MAX, `stretches of memory are held (${this.name})`)
  }

  isIdle(): boolean {
    return this.#words.isEmpty
  }

  onMark(vcpu: number, call: number, eax: number, edx: number): void {
    const from = eax >>> 0
    const to = from + (edx >>> 0)
    const { mark, mayBeWritten, mayBeLeft } = this.#rule
    if (call === GUEST_CALLS.free && !mayBeWritten) return this.#judge(vcpu, 'frees', this.#words.find(from, to - from), from)
    if (call === GUEST_CALLS.settled && !mayBeLeft) this.#judgeStack(vcpu, this.#words.find(from, to - from))
    if (call !== mark && call !== GUEST_CALLS.settled) return
    this.#words.remove(vcpu, from, to)
    if (call === mark) this.#words.add({ from, to, vcpu })
  }

  onAccess(vcpu: number, physical: number, sizeBytes: number, write: boolean): void {
    if (write ? this.#rule.mayBeWritten : this.#rule.mayBeRead) return
    this.#judge(vcpu, write ? 'writes' : 'reads', this.#words.find(physical, sizeBytes), physical)
  }

  onWalk(vcpu: number, physical: number, sizeBytes: number): void {
    if (!this.#rule.mayBeRead) this.#judge(vcpu, 'walks page tables at', this.#words.find(physical, sizeBytes), physical)
  }

  onDrain(vcpu: number, physical: number, sizeBytes: number): void {
    const hit = this.#rule.mayBeWritten ? null : this.#words.find(physical, sizeBytes)
    // Own stores from before the mark reach memory before whatever carries the queue out looks.
    if (hit?.vcpu !== vcpu) this.#judge(vcpu, 'has a buffered store reach', hit, physical)
  }

  /** What stands below the stack pointer of who queued it is gone, written to or not. */
  #judgeStack(vcpu: number, hit: Stretch | null): void {
    if (hit === null || hit.vcpu !== vcpu) return
    const bus = this.#machine.buses[vcpu]
    const esp = this.#machine.cpus[vcpu].r[ESP] >>> 0
    if (bus.isStack(hit.from) && bus.isStack(esp) && hit.from < esp) this.#judge(vcpu, 'has left the function that had', hit, hit.from)
  }

  /** Who returns by what stands at `place` leaves part of its stack that marks were about, in this execution or another. */
  #leavesMarked(vcpu: number, place: number): boolean {
    const { sharing, memory, buses } = this.#machine
    if (!sharing.anyJudged || !buses[vcpu].isStack(place)) return false
    const known = this.#marked[vcpu]
    if (known?.version === sharing.version && place <= known.place) return known.lowest < place
    let lowest = Infinity
    for (let at = place & -4; buses[vcpu].isStack(at); at -= 4) if (sharing.judged[memory.granule(memory.index(at))] !== 0) lowest = at
    this.#marked[vcpu] = { version: sharing.version, place, lowest }
    return lowest < place
  }

  #judge(vcpu: number, verb: string, hit: Stretch | null, address: number): void {
    if (hit !== null) this.#machine.violate(this.#rule.kind, vcpu, `${verb} ${this.#machine.symbolize(address)}: vCPU ${hit.vcpu} ${this.#rule.why}`)
  }
}
