/**
 * Wakeup trees (Abdulla, Aronis, Jonsson, Sagonas, "Source Sets", JACM 64(4), 2017): per node of the present
 * execution, the sequences of events that have still to be explored from there, as an ordered tree.
 * Nodes are recycled.
 */
import type { Act } from './act.ts'

export interface TreeNode {
  act: Act
  /** First child and next sibling. */
  child: TreeNode | null
  next: TreeNode | null
}

export class WakeupTree {
  /** Per node of the execution: the first of what is planned from there. */
  readonly first: (TreeNode | null)[] = Array.from({ length: 256 }, () => null)
  /** Some event could have gone another way. */
  anyForked = false
  #free: TreeNode | null = null

  make(act: Act): TreeNode {
    const node = this.#free
    if (node === null) return { act, child: null, next: null }
    this.#free = node.next
    node.act = act
    node.child = null
    node.next = null
    return node
  }

  /** Room for twice as many nodes of the execution. */
  grow(): void {
    for (let left = this.first.length; left > 0; left--) this.first.push(null)
  }

  /** `list` before `rest`. */
  splice(list: TreeNode | null, rest: TreeNode | null): TreeNode | null {
    if (list === null) return rest
    let last = list
    while (last.next !== null) last = last.next
    last.next = rest
    return list
  }

  free(node: TreeNode): void {
    node.next = this.#free
    this.#free = node
  }

  /** Frees the nodes of a list of siblings and all below them. */
  freeAll(first: TreeNode | null): void {
    for (let node = first; node !== null; ) {
      const { next } = node
      this.freeAll(node.child)
      this.free(node)
      node = next
    }
  }
}
