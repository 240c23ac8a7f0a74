/**
 * The events of the present execution and their happens-before relation: program order, store before its
 * drain, drains of a buffer in order, drains before a fence, and for each byte the order of writes and of reads
 * with the writes that they come after. What this relation keeps apart are the classes (program order,
 * reads-from, coherence) of x86-TSO, as in Abdulla, Aronis, Atig, Jonsson, Leonardsson, Sagonas, "Stateless
 * Model Checking for TSO and PSO" (TACAS 2015): a vCPU and its store buffer are two processes; a load of an own
 * store is ordered after the writes of others before that store's successor only, never with its drain.
 *
 * Processes: 2 v is vCPU v, 2 v + 1 its store buffer. A clock has an entry (a *slot*) for each process that has had an
 * event: how many of its events happen before.
 */
import { processOf, type Acts, type OwnReads } from './act.ts'
import { cellGranule, cellKind, cellMask, CELL_FETCH, CELL_MEMORY_READ, CELL_READ, CELL_STALE_FETCH, CELL_WRITE, grown, makeCell, sameGranule, type Cells } from './cells.ts'
import { makeEvent, type Event } from './event.ts'
import type { Fault } from './options.ts'

export class Trail {
  depth = 0
  /** The first `depth` are those of the execution. */
  readonly events: Event[] = []
  /** Some event has read an own store. */
  anyOwn = false
  /** Of event d: clocks[d * width + slot]. */
  clocks: Int32Array
  width = 4
  races = new Int32Array(256)
  readonly processes: number
  /** Stores drained so far, by vCPU. */
  readonly drained: Int32Array
  /** Writes to code: of each the event. */
  readonly codeWriters: number[] = []
  readonly #slotOf: Int32Array
  #slots = 0
  readonly #cells: Cells
  readonly #acts: Acts
  readonly #fault: Fault | undefined
  readonly #heads: Int32Array
  readonly #last: Int32Array
  /** Stores enqueued so far by vCPU, and by which event each was (-1: before the first). */
  readonly #enqueued: Int32Array
  readonly #enqueuer: Int32Array[] = []
  /** Accesses by granule, newest first. */
  #nodeEvent = new Int32Array(1024)
  #nodeGranule = new Int32Array(1024)
  #nodeCell = new Int32Array(1024)
  #nodePrevious = new Int32Array(1024)
  #nodes = 0
  /** Loads that were forwarded, by vCPU, newest first: event, cell, store. */
  readonly #forwards: number[][] = []
  /** Events that come before the one that is looked at, latest first: 2 e, or 2 e + 1: it may be a race. */
  #preds = new Int32Array(64)
  #predCount = 0

  /** @param granules of memory and resources */
  constructor(vcpus: number, granules: number, cells: Cells, acts: Acts, fault: Fault | undefined) {
    this.#fault = fault
    this.processes = vcpus * 2
    this.clocks = new Int32Array(256 * this.width)
    this.#slotOf = new Int32Array(this.processes).fill(-1)
    this.#cells = cells
    this.#acts = acts
    for (let d = 0; d < 256; d++) this.events.push(makeEvent())
    this.#heads = new Int32Array(granules).fill(-1)
    this.#last = new Int32Array(this.processes).fill(-1)
    this.drained = new Int32Array(vcpus)
    this.#enqueued = new Int32Array(vcpus)
    for (let v = 0; v < vcpus; v++) {
      this.#enqueuer.push(new Int32Array(64))
      this.#forwards.push([])
    }
  }

  /** Whether event `a` happens before event `b` (or is it). */
  before(a: number, b: number): boolean {
    const { slot, index } = this.events[a]
    return this.clocks[b * this.width + slot] >= index
  }

  /** The last event of a vCPU; -1: none. */
  lastOf(vcpu: number): number {
    return this.#last[vcpu * 2]
  }

