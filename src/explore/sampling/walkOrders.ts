/** Orders of conflicting accesses along single executions. */
import { choiceKind, choiceVcpu, DRAIN } from '../../smp/choice.ts'
import { FP_MEMORY_READ, FP_READ, FP_WORDS, FP_WRITE, type Footprint } from '../../smp/footprint.ts'
import { Orders } from '../orders.ts'

/** A machine that says what its steps touch. */
export interface Touching {
  readonly footprint: Footprint
}

export function isTouching(machine: object): machine is Touching {
  return 'footprint' in machine
}

export class WalkOrders {
  readonly orders = new Orders()
  /** Granule (physical address / 4) to the party that wrote it last, -1 where none has, and those that have read it since. */
  readonly #last = new Map<number, { writer: number; readers: number[] }>()

  /** Another execution begins. */
  begin(): void {
    this.#last.clear()
  }

  /** A step has been taken. */
  note(choice: number, { words, length }: Footprint): void {
    const process = choiceVcpu(choice) * 2 + (choiceKind(choice) === DRAIN ? 1 : 0)
    for (let at = 0; at < length; at += FP_WORDS) {
      const write = words[at] === FP_WRITE
      // What was forwarded from the own store buffer was read nowhere else.
      if (!write && words[at] !== FP_MEMORY_READ && !(words[at] === FP_READ && words[at + 3] < 0)) continue
      const last = (words[at + 1] + Math.max(1, words[at + 2]) - 1) >>> 2
      for (let granule = words[at + 1] >>> 2; granule <= last; granule++) this.#access(process, granule, write)
    }
  }

  #access(process: number, granule: number, write: boolean): void {
    const party = Orders.party(process, granule * 2 + (write ? 1 : 0))
    let known = this.#last.get(granule)
    if (known === undefined) this.#last.set(granule, (known = { writer: -1, readers: [] }))
    const others = write ? [known.writer, ...known.readers] : [known.writer]
    for (const other of others) if (other >= 0 && Math.floor(other / 2 ** 32) !== process >> 1) this.orders.note(other, party)
    if (write) {
      known.writer = party
      known.readers = []
    } else if (!known.readers.includes(party)) known.readers.push(party)
  }
}
