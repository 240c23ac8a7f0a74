/**
 * Dirty bits that count (XM_DIRTY_BITS): what a page walk has set in such an entry is not taken away by who has not read it since:
 * `lost-dirty`. So nobody hears of the write that it stood for: the page would be dropped as clean.
 */
import { D } from '../../cpu/paging.ts'
import type { DirtyBits as Claim, MachineImage } from '../../smp/image.ts'
import type { Machine } from '../../smp/machine.ts'
import type { Monitor } from '../../smp/monitor.ts'
import { GhostList, type RowKind } from './ghostList.ts'

/** An entry, physical address, whose D bit a walk of `walker` has set; `seen`: the vCPUs, as bits, that have read it since. */
interface Dirtied {
  readonly entry: number
  readonly walker: number
  readonly seen: number
}

const DIRTIED: RowKind<Dirtied> = {
  words: 3,
  pack: ({ entry, walker, seen }) => [entry, walker, seen],
  unpack: ([entry, walker, seen]) => ({ entry: entry >>> 0, walker, seen }),
  compare: (a, b) => a.entry - b.entry,
}
const DIRTIED_MAX = 64

export class DirtyBits implements Monitor {
  readonly name = 'dirty-bits'
  readonly #claims: readonly Claim[]
  #machine!: Machine
  #dirtied!: GhostList<Dirtied>

  constructor(image: MachineImage) {
    this.#claims = (image.claims ?? []).filter((claim) => claim.kind === 'dirty')
  }

  ghostWords(): number {
    return GhostList.ghostWords(DIRTIED, this.#claims.length === 0 ? 0 : DIRTIED_MAX)
  }

  attach(machine: Machine, ghosts: number): void {
    this.#machine = machine
    this.#dirtied = new GhostList(machine, ghosts, DIRTIED, DIRTIED_MAX, 'entries are dirty')
  }

  isIdle(): boolean {
    return this.#dirtied.length === 0
  }

  onAccess(vcpu: number, physical: number, sizeBytes: number, write: boolean): void {
    // What is still in the own store buffer says nothing of memory.
    if (write || this.#machine.buses[vcpu].buffer.overlaps(physical, sizeBytes)) return
    const rows = this.#dirtied.list()
    const isRead = ({ entry, seen }: Dirtied) => isWithin(entry, physical, sizeBytes) && (seen & (1 << vcpu)) === 0
    if (rows.some(isRead)) this.#dirtied.save(vcpu, rows.map((row) => (isRead(row) ? { ...row, seen: row.seen | (1 << vcpu) } : row)))
  }

  onWrite(vcpu: number, physical: number, sizeBytes: number, low: number, high: number, walker: boolean): void {
    if (walker) return this.#mark(vcpu, physical, low)
    const rows = this.#dirtied.list()
    const isCleared = ({ entry }: Dirtied) => isWithin(entry, physical, sizeBytes) && (byteOf(low, high, entry - (physical >>> 0)) & D) === 0
    if (!rows.some(isCleared)) return
    const lost = rows.find((row) => isCleared(row) && (row.seen & (1 << vcpu)) === 0)
    if (lost === undefined) return this.#dirtied.save(vcpu, rows.filter((row) => !isCleared(row)))
    this.#machine.violate('lost-dirty', vcpu, `overwrites the dirty bit of ${this.#machine.symbolize(lost.entry)}, which it has not read since a walk of vCPU ${lost.walker} set it: nobody hears of that write`)
  }

  #mark(vcpu: number, physical: number, value: number): void {
    const entry = physical >>> 0
    const claim = this.#claims.find(({ address, sizeBytes }) => isWithin(entry, address, sizeBytes))
    const { memory } = this.#machine
    if (claim === undefined || (value & ~memory.load(memory.index(physical), 4) & D) === 0) return
    this.#machine.countPoint(claim.id)
    this.#dirtied.save(vcpu, [...this.#dirtied.list().filter((row) => row.entry !== entry), { entry, walker: vcpu, seen: 0 }])
  }
}

/** The lowest byte of an entry, which has its dirty bit, is one of these. */
function isWithin(entry: number, physical: number, sizeBytes: number): boolean {
  return entry >= physical >>> 0 && entry < (physical >>> 0) + sizeBytes
}

function byteOf(low: number, high: number, n: number): number {
  return (n < 4 ? low >>> (n * 8) : high >>> ((n - 4) * 8)) & 0xff
}
