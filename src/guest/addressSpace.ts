/** The 4 GB of linear addresses, as a sorted list of the ranges in use. */
export const PAGE_BYTES = 4096
const SPACE_END = 0x100000000

interface Range {
  readonly start: number
  /** First address behind it. */
  readonly end: number
  readonly name: string
  /** Put there by the user: what is allocated keeps clear of its pages, whose access rights it would share. */
  readonly fixed: boolean
}

export class AddressSpace {
  /** Sorted by address, disjoint. */
  private readonly ranges: Range[] = []

  /** Takes `sizeBytes` from `start`. Returns the name of a range in the way, or null when it is taken. */
  reserve(start: number, sizeBytes: number, name: string): string | null {
    const end = start + sizeBytes
    const other = this.ranges.find((range) => range.start < end && start < range.end)
    if (other) return other.name
    this.insert({ start, end, name, fixed: true })
    return null
  }

  /**
   * Takes the first free range of `sizeBytes` at a multiple of `align` not below `from`, sharing no page with
   * what `reserve` took. Null where there is none.
   */
  allocate(sizeBytes: number, align: number, from: number, name: string): number | null {
    let start = Math.ceil(from / align) * align
    for (const range of this.ranges) {
      const page = range.fixed ? PAGE_BYTES : 1
      const rangeEnd = Math.ceil(range.end / page) * page
      if (rangeEnd <= start) continue
      if (start + sizeBytes <= Math.floor(range.start / page) * page) break
      start = Math.ceil(rangeEnd / align) * align
    }
    if (start + sizeBytes > SPACE_END) return null
    this.insert({ start, end: start + sizeBytes, name, fixed: false })
    return start
  }

  private insert(range: Range): void {
    if (range.start === range.end) return
    const at = this.ranges.findIndex((other) => other.start >= range.end)
    this.ranges.splice(at < 0 ? this.ranges.length : at, 0, range)
  }
}