  /** Stores that `vcpu` has enqueued before the first event. */
  startWith(vcpu: number, stores: number): void {
    this.#enqueue(vcpu, stores, -1)
  }

  /**
   * Appends the event that `choice` was; `cells` has read its footprint.
   * @param stores enqueued by it; @param fenced it needed the own stores before to have drained
   * @param alone it ran while nobody else could: it comes after everything
   */
  push(choice: number, stores: number, fenced: boolean, alone: boolean): void {
    const d = this.depth
    if (d + 2 > this.events.length) this.grow()
    const cells = this.#cells
    const process = processOf(choice)
    const vcpu = process >> 1
    const previous = this.#last[process]
    const event = this.events[d]
    this.#process = process
    event.slot = this.#slotOf[process] < 0 ? this.#makeSlot(process) : this.#slotOf[process]
    event.index = previous < 0 ? 1 : this.events[previous].index + 1
    event.previous = previous
    this.#predCount = 0
    if (previous >= 0) this.#order(previous, false)
    let own: OwnReads | null = null
    if (alone) {
      for (let p = 0; p < this.processes; p++) if (this.#last[p] >= 0) this.#order(this.#last[p], false)
    } else if ((process & 1) === 1) {
      const enqueuer = this.#enqueuer[vcpu][this.drained[vcpu]]
      if (enqueuer >= 0) this.#order(enqueuer, false)
    } else if (fenced || cells.fenceBefore || (previous >= 0 && this.events[previous].fenceAfter)) {
      const drain = this.#last[process + 1]
      if (drain >= 0) this.#order(drain, false)
    }
    if (!alone) own = this.#orderAccesses(vcpu)
    // A fetch comes after the newest write that it has used; of the others it would not notice whether they were made.
    const used = cells.codeSeen - 1
    if (used >= 0 && used < this.codeWriters.length && this.#fault !== 'no-fetch-order') this.#order(this.codeWriters[used], false)
    event.act = this.#acts.make(choice, cells.number(), own)
    if (own !== null) this.anyOwn = true
    event.fenceAfter = cells.fenceAfter
    this.#setClock(d, event)
    event.accessAt = this.#nodes
    if (!alone) this.#addNodes(d, process)
    event.codeWrites = cells.codeWrites
    for (let k = 0; k < cells.codeWrites; k++) this.codeWriters.push(d)
    if ((process & 1) === 1) this.drained[vcpu]++
    event.stores = stores
    this.#enqueue(vcpu, stores, d)
    this.#last[process] = d
    this.depth = d + 1
  }

  pop(): void {
    const d = --this.depth
    const { act, previous, codeWrites, stores, accessAt } = this.events[d]
    const { process } = act
    const vcpu = process >> 1
    if (codeWrites > 0) this.codeWriters.length -= codeWrites
    this.#last[process] = previous
    this.#enqueued[vcpu] -= stores
    if ((process & 1) === 1) this.drained[vcpu]--
    while (this.#nodes > accessAt) {
      this.#nodes--
      this.#heads[this.#nodeGranule[this.#nodes]] = this.#nodePrevious[this.#nodes]
    }
    const forwards = this.#forwards[vcpu]
    while (forwards.length > 0 && forwards[forwards.length - 3] === d) forwards.length -= 3
  }

  /** Of the event that is looked at. */
  #process = 0

  #enqueue(vcpu: number, stores: number, event: number): void {
    for (let k = 0; k < stores; k++) {
      const at = this.#enqueued[vcpu]++
      if (at === this.#enqueuer[vcpu].length) this.#enqueuer[vcpu] = grown(this.#enqueuer[vcpu])
      this.#enqueuer[vcpu][at] = event
    }
  }

  /** Event `e` comes before the new one; `candidate`: the two may be a race. */
  #order(e: number, candidate: boolean): void {
    if (this.#predCount === this.#preds.length) this.#preds = grown(this.#preds)
    const preds = this.#preds
    const pred = e * 2 + (candidate ? 1 : 0)
    let at = this.#predCount
    while (at > 0 && preds[at - 1] < pred) at--
    if (at > 0 && preds[at - 1] === pred) return
    for (let k = this.#predCount++; k > at; k--) preds[k] = preds[k - 1]
    preds[at] = pred
  }

  /** Conflicts of the cells that were read last with the accesses so far. */
  #orderAccesses(vcpu: number): OwnReads | null {
    const cells = this.#cells
    this.#ownCells = null
    for (let k = 0; k < cells.count; k++) {
      const cell = cells.cells[k]
      if (cells.sources[k] >= 0) {
        this.#noteOwn(cell, this.drained[vcpu] + cells.sources[k], k)
        continue
      }
      const granule = cellGranule(cell)
      const mask = cellMask(cell)
      const kind = cellKind(cell)
      let need = mask
      let others = mask
      for (let node = this.#heads[granule]; node >= 0 && need !== 0; node = this.#nodePrevious[node]) {
        const other = this.#nodeCell[node]
        const bytes = cellMask(other) & need
        if (bytes === 0) continue
        const event = this.#nodeEvent[node]
        const { process } = this.events[event].act
        const own = process >> 1 === vcpu
        if (kind === CELL_STALE_FETCH) {
          // Own stores to the bytes had to drain first.
          if (own && (process & 1) === 1 && cellKind(other) === CELL_WRITE) this.#order(event, false)
          continue
        }
        if (cellKind(other) === CELL_WRITE) {
          need &= ~bytes
          if (!own) this.#order(event, true)
          else if ((process & 1) === 1) {
            if (kind === CELL_MEMORY_READ && this.#fault !== 'no-walk-drains') this.#order(event, true)
            else if (kind === CELL_FETCH) this.#order(event, false)
            else if (kind === CELL_READ) {
              // Reads an own store that has drained: as if forwarded.
              others &= ~bytes
              this.#noteOwn(makeCell(granule, bytes, CELL_READ), this.#storeOf(event), k)
            }
          // A page walk writes past the buffer: own stores from before it may drain on either side of it. So do marks about them.
          } else if (kind === CELL_WRITE || (kind === CELL_MEMORY_READ && (this.#process & 1) === 1)) this.#order(event, (this.#process & 1) === 1 && this.#enqueuedBefore(vcpu, event))
        } else if (kind === CELL_WRITE) {
          if (!own) this.#order(event, true)
          else if (cellKind(other) === CELL_MEMORY_READ && this.#fault !== 'no-walk-drains') this.#order(event, true)
        }
      }
      if (this.#ownCells !== null && others !== 0) this.#noteOwn(makeCell(granule, others, kind), -1, k)
    }
    return this.#ownCells === null ? null : { cells: Int32Array.from(this.#ownCells), stores: Int32Array.from(this.#ownStores) }
  }
  /** Cells of the event that is looked at, from the first that reads an own store on. */
  #ownCells: number[] | null = null
  #ownStores: number[] = []

  /** Cell number `before` of the event reads own store `store` (-1: none). */
  #noteOwn(cell: number, store: number, before: number): void {
    if (this.#ownCells === null) {
      this.#ownCells = Array.from(this.#cells.cells.subarray(0, before))
      this.#ownStores = this.#ownCells.map(() => -1)
    }
    this.#ownCells.push(cell)
    this.#ownStores.push(store)
  }

  /** The store of `vcpu` that drains next was enqueued before its event `e`. */
  #enqueuedBefore(vcpu: number, e: number): boolean {
    return this.#enqueuer[vcpu][this.drained[vcpu]] < e
  }

  /** Which store of its vCPU the drain `event` was. */
  #storeOf(event: number): number {
    return this.events[event].index - 1
  }

  /** Sets the clock of event d, and finds its races: conflicts that no third event lies between. */
  #setClock(d: number, event: Event): void {
    const { width, clocks, events } = this
    const slots = this.#slots
    const preds = this.#preds
    const count = this.#predCount
    const at = d * width
    const raceAt = d === 0 ? 0 : events[d - 1].raceEnd
    let races = raceAt
    if (count === 0) for (let s = 0; s < slots; s++) clocks[at + s] = 0
    for (let k = 0; k < count; k++) {
      const e = preds[k] >> 1
      const from = e * width
      if (k === 0) for (let s = 0; s < slots; s++) clocks[at + s] = clocks[from + s]
      else {
        const { slot, index } = events[e]
        // It is known to come before a later one.
        if (clocks[at + slot] >= index) continue
        for (let s = 0; s < slots; s++) {
          const before = clocks[from + s]
          if (before > clocks[at + s]) clocks[at + s] = before
        }
      }
      if ((preds[k] & 1) === 0 || (k + 1 < count && preds[k + 1] === preds[k] - 1)) continue
      if (races === this.races.length) this.races = grown(this.races)
      this.races[races++] = e
    }
    clocks[at + event.slot] = event.index
    event.raceAt = raceAt
    event.raceEnd = races
    const { previous } = event
    event.couldBeFirst = races === raceAt + 1 && previous < this.races[raceAt] && count === (previous < 0 ? 1 : 2)
  }

  /** The first event of a process: nothing that was before comes after one. */
  #makeSlot(process: number): number {
    const slot = this.#slots++
    this.#slotOf[process] = slot
    if (slot === this.width) {
      const { width, clocks } = this
      this.width *= 2
      this.clocks = new Int32Array(clocks.length * 2)
      for (let d = 0; d < this.depth; d++) for (let s = 0; s < width; s++) this.clocks[d * this.width + s] = clocks[d * width + s]
    }
    for (let d = 0; d < this.depth; d++) this.clocks[d * this.width + slot] = 0
    return slot
  }

  #addNodes(d: number, process: number): void {
    const cells = this.#cells
    const vcpu = process >> 1
    for (let k = 0; k < cells.count; k++) {
      if (cells.sources[k] >= 0) {
        this.#forwards[vcpu].push(d, cells.cells[k], this.drained[vcpu] + cells.sources[k])
        continue
      }
      if (cellKind(cells.cells[k]) === CELL_STALE_FETCH) continue
      this.#addNode(d, cells.cells[k])
      if ((process & 1) === 1) this.#readersOf(vcpu, this.drained[vcpu], cells.cells[k])
    }
  }

  /** Loads that were forwarded from the store that has just drained: writes of others from here on come after them. */
  #readersOf(vcpu: number, store: number, cell: number): void {
    const forwards = this.#forwards[vcpu]
    const since = this.#enqueuer[vcpu][store]
    for (let at = forwards.length - 3; at >= 0 && forwards[at] >= since; at -= 3)
      if (forwards[at + 2] === store && sameGranule(forwards[at + 1], cell)) this.#addNode(forwards[at], forwards[at + 1])
  }

  #addNode(event: number, cell: number): void {
    const node = this.#nodes++
    if (node === this.#nodeEvent.length) {
      this.#nodeEvent = grown(this.#nodeEvent)
      this.#nodeGranule = grown(this.#nodeGranule)
      this.#nodeCell = grown(this.#nodeCell)
      this.#nodePrevious = grown(this.#nodePrevious)
    }
    const granule = cellGranule(cell)
    this.#nodeEvent[node] = event
    this.#nodeGranule[node] = granule
    this.#nodeCell[node] = cell & 127
    this.#nodePrevious[node] = this.#heads[granule]
    this.#heads[granule] = node
  }

  /** Room for twice as many events. */
  grow(): void {
    for (let left = this.events.length; left > 0; left--) this.events.push(makeEvent())
    this.clocks = grown(this.clocks)
  }
}
