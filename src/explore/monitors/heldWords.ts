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
  readonly onReturn?: (vcpu: number, place: number) => void
  readonly #rule: HeldWordsRule
  #machine!: Machine
  /** And who marked them. */
  #words!: Stretches
  /** Those on the stack of who marked them, until it leaves them. */
  #stacked?: Stretches

  constructor(rule: HeldWordsRule) {
    this.name = rule.name
    this.#rule = rule
    if (rule.mayBeLeft) return
    // No event of its own: whoever may return at once may do so before others settle.
    this.onReturn = (vcpu, place) => {
      for (let left = this.#leaves(vcpu, place); left !== null; left = this.#leaves(vcpu, place)) {
        this.#machine.footprint.add(FP_RESOURCE_READ, RESOURCE_MARKS, 0)
        this.#judge(vcpu, 'returns from the function that had', this.#words.find(left.from, left.to - left.from), left.from)
        this.#stacked!.remove(vcpu, left.from, left.to)
      }
    }
  }

  ghostWords(): number {
    return Stretches.ghostWords(WORDS_MAX) * (this.#rule.mayBeLeft ? 1 : 2)
  }

  attach(machine: Machine, ghosts: number): void {
    this.#machine = machine
    const made = (at: number) => new Stretches(machine, at, WORDS_MAX, `stretches of memory are held (${this.name})`)
    this.#words = made(ghosts)
    if (!this.#rule.mayBeLeft) this.#stacked = made(ghosts + Stretches.ghostWords(WORDS_MAX))
  }

  isIdle(): boolean {
    return this.#words.isEmpty && (this.#stacked?.isEmpty ?? true)
  }

  onMark(vcpu: number, call: number, eax: number, edx: number): void {
    const from = eax >>> 0
    const to = from + (edx >>> 0)
    const { mark, mayBeWritten, mayBeLeft } = this.#rule
    if (call === GUEST_CALLS.free && !mayBeWritten) return this.#judge(vcpu, 'frees', this.#words.find(from, to - from), from)
    if (call === GUEST_CALLS.settled && !mayBeLeft) this.#judgeStack(vcpu, this.#words.find(from, to - from))
    if (call !== mark && call !== GUEST_CALLS.settled) return
    this.#words.remove(vcpu, from, to)
    if (call !== mark) return
    this.#words.add({ from, to, vcpu })
    if (this.#stacked === undefined || !this.#machine.buses[vcpu].isStack(from)) return
    this.#stacked.remove(vcpu, from, to)
    this.#stacked.add({ from, to, vcpu })
  }

  onAccess(vcpu: number, physical: number, sizeBytes: number, write: boolean): void {
    if (write ? this.#rule.mayBeWritten : this.#rule.mayBeRead) return
    this.#judge(vcpu, write ? 'writes' : 'reads', this.#words.find(physical, sizeBytes), physical)
  }

  onWalk(vcpu: number, physical: number, sizeBytes: number): void {
    if (!this.#rule.mayBeRead) this.#judge(vcpu, 'walks page tables at', this.#words.find(physical, sizeBytes), physical)
  }

  onFetch(vcpu: number, _eip: number, sizeBytes: number, physical: number): void {
    if (!this.#rule.mayBeRead) this.#judge(vcpu, 'executes', this.#words.find(physical, sizeBytes), physical)
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

  /** What `vcpu` has marked of its stack, settled or not, and leaves when it returns by what stands at `place`; null: nothing. */
  #leaves(vcpu: number, place: number): Stretch | null {
    if (this.#stacked === undefined || this.#stacked.isEmpty || !this.#machine.buses[vcpu].isStack(place)) return null
    return this.#stacked.first((one) => one.vcpu === vcpu && one.from < place)
  }

  #judge(vcpu: number, verb: string, hit: Stretch | null, address: number): void {
    if (hit !== null) this.#machine.violate(this.#rule.kind, vcpu, `${verb} ${this.#machine.symbolize(address)}: vCPU ${hit.vcpu} ${this.#rule.why}`)
  }
}
