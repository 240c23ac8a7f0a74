/**
 * From statements to bytes, in passes: every pass lays out the whole program with the addresses of the pass
 * before, until nothing moves any more. Jumps start short and grow where they have to.
 */
import { evaluate, integer, number, UNKNOWN, type Scope, type Value } from './expressions.ts'
import { encodeStatement } from './encodeStatement.ts'
import { mistake, Problems } from './problems.ts'
import { Output, placeSections, PROGRAM_BYTES_MAX, type Section } from './sections.ts'
import { nearest } from './suggest.ts'
import type { Body, DataItem, Statement } from './syntax.ts'

const PASSES_MAX = 60
/** From this pass on an instruction never shrinks again, so that sizes cannot swing to and fro for ever. */
const PASSES_FREE = 8
/** Repetitions by `times`, all together. */
const REPEATS_MAX = 1 << 16
/** `org` and `section` changes of place. */
const MOVES_MAX = 1024
const ADDRESS_MAX = 0xffffffff

export interface PassOptions {
  readonly origin: number
  /** Sections without an address begin at multiples of it. */
  readonly sectionAlign: number
  readonly symbols: ReadonlyMap<string, number>
  /** Addresses of names that the program does not define. */
  readonly supplied: (name: string) => number | undefined
}

export interface LineRow {
  readonly address: number
  readonly line: number
}

export interface LaidOut {
  readonly sections: readonly Section[]
  /** Labels with their addresses, in the order of the source. */
  readonly labels: ReadonlyMap<string, LabelPlace>
  readonly lines: readonly LineRow[]
  /** Scope at the end, for declarations. */
  readonly scope: Scope
}

export interface LabelPlace {
  readonly address: number
  readonly section: Section
}

/** Lays out the program; mistakes go to `problems`. */
export function layOut(statements: readonly Statement[], options: PassOptions, problems: Problems): LaidOut {
  const layout = new Layout(statements, options, problems)
  // A name with two meanings would move for ever.
  if (problems.list.length > 0) return layout.pass(false, new Problems()).result
  for (let pass = 0; pass < PASSES_MAX; pass++) {
    const found = new Problems()
    const { result, moved } = layout.pass(pass >= PASSES_FREE, found)
    if (moved) continue
    for (const problem of found.list) problems.add(problem.line, problem.column, problem.message)
    return result
  }
  const found = new Problems()
  const { result } = layout.pass(true, found)
  if (found.list.length === 0) {
    problems.add(
      1,
      1,
      'Sizes and addresses do not settle, since they depend on one another: look for times, align, org or equ that use later labels.',
    )
  }
  for (const problem of found.list) problems.add(problem.line, problem.column, problem.message)
  return result
}

class Layout {
  readonly #statements: readonly Statement[]
  readonly #options: PassOptions
  readonly #symbols = new Map<string, Value>()
  /** Bytes that each instruction took in the last pass. */
  readonly #lengths: Int32Array
  #starts: Map<string, number> = new Map()

  // State of one pass.
  #output!: Output
  #problems!: Problems
  #moved = false
  #growOnly = false
  #bits: 16 | 32 = 32
  #repeats = 0
  #moves = 0

  constructor(statements: readonly Statement[], options: PassOptions, problems: Problems) {
    this.#statements = statements
    this.#options = options
    this.#lengths = new Int32Array(statements.length)
    for (const [name, value] of options.symbols) this.#symbols.set(name, number(BigInt(value)))
    for (const { line, label, labelColumn, body } of statements) {
      const name = body?.kind === 'equ' ? body.name : label
      if (name === '' || (body?.kind === 'equ' && options.symbols.has(name))) continue
      if (this.#symbols.has(name)) {
        problems.add(line, labelColumn, `${name} is already defined: choose another name.`)
        continue
      }
      // That a label is an address is known before the address is.
      this.#symbols.set(name, body?.kind === 'equ' ? UNKNOWN : number(0n, 1, false))
    }
  }

