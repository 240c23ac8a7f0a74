/** Reading the linked program's memory, for declarations and tests. */
import { SHF_EXECINSTR } from './elf/format.ts'
import { decodeText } from './elf/object.ts'
import type { LinkedSection } from './elf/link.ts'

/** Longest string of a declaration, in bytes. */
const STRING_BYTES_MAX = 4096

export class MemoryView {
  private readonly sections: readonly LinkedSection[]

  constructor(sections: readonly LinkedSection[]) {
    this.sections = sections
  }

  /** The 32-bit word at a linear address, unsigned; null where its four bytes are not all in one section. */
  word(address: number): number | null {
    const found = this.find(address, 4)
    if (!found) return null
    const { bytes } = found.section
    const byte = (n: number) => bytes[found.offset + n] ?? 0
    return (byte(0) | (byte(1) << 8) | (byte(2) << 16) | (byte(3) << 24)) >>> 0
  }

  /** `sizeBytes` bytes at a linear address; null where they are not all in one section. */
  bytes(address: number, sizeBytes: number): Uint8Array | null {
    const found = this.find(address, sizeBytes)
    if (!found) return null
    const bytes = new Uint8Array(sizeBytes)
    bytes.set(found.section.bytes.subarray(found.offset, found.offset + sizeBytes))
    return bytes
  }

  /** The NUL-terminated string at a linear address; null where there is none of at most 4096 bytes. */
  string(address: number): string | null {
    const found = this.find(address, 1)
    if (!found) return null
    const { bytes, sizeBytes } = found.section
    if (found.offset >= bytes.length) return ''
    const window = bytes.subarray(found.offset, found.offset + STRING_BYTES_MAX)
    const end = window.indexOf(0)
    if (end >= 0) return decodeText(window.subarray(0, end))
    return window.length < STRING_BYTES_MAX && bytes.length < sizeBytes ? decodeText(window) : null
  }

  /** Whether a section that may be executed holds the address. */
  isCode(address: number): boolean {
    const found = this.find(address, 1)
    return found !== null && (found.section.flags & SHF_EXECINSTR) !== 0
  }

  private find(address: number, sizeBytes: number) {
    for (const section of this.sections) {
      const offset = address - section.address
      if (offset >= 0 && offset + sizeBytes <= section.sizeBytes) return { section, offset }
    }
    return null
  }
}
