/**
 * Memory of which more counts than what stands there: what marks say of it (freed, released, claimed for a site), and what caches may hold. Who touches
 * it makes an event, so that nobody's access is moved across what decides whether it is right.
 */
import type { Board } from './board.ts'
import { FP_RESOURCE_READ, FP_RESOURCE_WRITE, RESOURCE_MARKS } from './footprint.ts'
import { WALKER } from './sharing.ts'

/**
 * Freeing or allocating is a write for everybody who touches the memory: their accesses become events, so
 * that none of them is moved across it. False: it is not memory.
 */
export function noteLifetime(board: Board, v: number, address: number, sizeBytes: number): boolean {
  return noteWriters(board, 1 << v, address, sizeBytes)
}

/** What is said of the bytes of a site (XM_PATCHED) is a write for everybody who fetches there, whether or not anybody writes them. */
export function noteClaimed(board: Board, v: number, address: number): void {
  if (!board.running()) return
  for (const site of board.image.sites) {
    if (site.address >>> 0 !== address >>> 0) continue
    for (let b = 0; b < site.sizeBytes; b++) {
      const g = board.memory.granule(board.memory.index((address + b) >>> 0))
      board.sharing.noteWrite(g, g, 1 << v)
    }
  }
}

/** Of what is released every access is an event: nobody's is moved across it. */
export function noteReleased(board: Board, address: number, sizeBytes: number): boolean {
  return noteWriters(board, (1 << board.cpus.length) - 1, address, sizeBytes)
}

function noteWriters(board: Board, vcpus: number, address: number, sizeBytes: number): boolean {
  const { memory, sharing } = board
  if (sizeBytes === 0) return true
  if (memory.index(address) < 0 || memory.index(address + sizeBytes - 1) < 0) return false
  for (let b = 0; b < sizeBytes; b += 4096 - ((address + b) & 4095)) {
    const at = memory.index(address + b)
    if (at < 0) return false
    const last = Math.min(sizeBytes - b, 4096 - ((address + b) & 4095)) - 1
    for (let g = memory.granule(at); board.running() && g <= memory.granule(at + last); g++) {
      sharing.noteWrite(g, g, vcpus)
      sharing.noteJudged(g)
    }
  }
  return true
}

/** `v` empties its caches, or the line at `physical` in all of them. */
export function flushCaches(board: Board, v: number, physical: number | null): void {
  noteCaches(board)
  board.footprint.add(FP_RESOURCE_WRITE, RESOURCE_MARKS, 0)
  for (const monitor of board.watchers.all) monitor.onCacheFlush?.(v, physical)
  board.observer?.({ kind: 'cache-flush', vcpu: v, address: (physical ?? 0) >>> 0, sizeBytes: physical === null ? 0 : board.model.cpu.lineBytes, value: 0 })
}

/** An access past the caches: of these lines every access is an event, and judged by what caches may hold. */
export function noteUncached(board: Board, physical: number, sizeBytes: number): void {
  if (board.translations === null) board.weaken('an access was uncached: without cached translations (tlb=none) caches are judged by what was accessed only')
  const { lineBytes } = board.model.cpu
  for (let line = (physical & -lineBytes) >>> 0; line < (physical >>> 0) + sizeBytes; line += lineBytes)
    if (board.sharing.noteUncached(line)) {
      // Shared even where there is one vCPU: with its caches.
      const g = board.memory.granule(board.memory.index(line))
      board.sharing.noteRead(g, g + lineBytes / 4 - 1, WALKER)
      noteReleased(board, line, lineBytes)
    }
  noteCaches(board)
}

/** What caches may hold depends on the translations of all, and on who has flushed them. */
function noteCaches(board: Board): void {
  board.noteAllTranslating()
  board.footprint.add(FP_RESOURCE_READ, RESOURCE_MARKS, 0)
}
