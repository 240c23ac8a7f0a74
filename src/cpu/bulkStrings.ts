/** Iterations of REP MOVS and REP STOS in a row, where memory can be reached directly. */
import type { Cpu } from './cpu.ts'
import type { Op } from './decode.ts'
import { DIRECT_READ, DIRECT_WRITE, type DirectMemory } from './directMemory.ts'
import { DF, EAX, ECX, EDI, EFLAGS, ES, ESI, RF } from './registers.ts'

const PAGE_BYTES = 4096

/**
 * Does as many iterations of the REP instruction as it can, but not its last one, whose end its handler knows.
 * @param most at the most so many @param flat of `flatSegments`
 * @returns how many
 */
export function bulkStrings({ r }: Cpu, op: Op, most: number, { pages, words, halves, bytes }: DirectMemory, flat: number): number {
  const { mnemonic, opcode } = op.row!
  const moves = mnemonic === 'movs'
  if ((!moves && mnemonic !== 'stos') || op.addrSize !== 4 || (r[EFLAGS] & DF) !== 0) return 0
  if ((flat & (1 << ES)) === 0 || (moves && (flat & (1 << op.seg)) === 0)) return 0
  const size = (opcode[0] & 1) === 0 ? 1 : op.opSize
  const units = size === 4 ? words : size === 2 ? halves : bytes
  let done = 0
  for (let left = Math.min((r[ECX] >>> 0) - 1, most); left > 0; ) {
    const to = pages[r[EDI] >>> 12]
    const from = moves ? pages[r[ESI] >>> 12] : DIRECT_READ
    if ((to & DIRECT_WRITE) === 0 || (from & DIRECT_READ) === 0 || ((r[EDI] | (moves ? r[ESI] : 0)) & (size - 1)) !== 0) break
    const source = ((from & -PAGE_BYTES) | (r[ESI] & (PAGE_BYTES - 1))) / size
    const target = ((to & -PAGE_BYTES) | (r[EDI] & (PAGE_BYTES - 1))) / size
    const room = PAGE_BYTES - Math.max(r[EDI] & (PAGE_BYTES - 1), moves ? r[ESI] & (PAGE_BYTES - 1) : 0)
    const count = Math.min(left, room / size)
    // One element after the other: the two may overlap.
    if (moves) for (let k = 0; k < count; k++) units[target + k] = units[source + k]
    else units.fill(r[EAX], target, target + count)
    if (moves) r[ESI] += count * size
    r[EDI] += count * size
    r[ECX] -= count
    // Between iterations RF is set (Cpu.repeat).
    r[EFLAGS] |= RF
    done += count
    left -= count
  }
  return done
}
