/** Search nodes in typed arrays: an open-addressed hash table from (state, current vCPU) to node numbers. */
const FIELDS = 9
const H0 = 0
const H1 = 1
const CURRENT = 2
const PARENT = 3
const CHOICE = 4
const COST = 5
const DEPTH = 6
const EXPANDED = 7
/** Number of the machine state. */
const STATE = 8

export class NodeTable {
  #nodes = new Int32Array(1024 * FIELDS)
  #slots = new Int32Array(4096).fill(-1)
  /** The same for machine states alone, to count them; null: nodes are states. */
  #stateSlots: Int32Array | null
  #count = 0
  states = 0

  /** @param byCurrent nodes differ by the vCPU that ran last; false: that is the same for all */
  constructor(byCurrent: boolean) {
    this.#stateSlots = byCurrent ? new Int32Array(4096).fill(-1) : null
  }

  /** Memory that it takes. */
  get bytes(): number {
    return this.#nodes.byteLength + this.#slots.byteLength + (this.#stateSlots?.byteLength ?? 0)
  }

  find(h0: number, h1: number, current: number): number {
    const mask = this.#slots.length - 1
    for (let slot = slotOf(h0, current) & mask; ; slot = (slot + 1) & mask) {
      const node = this.#slots[slot]
      if (node < 0) return -1
      const at = node * FIELDS
      if (this.#nodes[at + H0] === h0 && this.#nodes[at + H1] === h1 && this.#nodes[at + CURRENT] === current) return node
    }
  }

  add(h0: number, h1: number, parent: number, choice: number, cost: number, depth: number, current: number): number {
    if ((this.#count + 1) * 2 > this.#slots.length) this.#grow()
    if ((this.#count + 1) * FIELDS > this.#nodes.length) {
      const nodes = new Int32Array(this.#nodes.length * 2)
      nodes.set(this.#nodes)
      this.#nodes = nodes
    }
    const node = this.#count++
    const known = this.#stateSlots === null ? -1 : this.findState(h0, h1)
    const state = known < 0 ? this.states : known
    const at = node * FIELDS
    const nodes = this.#nodes
    nodes[at + H0] = h0
    nodes[at + H1] = h1
    nodes[at + CURRENT] = current
    nodes[at + PARENT] = parent
    nodes[at + CHOICE] = choice
    nodes[at + COST] = cost
    nodes[at + DEPTH] = depth
    nodes[at + EXPANDED] = 0
    nodes[at + STATE] = state
    this.#insert(this.#slots, slotOf(h0, current), node)
    if (known < 0) {
      this.states++
      if (this.#stateSlots !== null) this.#insert(this.#stateSlots, h0, node)
    }
    return node
  }

  /** All nodes, as they can be given to `restore`. */
  save(): Int32Array {
    return this.#nodes.slice(0, this.#count * FIELDS)
  }

  /** Takes the place of an empty table. @throws RangeError */
  restore(nodes: Int32Array): void {
    const count = nodes.length / FIELDS
    if (!Number.isInteger(count) || count === 0) throw new RangeError('no whole nodes')
    for (let node = 0; node < count; node++) {
      const at = node * FIELDS
      const parent = nodes[at + PARENT]
      // A parent was reached first, and is nearer to the root.
      const isRoot = node === 0 && parent === -1 && nodes[at + DEPTH] === 0
      if (!isRoot && (parent < 0 || parent >= count || nodes[parent * FIELDS + DEPTH] !== nodes[at + DEPTH] - 1)) throw new RangeError('no way to a node')
      if (nodes[at + STATE] < 0 || nodes[at + STATE] >= count) throw new RangeError('no such state')
      this.states = Math.max(this.states, nodes[at + STATE] + 1)
    }
    this.#nodes = nodes.slice()
    this.#count = count
    let size = this.#slots.length
    while ((count + 1) * 2 > size) size *= 4
    this.#index(size)
  }

  get count(): number {
    return this.#count
  }

  reparent(node: number, parent: number, choice: number, cost: number, depth: number): void {
    const at = node * FIELDS
    this.#nodes[at + PARENT] = parent
    this.#nodes[at + CHOICE] = choice
    this.#nodes[at + COST] = cost
    this.#nodes[at + DEPTH] = depth
  }

  current(node: number): number {
    return this.#nodes[node * FIELDS + CURRENT]
  }
  parent(node: number): number {
    return this.#nodes[node * FIELDS + PARENT]
  }
  choice(node: number): number {
    return this.#nodes[node * FIELDS + CHOICE]
  }
  cost(node: number): number {
    return this.#nodes[node * FIELDS + COST]
  }
  depth(node: number): number {
    return this.#nodes[node * FIELDS + DEPTH]
  }
  expanded(node: number): boolean {
    return this.#nodes[node * FIELDS + EXPANDED] !== 0
  }
  state(node: number): number {
    return this.#nodes[node * FIELDS + STATE]
  }
  markExpanded(node: number): void {
    this.#nodes[node * FIELDS + EXPANDED] = 1
  }

  choicesTo(node: number): number[] {
    const choices: number[] = []
    for (let at = node; this.parent(at) >= 0; at = this.parent(at)) choices.push(this.choice(at))
    return choices.reverse()
  }

  /** Number of a machine state, whoever ran last; -1: it is not known. */
  findState(h0: number, h1: number): number {
    if (this.#stateSlots === null) return this.find(h0, h1, -1)
    const mask = this.#stateSlots.length - 1
    for (let slot = h0 & mask; ; slot = (slot + 1) & mask) {
      const node = this.#stateSlots[slot]
      if (node < 0) return -1
      if (this.#nodes[node * FIELDS + H0] === h0 && this.#nodes[node * FIELDS + H1] === h1) return this.#nodes[node * FIELDS + STATE]
    }
  }

  #insert(slots: Int32Array, hash: number, node: number): void {
    const mask = slots.length - 1
    let slot = hash & mask
    while (slots[slot] >= 0) slot = (slot + 1) & mask
    slots[slot] = node
  }

  #grow(): void {
    this.#index(this.#slots.length * 4)
  }

  /** Enters all nodes into tables of so many slots. */
  #index(size: number): void {
    const nodes = this.#nodes
    this.#slots = new Int32Array(size).fill(-1)
    if (this.#stateSlots !== null) this.#stateSlots = new Int32Array(this.#slots.length).fill(-1)
    for (let node = 0; node < this.#count; node++) {
      const at = node * FIELDS
      this.#insert(this.#slots, slotOf(nodes[at + H0], nodes[at + CURRENT]), node)
      if (this.#stateSlots !== null && this.findState(nodes[at + H0], nodes[at + H1]) < 0) this.#insert(this.#stateSlots, nodes[at + H0], node)
    }
  }
}

function slotOf(h0: number, current: number): number {
  return h0 ^ Math.imul(current + 2, 0x9e3779b1)
}
