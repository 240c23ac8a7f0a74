/** From a source to bytes with addresses. */
import { AssemblyError } from './assemblyError.ts'
import type { CheckPoint } from '../../smp/image.ts'
import { foreignDialect } from './dialect.ts'
import { readDeclarations, type Declarations } from './declarations.ts'
import { lowerGuestCalls } from './guestCalls.ts'
import { lowerInvocations } from './invoke.ts'
import { parse } from './parse.ts'
import { layOut, type LaidOut, type LineRow } from './passes.ts'
import { Problems } from './problems.ts'

export interface AssembleOptions {
  /** Where the first section begins; 0 when absent. */
  readonly origin?: number
  /** Names with values from outside. */
  readonly symbols?: Readonly<Record<string, number>>
  /** Name of the source in messages; `scenario.asm` when absent. */
  readonly file?: string
  /** Sections without an address begin at multiples of it, in bytes; 16 when absent. */
  readonly sectionAlign?: number
  /** What names mean that the source does not define. */
  readonly supplied?: Supplied
}

/** Labels from elsewhere. */
export interface Supplied {
  lookUp(name: string): number | undefined
  /** Whether an address is in code that may be executed. */
  isCode(address: number): boolean
}

export interface Segment {
  /** Section that it belongs to. */
  readonly name: string
  readonly address: number
  readonly bytes: Uint8Array
  /** Letters of `rwx`. */
  readonly access: string
}

export interface Label {
  /** Local labels with their parent: `loop.again`. */
  readonly name: string
  readonly address: number
  /** Up to the next label that is not local, or the end of the segment; 0 for a local label. */
  readonly sizeBytes: number
  readonly kind: 'function' | 'object' | 'label'
}

export interface Assembled {
  /** Non-empty stretches of bytes, in the order of the source; they do not overlap. */
  readonly segments: readonly Segment[]
  /** By name, in the order of the source. */
  readonly labels: ReadonlyMap<string, Label>
  /** Where each line's bytes begin, by address. */
  readonly lines: readonly LineRow[]
  readonly points: readonly CheckPoint[]
  readonly declarations: Declarations
}

/**
 * Assembles `source` (syntax: index.ts).
 * @throws AssemblyError, an InputError, that names up to 20 mistakes by line and column
 */
export function assemble(source: string, options: AssembleOptions = {}): Assembled {
  const file = options.file ?? 'scenario.asm'
  const problems = new Problems()
  const check = () => {
    if (problems.list.length > 0) throw new AssemblyError(file, problems.list, foreignDialect(file, source))
  }
  const parsed = parse(source, problems)
  const { statements, points } = lowerGuestCalls(lowerInvocations(parsed, problems), file, problems)
  check()
  const symbols = new Map(Object.entries(options.symbols ?? {}))
  const origin = options.origin ?? 0
  const laidOut = layOut(statements, { origin, sectionAlign: options.sectionAlign ?? 16, symbols, supplied: (name) => options.supplied?.lookUp(name) }, problems)
  check()
  const segments = laidOut.sections.flatMap(({ name, access, fragments }) =>
    fragments
      .filter(({ bytes }) => bytes.length > 0)
      .map(({ start, bytes }): Segment => ({ name, address: start, bytes: Uint8Array.from(bytes), access })),
  )
  const isCode = (address: number) =>
    options.supplied?.isCode(address) === true ||
    segments.some(
      ({ access, address: start, bytes }) =>
        access.includes('x') && address >= start && address < start + bytes.length,
    )
  const declarations = readDeclarations(statements, { ...laidOut.scope, isCode }, problems)
  check()
  return { segments, labels: makeLabels(laidOut, segments), lines: laidOut.lines, points, declarations }
}

/** The bytes of a program that has only one segment: for tests and snippets. */
export function assembleBytes(source: string, options: AssembleOptions = {}): Uint8Array {
  const { segments } = assemble(source, options)
  if (segments.length > 1) throw new AssemblyError(options.file ?? 'scenario.asm', [{ line: 1, column: 1, message: 'This has several segments: remove section and org.' }]) // prettier-ignore
  return segments[0]?.bytes ?? new Uint8Array(0)
}

function makeLabels(laidOut: LaidOut, segments: readonly Segment[]): Map<string, Label> {
  const globals = [...laidOut.labels]
    .filter(([name]) => !name.includes('.'))
    .map(([, place]) => place.address)
  const bounds = [...globals, ...segments.map(({ address, bytes }) => address + bytes.length)].sort(
    (a, b) => a - b,
  )
  const labels = new Map<string, Label>()
  for (const [name, { address, section }] of laidOut.labels) {
    if (name.startsWith('xm:')) continue
    const local = name.includes('.')
    const end = bounds.find((bound) => bound > address)
    const inside = segments.some(
      (segment) => address >= segment.address && address < segment.address + segment.bytes.length,
    )
    const kind = local ? 'label' : section.access.includes('x') ? 'function' : 'object'
    labels.set(name, { name, address, sizeBytes: local || !inside ? 0 : (end ?? address) - address, kind })
  }
  return labels
}
