/** Sections while they are filled, and where they go. */
import { mistake } from './problems.ts'

/** Bytes of one program, all sections together. */
export const PROGRAM_BYTES_MAX = 4 << 20
const SPACE_END = 0x100000000

/** Bytes at consecutive addresses; `org` begins a new one. */
export interface Fragment {
  /** Absolute; -1: wherever the section goes. */
  readonly placed: number
  start: number
  readonly bytes: number[]
}

export interface Section {
  readonly name: string
  /** Letters of `rwx`. */
  readonly access: string
  /** Statement that opened it, for messages. */
  readonly line: number
  readonly column: number
  /** Given by the user; -1: none. */
  address: number
  /** Largest alignment inside. */
  align: number
  fragments: Fragment[]
}

/** Access of a section that does not say it: code may be patched, so it may be written. */
export function defaultAccess(name: string): string {
  if (/^\.text(\.|$)/.test(name)) return 'rwx'
  return /^\.rodata(\.|$)/.test(name) ? 'r' : 'rw'
}

/** The sections of one pass over the program, and the place where the next byte goes. */
export class Output {
  readonly sections: Section[] = []
  readonly #starts: ReadonlyMap<string, number>
  #current!: Section
  #bytes = 0

  /** `starts`: where the sections without an address of their own went after the last pass. */
  constructor(starts: ReadonlyMap<string, number>, origin: number) {
    this.#starts = starts
    this.enter('.text', '', 1, 1)
    this.place(starts.get('.text') ?? origin, false)
  }

  get section(): Section {
    return this.#current
  }

  get here(): number {
    const fragment = this.#fragment
    return fragment.start + fragment.bytes.length
  }

  get sectionStart(): number {
    return this.#fragment.start
  }

  get isCode(): boolean {
    return this.#current.access.includes('x')
  }

  get #fragment(): Fragment {
    return this.#current.fragments[this.#current.fragments.length - 1]
  }

  /** Continues section `name`, or opens it. */
  enter(name: string, access: string, line: number, column: number): void {
    const known = this.sections.find((section) => section.name === name)
    if (known) {
      if (access !== '' && access !== known.access) {
        mistake(
          column,
          `Section ${name} was opened with access ${known.access}: say ${access} there, or leave it out here.`,
        )
      }
      this.#current = known
      return
    }
    const section: Section = {
      name, access: access || defaultAccess(name), line, column, address: -1, align: 1, fragments: [],
    } // prettier-ignore
    section.fragments.push({ placed: -1, start: this.#starts.get(name) ?? 0, bytes: [] })
    this.sections.push(section)
    this.#current = section
  }

  /** The current section begins at `address` (`section NAME ADDRESS`). */
  setAddress(address: number, column: number): void {
    const section = this.#current
    if (section.address >= 0 && section.address !== address) {
      mistake(column, `Section ${section.name} already has another address: give it once, or use org.`)
    }
    if (section.address < 0 && section.fragments.some((fragment) => fragment.bytes.length > 0)) {
      mistake(
        column,
        `Section ${section.name} already has contents: give its address where it is first opened.`,
      )
    }
    section.address = address
    this.place(address, true)
  }

  /** What follows goes to `address`; not `fixed`: the section may still be moved by layout. */
  place(address: number, fixed: boolean): void {
    const section = this.#current
    const last = this.#fragment
    if (fixed && last.placed === address && last.bytes.length === 0) return
    const fragment = { placed: fixed ? address : -1, start: address, bytes: [] }
    if (last.bytes.length === 0) section.fragments.pop()
    section.fragments.push(fragment)
  }

  alignTo(boundary: number): void {
    this.#current.align = Math.max(this.#current.align, boundary)
  }

  emit(bytes: ArrayLike<number>, column: number): void {
    this.#bytes += bytes.length
    if (this.#bytes > PROGRAM_BYTES_MAX) {
      mistake(column, `The program has more than ${PROGRAM_BYTES_MAX >> 20} MB: make its data smaller.`)
    }
    if (this.here + bytes.length > SPACE_END)
      mistake(column, 'This runs past the end of the 4 GB address space: place it lower.')
    const target = this.#fragment.bytes
    for (let n = 0; n < bytes.length; n++) target.push(bytes[n])
  }
}

interface Range {
  readonly start: number
  readonly end: number
  readonly section: Section
}

/**
 * Addresses for the sections that have none: first free ones from `origin`, in the order of the source, at
 * multiples of `sectionAlign` and with none of its blocks in common with sections that were placed.
 * `fail` hears of what does not fit.
 */
export function placeSections(
  sections: readonly Section[],
  origin: number,
  sectionAlign: number,
  fail: (section: Section, message: string) => void,
): Map<string, number> {
  const taken = placedRanges(sections)
  taken.forEach(({ start, section }, n) => {
    if (n === 0 || start >= taken[n - 1].end) return
    const other = taken[n - 1].section
    const [late, early] = section.line >= other.line ? [section, other] : [other, section]
    fail(late, `Section ${late.name} overlaps ${early.name}: choose addresses further apart.`)
  })
  const starts = new Map<string, number>()
  let from = origin
  for (const section of sections) {
    const [first] = section.fragments
    if (first.placed >= 0) continue
    // The first section starts at the origin whatever that is: misaligned code is what some programs are about.
    const align = Math.max(section.align, from === origin ? 1 : sectionAlign)
    let start = alignUp(from, align)
    for (const range of taken) {
      const rangeStart = range.start - (range.start % sectionAlign)
      const rangeEnd = alignUp(range.end, sectionAlign)
      if (rangeEnd > start && rangeStart < start + first.bytes.length) start = alignUp(rangeEnd, align)
    }
    starts.set(section.name, start)
    from = alignUp(start + first.bytes.length, first.bytes.length > 0 ? sectionAlign : 1)
    if (from > SPACE_END)
      fail(section, `No free addresses are left for section ${section.name}: place it yourself.`)
  }
  return starts
}

/** What the user placed, by address. */
function placedRanges(sections: readonly Section[]): Range[] {
  return sections
    .flatMap((section) =>
      section.fragments
        .filter(({ placed, bytes }) => placed >= 0 && bytes.length > 0)
        .map(({ start, bytes }): Range => ({ start, end: start + bytes.length, section })),
    )
    .sort((a, b) => a.start - b.start || a.end - b.end)
}

function alignUp(value: number, align: number): number {
  return Math.ceil(value / align) * align
}
