/**
 * What an exploration knew to be shared, as words of a schedule line. It decides where steps end, so a schedule
 * means nothing without it: `share:counter share:lock+0x4 share:site..0x8@3 irq:1`. `..0x8` is a length in bytes
 * (4 where absent), `@3` the mask of vCPUs that fetch there. By symbol, so that it survives a changed link. `page:0x400@3`
 * is a linear page number, and the mask of the vCPUs whose stale translations of it matter; `uncached:0x3040` a line that is accessed past
 * the caches; `entries:table` a page of page-table entries that are read with A clear. `irq:1`, `int:1` and `nmi:1`: that vCPU takes interrupts and NMIs, or one of the two.
 */
import type { MachineImage } from '../smp/image.ts'
import { PAGE_BYTES, PageMap } from '../smp/memory.ts'
import { addressOf, symbolAt, symbolize } from '../smp/symbols.ts'
import type { Cycle } from './record.ts'
import { formatRound, formatSchedule } from './schedule.ts'
import { HOW_SHIFT, type SharingRecord } from './trace.ts'

const PAGE_GRANULES = PAGE_BYTES / 4
/** Who can be interrupted: by interrupts and NMIs, by one of the two. */
const ARRIVALS = ['irq', 'int', 'nmi']

export function formatSharing(image: MachineImage, sharing: SharingRecord): string[] {
  const fetchers = new Map<number, number>()
  for (let k = 0; k + 1 < sharing.fetchers.length; k += 2) fetchers.set(sharing.fetchers[k], sharing.fetchers[k + 1])
  const addresses = granuleAddresses(image)
  const runs: { address: number; sizeBytes: number; mask: number; symbol: unknown }[] = []
  for (const granule of [...sharing.shared].sort((a, b) => a - b)) {
    const address = addresses(granule)
    const mask = fetchers.get(granule) ?? 0
    const symbol = symbolAt(image, address)?.symbol ?? null
    const last = runs.at(-1)
    if (last !== undefined && last.address + last.sizeBytes === address && last.mask === mask && last.symbol === symbol) last.sizeBytes += 4
    else runs.push({ address, sizeBytes: 4, mask, symbol })
  }
  return [
    ...runs.map(({ address, sizeBytes, mask }) => {
      return `share:${granuleName(image, address)}${sizeBytes === 4 ? '' : `..0x${sizeBytes.toString(16)}`}${mask === 0 ? '' : `@${mask.toString(16)}`}`
    }),
    ...sharing.interruptible.map((one) => `${ARRIVALS[one >> HOW_SHIFT]}:${one & 0xff}`),
    ...sharing.uncached.map((line) => `uncached:${nameOf(image, line >>> 0)}`),
    ...sharing.tables.map((page) => `entries:${nameOf(image, addresses(page * PAGE_GRANULES))}`),
    ...Array.from({ length: sharing.pages.length >> 1 }, (_, k) => `page:0x${sharing.pages[k * 2].toString(16)}@${(sharing.pages[k * 2 + 1] >>> 0).toString(16)}`),
  ]
}

function nameOf(image: MachineImage, address: number): string {
  const name = symbolize(image, address)
  return addressOf(image, name) === address ? name : `0x${address.toString(16)}`
}

/** Of the dword at `address`: what begins in the middle of it names it as well. */
function granuleName(image: MachineImage, address: number): string {
  const inside = [0, 1, 2, 3].map((byte) => nameOf(image, address + byte))
  return inside.find((name) => !name.startsWith('0x')) ?? inside[0]
}

/** The inverse, for an image that may be another one; `missing`: words that name nothing in it. */
export function parseSharing(image: MachineImage, words: readonly string[]): { sharing: SharingRecord; missing: string[] } {
  const shared = new Set<number>()
  const fetchers: number[] = []
  const interruptible: number[] = []
  const missing: string[] = []
  const linear: number[] = []
  const uncached: number[] = []
  const tables: number[] = []
  const pages = new PageMap(image.regions)
  for (const word of words) {
    const arrival = /^(irq|int|nmi):(\d{1,2})$/.exec(word)
    if (arrival !== null && Number(arrival[2]) < image.vcpus.length) {
      interruptible.push(Number(arrival[2]) | (ARRIVALS.indexOf(arrival[1]) << HOW_SHIFT))
      continue
    }
    const page = /^page:0x([0-9a-f]{1,5})@([0-9a-f]{1,8})$/i.exec(word)
    if (page !== null) {
      linear.push(parseInt(page[1], 16), parseInt(page[2], 16) | 0)
      continue
    }
    const line = /^uncached:(.+)$/i.exec(word)
    const lineAddress = line === null ? null : addressOf(image, line[1])
    if (lineAddress !== null) {
      uncached.push(lineAddress)
      continue
    }
    const entries = /^entries:(.+)$/i.exec(word)
    const entriesAt = entries === null ? null : addressOf(image, entries[1])
    if (entriesAt !== null && entriesAt < 2 ** 32 && pages.find(entriesAt) >= 0) {
      tables.push(Math.floor(pages.find(entriesAt) / PAGE_BYTES))
      continue
    }
    const match = /^share:(.+?)(?:\.\.0x([0-9a-f]{1,6}))?(?:@([0-9a-f]{1,8}))?$/i.exec(word)
    const address = match === null ? null : addressOf(image, match[1])
    if (match === null || address === null) {
      missing.push(word)
      continue
    }
    const mask = match[3] === undefined ? 0 : parseInt(match[3], 16) | 0
    for (let at = address; at < address + (match[2] === undefined ? 4 : parseInt(match[2], 16)); at += 4) {
      const offset = at < 2 ** 32 ? pages.find(at) : -1
      if (offset < 0) continue
      const granule = offset >> 2
      shared.add(granule)
      if (mask !== 0) fetchers.push(granule, mask)
    }
  }
  return { sharing: { shared: [...shared], fetchers, interruptible, pages: linear, uncached: uncached.sort((a, b) => a - b), tables }, missing }
}

/** Physical address of each granule of memory, by its number. */
function granuleAddresses(image: MachineImage): (granule: number) => number {
  const pages: number[] = []
  const map = new PageMap(image.regions)
  for (const region of image.regions)
    for (let at = region.start; at < region.start + region.sizeBytes; at += PAGE_BYTES) pages[map.find(at) / PAGE_BYTES] = at
  return (granule) => pages[Math.floor((granule * 4) / PAGE_BYTES)] + ((granule * 4) % PAGE_BYTES)
}

/** The schedule as `check --schedule` takes it: what was known to be shared, then the choices. */
export function scheduleLine(image: MachineImage, sharing: SharingRecord, schedule: readonly number[], cycle: Cycle | null): string {
  return [...formatSharing(image, sharing), cycle === null ? formatSchedule(schedule) : formatRound(schedule, cycle)].join(' ')
}
