/**
 * Page tables of a litmus test that speaks of `PTE(x)`: linear addresses are physical ones, every variable has a page of
 * its own, and entries have their accessed and dirty bits set, so that walks only read.
 *
 * ```
 * TABLES_START          directory
 *            + 0x1000   table of the first 4 MB: code, descriptor tables, stacks
 *            + 0x2000   table of the variables
 *            + 0x3000   table of these tables
 * ```
 */
import type { Region } from '../../smp/image.ts'
import { PAGE_BYTES } from '../addressSpace.ts'
import { READ, WRITE } from '../regions.ts'

export const TABLES_START = 0x6000_0000
const DIRECTORY_BYTES = 0x40_0000
/** P, R/W, A, D (SDM vol. 3A, table 4-6). */
const PRESENT = 0x63
export const CR0_PAGING = 0x8000_0000 | 0

/** Address of the entry that maps the page of a variable. */
export function entryAddress(linear: number): number {
  return TABLES_START + 2 * PAGE_BYTES + ((linear >>> 12) & 1023) * 4
}

/** @param regions all memory: below 4 MB, and variables inside one stretch of 4 MB; @param entries of variables that begin with another value, by address */
export function pageTables(regions: readonly Region[], variablesStart: number, entries: ReadonlyMap<number, number>): Region {
  const bytes = new Uint8Array(4 * PAGE_BYTES)
  const view = new DataView(bytes.buffer)
  const starts = [0, variablesStart, TABLES_START]
  starts.forEach((start, k) => view.setUint32((start >>> 22) * 4, (TABLES_START + (k + 1) * PAGE_BYTES) | PRESENT, true))
  const region: Region = { name: 'page tables', start: TABLES_START, sizeBytes: bytes.length, bytes, access: READ | WRITE }
  for (const { start, sizeBytes } of [...regions, region])
    for (let page = start; page < start + sizeBytes; page += PAGE_BYTES) {
      const table = starts.findIndex((first) => Math.floor(first / DIRECTORY_BYTES) === Math.floor(page / DIRECTORY_BYTES))
      view.setUint32((table + 1) * PAGE_BYTES + ((page >>> 12) & 1023) * 4, page | PRESENT, true)
    }
  for (const [address, value] of entries) view.setUint32(address - TABLES_START, value, true)
  return region
}
