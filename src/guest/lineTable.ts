/** From rows of line tables to the sorted table of an image, and the texts of the sources it names. */
import type { LineEntry } from '../smp/image.ts'
import type { LineRow } from './elf/debugLine.ts'

/** Source files of one image, and the size of one, in characters. */
const SOURCES_MAX = 256
const SOURCE_CHARS_MAX = 1 << 20

/** Sorted by address; where rows share an address, the last one counts, as in debuggers. */
export function makeLineTable(rows: readonly LineRow[]): LineEntry[] {
  // A stretch of code may begin where another ends: its end then says nothing. Sorting is stable.
  const sorted = [...rows].sort((a, b) => a.address - b.address || Number(b.end) - Number(a.end))
  const table: LineEntry[] = []
  for (const row of sorted) {
    const entry = row.end
      ? { address: row.address, file: '', line: 0 }
      : { address: row.address, file: row.file, line: row.line }
    if (table.at(-1)?.address === entry.address) table.pop()
    const previous = table.at(-1)
    if (!previous || previous.file !== entry.file || previous.line !== entry.line) table.push(entry)
  }
  return table
}

/** The entry that covers an address; line 0 where none does. */
export function lineAt(table: readonly LineEntry[], address: number): LineEntry {
  let low = 0
  let high = table.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (table[middle].address <= address) low = middle + 1
    else high = middle
  }
  return table[low - 1] ?? { address, file: '', line: 0 }
}

/** Lines of each file that the table names and the caller can read. */
export function readSources(
  table: readonly LineEntry[],
  readSource: ((path: string) => string | null) | undefined,
): Record<string, readonly string[]> {
  const sources: Record<string, readonly string[]> = {}
  if (!readSource) return sources
  const paths = [...new Set(table.map((entry) => entry.file))].filter((path) => path !== '')
  for (const path of paths.slice(0, SOURCES_MAX)) {
    const text = readSource(path)
    if (text === null || text.length > SOURCE_CHARS_MAX) continue
    // Lines without code, of headers most of all, would make up most of a trace.
    const used = new Set(table.flatMap((entry) => (entry.file === path ? [entry.line] : [])))
    const lines = text.split(/\r?\n/).map((line, k) => (used.has(k + 1) ? line : ''))
    sources[path] = lines.slice(0, Math.max(0, ...used))
  }
  return sources
}