  pass(growOnly: boolean, problems: Problems): { result: LaidOut; moved: boolean } {
    this.#output = new Output(this.#starts, this.#options.origin)
    this.#problems = problems
    this.#growOnly = growOnly
    this.#moved = false
    this.#bits = 32
    this.#repeats = 0
    this.#moves = 0
    const labels = new Map<string, LabelPlace>()
    const lines: LineRow[] = []
    this.#statements.forEach((statement, index) => {
      const { line, column, label, body } = statement
      problems.attempt(line, column, () => {
        // `align` belongs to what follows it: its own label stands in front, as in nasm.
        if (label !== '') {
          labels.set(label, { address: this.#output.here, section: this.#output.section })
          this.#define(label, number(BigInt(this.#output.here), 1))
        }
        if (!body) return
        const before = this.#output.here
        this.#run(body, statement, index)
        if (body.kind === 'instruction' || body.kind === 'data' || body.kind === 'times') {
          if (this.#output.here > before) lines.push({ address: before, line })
        }
      })
    })
    this.#checkKnown()
    const { origin, sectionAlign } = this.#options
    const starts = placeSections(this.#output.sections, origin, sectionAlign, (section, message) =>
      problems.add(section.line, section.column, message),
    )
    for (const [name, start] of starts) {
      if (this.#starts.get(name) !== start) this.#moved = true
    }
    this.#starts = starts
    lines.sort((a, b) => a.address - b.address)
    return {
      result: { sections: this.#output.sections, labels, lines, scope: this.#scope() },
      moved: this.#moved,
    }
  }

  #define(name: string, value: Value): void {
    const old = this.#symbols.get(name)
    if (!old || old.constant !== value.constant || old.labels !== value.labels || old.known !== value.known) {
      this.#moved = true
      this.#symbols.set(name, value)
    }
  }

  /** A name that has no value when nothing moves any more is defined by itself. */
  #checkKnown(): void {
    // What is wrong with it otherwise has been said.
    if (this.#problems.list.length > 0) return
    for (const { line, labelColumn, body } of this.#statements) {
      if (body?.kind !== 'equ' || this.#symbols.get(body.name)?.known) continue
      this.#problems.add(
        line,
        labelColumn,
        `${body.name} has no value, since it depends on itself: break the circle.`,
      )
    }
  }

  #scope(): Scope {
    const symbols = this.#symbols
    const supplied = (name: string) => {
      const address = this.#options.supplied(name)
      return address === undefined ? undefined : number(BigInt(address), 1)
    }
    return {
      here: this.#output.here,
      sectionStart: this.#output.sectionStart,
      lookUp: (name) => symbols.get(name) ?? supplied(name),
      suggest: (name) => nearest(name, [...symbols.keys()], 'define it, or correct the name'),
    }
  }

  #run(body: Body, statement: Statement, index: number): void {
    const output = this.#output
    const { column } = statement
    switch (body.kind) {
      case 'instruction':
        output.emit(this.#instruction(body, column, index), column)
        return
      case 'data':
        for (const item of body.items) output.emit(this.#datum(item, body.unitBytes), item.column)
        return
      case 'reserve': {
        const count = integer(body.count, this.#scope(), 'The number of elements', 0, PROGRAM_BYTES_MAX)
        output.emit(new Uint8Array(Math.min(count * body.unitBytes, PROGRAM_BYTES_MAX + 1)), column)
        return
      }
      case 'times': {
        const count = integer(body.count, this.#scope(), 'The count of times', 0, REPEATS_MAX)
        for (let n = 0; n < count; n++) {
          if (++this.#repeats > REPEATS_MAX) {
            mistake(column, `times repeats more than ${REPEATS_MAX} lines in all: use resb, or fewer.`)
          }
          this.#run(body.body, statement, index)
        }
        return
      }
      case 'align':
        this.#align(body, column)
        return
      case 'org':
        this.#countMove(column)
        output.place(integer(body.address, this.#scope(), 'The address', 0, ADDRESS_MAX), true)
        return
      case 'section': {
        this.#countMove(column)
        const { name, access, address } = body
        const place = address && integer(address, this.#scope(), 'The address', 0, ADDRESS_MAX)
        output.enter(name, access, statement.line, column)
        if (place !== null) output.setAddress(place, column)
        return
      }
      case 'bits':
        this.#bits = body.bits
        return
      case 'equ': {
        // A value from outside replaces the source's: so a scenario takes parameters and has defaults for them.
        if (this.#options.symbols.has(body.name)) return
        const value = evaluate(body.value, this.#scope())
        if (value.registers.length > 0)
          mistake(column, 'equ gives a name to a number: a register cannot stand here.')
        this.#define(body.name, value)
        return
      }
      case 'declaration':
        return
    }
  }

  #instruction(body: Body & { kind: 'instruction' }, column: number, index: number): Uint8Array {
    const minimumBytes = this.#growOnly ? this.#lengths[index] : 0
    try {
      const bytes = encodeStatement(body, { scope: this.#scope(), bits: this.#bits, minimumBytes, column })
      this.#lengths[index] = Math.max(minimumBytes, bytes.length)
      return bytes
    } catch (error) {
      // It keeps its place: a jump that cannot reach would otherwise vanish, and then reach.
      this.#output.emit(new Uint8Array(this.#lengths[index]), column)
      throw error
    }
  }

  #countMove(column: number): void {
    if (++this.#moves > MOVES_MAX)
      mistake(column, `More than ${MOVES_MAX} changes of section or address: use fewer.`)
  }

  #align(body: Body & { kind: 'align' }, column: number): void {
    const output = this.#output
    const boundary = integer(body.boundary, this.#scope(), 'The alignment', 1, 1 << 20)
    if ((boundary & (boundary - 1)) !== 0)
      mistake(column, `${boundary} is not a power of 2: use 4, 8, 16, 32 or 64.`)
    output.alignTo(boundary)
    const count = (boundary - (output.here % boundary)) % boundary
    if (body.fill) {
      output.emit(
        new Uint8Array(count).fill(integer(body.fill, this.#scope(), 'The fill', -128, 255)),
        column,
      )
    } else {
      // NOPs in code, as nasm has it: code may run through the gap.
      output.emit(new Uint8Array(count).fill(output.isCode ? 0x90 : 0), column)
    }
  }

  #datum(item: DataItem, unitBytes: number): Uint8Array {
    if (item.bytes) {
      const bytes = new Uint8Array(Math.ceil(item.bytes.length / unitBytes) * unitBytes)
      bytes.set(item.bytes)
      return bytes
    }
    const bytes = new Uint8Array(unitBytes)
    if (!item.expression) return bytes
    const value = evaluate(item.expression, this.#scope())
    if (value.registers.length > 0)
      mistake(item.column, 'Data is made of numbers: a register cannot stand here.')
    const limit = 1n << BigInt(unitBytes * 8)
    if (value.constant >= limit || value.constant < -limit / 2n) {
      mistake(
        item.column,
        `${value.constant} does not fit ${unitBytes} bytes: use a smaller value or a larger unit.`,
      )
    }
    for (let n = 0; n < unitBytes; n++) bytes[n] = Number(BigInt.asUintN(8, value.constant >> BigInt(8 * n)))
    return bytes
  }
}
