import type { BoardMemory } from './boardMemory.ts'
import type { PortDevice } from './portDevice.ts'

const CRTC_INDEX = 0x3d4
const CRTC_DATA = 0x3d5
const INPUT_STATUS = 0x3da
const START_HIGH = 12
const START_LOW = 13
const TEXT = 0xb8000
const TEXT_BYTES = 0x8000
const COLUMNS = 80
const ROWS = 25
/** A frame of 70 Hz: 449 lines, of which 400 are shown, and the part of a line that is shown. */
const FRAMES_PER_SECOND = 70
const LINES = 449
const SHOWN_LINES = 400
const SHOWN_OF_LINE = 0.8
/** Input status: no pixel is being shown; vertical retrace. */
const BLANK = 1
const RETRACE = 8

/** What is left of a VGA when nobody looks: the CRT controller's registers read back, the retrace comes and goes, text can be read. */
export class Screen implements PortDevice {
  readonly #seconds: () => number
  readonly #registers = new Uint8Array(32)
  #index = 0

  /** @param seconds of virtual time */
  constructor(seconds: () => number) {
    this.#seconds = seconds
  }

  read(port: number): number | null {
    if (port === CRTC_INDEX) return this.#index
    if (port === CRTC_DATA) return this.#registers[this.#index & 31]
    if (port !== INPUT_STATUS) return null
    const line = ((this.#seconds() * FRAMES_PER_SECOND) % 1) * LINES
    return (line >= SHOWN_LINES ? RETRACE | BLANK : 0) | (line % 1 > SHOWN_OF_LINE ? BLANK : 0)
  }

  write(port: number, sizeBytes: number, value: number): boolean {
    if (port === CRTC_INDEX) {
      this.#index = value & 0xff
      // A word sets index and data.
      if (sizeBytes === 2) this.#registers[this.#index & 31] = value >> 8
    } else if (port === CRTC_DATA) this.#registers[this.#index & 31] = value
    return port === CRTC_INDEX || port === CRTC_DATA
  }

  /** The text that is shown, line by line, without blank lines at the end; none where the memory does not hold text. */
  text({ ram }: BoardMemory): string[] {
    if (ram.length < TEXT + TEXT_BYTES) return []
    const start = ((this.#registers[START_HIGH] << 8) | this.#registers[START_LOW]) * 2
    const lines: string[] = []
    for (let row = 0; row < ROWS; row++) {
      let line = ''
      for (let column = 0; column < COLUMNS; column++) {
        const at = TEXT + ((start + (row * COLUMNS + column) * 2) % TEXT_BYTES)
        const [character, attribute] = [ram[at], ram[at + 1]]
        const blank = character === 0 || attribute === 0
        if (!blank && (character < 0x20 || character > 0x7e)) return []
        line += blank ? ' ' : String.fromCharCode(character)
      }
      lines.push(line.trimEnd())
    }
    while (lines.at(-1) === '') lines.pop()
    return lines
  }
}
