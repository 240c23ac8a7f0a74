/** Decoded operations by their bytes: for who decodes the same few strings again and again, wherever they stand. */
import { decode, type Op } from './decode.ts'

/** A power of two. */
const SLOTS = 512

interface Known {
  readonly code32: boolean
  /** The bytes that decide: of the instruction, or all of what is too short for one. */
  readonly bytes: Uint8Array
  readonly op: Op
}

export class DecodeMemo {
  readonly #known: (Known | undefined)[] = new Array<Known | undefined>(SLOTS)

  /** As `decode`, of the first `available` of `bytes`; the operation is lent. */
  decode(bytes: Uint8Array, available: number, code32: boolean): Op {
    const slot = slotOf(bytes, available)
    const known = this.#known[slot]
    if (known !== undefined && known.code32 === code32 && (known.op.length > 0 ? known.bytes.length <= available : known.bytes.length === available)) {
      let same = true
      for (let b = 0; b < known.bytes.length && same; b++) same = known.bytes[b] === bytes[b]
      if (same) return known.op
    }
    const op = decode(bytes, 0, available, code32)
    this.#known[slot] = { code32, bytes: bytes.slice(0, op.length || available), op }
    return op
  }
}

function slotOf(bytes: Uint8Array, available: number): number {
  const count = Math.min(available, 8)
  let hash = count
  for (let b = 0; b < count; b++) hash = Math.imul(hash ^ bytes[b], 0x9e3779b1)
  return (hash >>> 16) & (SLOTS - 1)
}
