/** A whole scenario out of one assembly text, in the environment that compiled programs have too. */
import {
  EXECUTE,
  READ,
  stealTimeMistake,
  WRITE,
  type InterruptSource,
  type MachineImage,
  type PatchSite,
  type Symbol32,
} from '../../smp/image.ts'
import { AddressSpace, PAGE_BYTES } from '../addressSpace.ts'
import { makeEnvironment, type Actor } from '../environment.ts'
import { hex32, InputError } from '../inputError.ts'
import { pieceOf } from '../linkedPieces.ts'
import { makeLineTable } from '../lineTable.ts'
import { makeRegions, type Piece } from '../regions.ts'
import { SuppliedBlocks } from '../runtime/supplied.ts'
import { assemble, type Assembled, type AssembleOptions } from './assemble.ts'
import type { SiteDeclaration, SourceDeclaration } from './declarations.ts'

/** Where code goes that the source does not place: 1 MB, as in linked programs. */
const PROGRAM_START = 0x100000

export interface ImageOptions extends AssembleOptions {
  /** One line for reports; `.title` or the file's name where absent. */
  readonly title?: string
}

/**
 * The machine that `source` declares: ring 0, flat segments, one stack per vCPU, GDT, IDT and TSS as
 * environment.ts makes them for compiled code. An entry point that returns ends its actor.
 * @throws InputError where the source or its placement cannot be used
 */
export function assembleImage(source: string, options: ImageOptions = {}): MachineImage {
  const file = options.file ?? 'scenario.asm'
  const blocks = new SuppliedBlocks()
  const assembled = assemble(source, { origin: PROGRAM_START, sectionAlign: PAGE_BYTES, supplied: blocks, ...options })
  const { programs } = blocks
  const { declarations: declared } = assembled
  if (declared.vcpus.length === 0) {
    throw new InputError(file, 'declares no vCPU: there is no entry point', 'add .vcpu LABEL for each')
  }
  const space = new AddressSpace()
  for (const { name, address, bytes } of assembled.segments) space.reserve(address, bytes.length, name)
  for (const { name, address, sizeBytes } of programs.flatMap((program) => program.sections)) {
    const other = space.reserve(address, sizeBytes, name)
    if (other !== null) throw new InputError(file, `section ${other} is where the building blocks go, at ${hex32(address)}`, 'place it elsewhere')
  }
  space.reserve(0, PAGE_BYTES, 'the null page')

  const vcpus = declared.vcpus.map(({ name, address }, vcpu): Actor => ({ name, entry: address, vcpu }))
  const alone = [declared.init, declared.final].map(
    (found) => found && { name: found.name, entry: found.address, vcpu: 0 },
  )
  const [init, final] = alone
  const actors = [...vcpus, ...alone.filter((actor) => actor !== null)]
  const environment = makeEnvironment(actors, vcpus.length, declared.handlers, space)
  const registersOf = (actor: Actor | null) => (actor ? environment.registers[actors.indexOf(actor)] : null)

  const regions = makeRegions([...pieces(assembled), ...programs.flatMap((program) => program.sections.map(pieceOf)), ...environment.pieces])
  const stealTime = declared.stealTime ?? undefined
  const without = stealTimeMistake({ stealTime, vcpus: declared.vcpus, regions })
  if (without >= 0) throw new InputError(file, `.steal has no byte that can be written for vCPU ${without}`, 'reserve as many bytes for each vCPU')
  return {
    title: options.title ?? (declared.title || file),
    regions,
    vcpus: vcpus.map((actor) => ({ name: actor.name, registers: registersOf(actor)! })),
    init: registersOf(init),
    final: registersOf(final),
    handledVectors: declared.handlers.map(({ vector }) => vector).sort((a, b) => a - b),
    interrupts: declared.sources.flatMap((from) => sources(from, vcpus.length)),
    sites: declared.sites.map((site) => withForms(file, site, assembled)),
    points: [...assembled.points, ...declared.points.map((point) => ({ ...point, file }))],
    ...(declared.claims.length > 0 ? { claims: declared.claims } : {}),
    objects: declared.objects,
    symbols: [...assembled.labels.values(), ...programs.flatMap((program) => program.symbols), ...environment.symbols].sort(
      (a, b) => a.address - b.address,
    ) as Symbol32[],
    lines: [...assembled.lines.map(({ address, line }) => ({ address, file, line })), ...makeLineTable(programs.flatMap((program) => program.lines))].sort((a, b) => a.address - b.address),
    sources: { [file]: source.split(/\r\n|\n|\r/) },
    inputs: [{ name: file, bytes: new TextEncoder().encode(source) }],
    linkOptions: Object.entries(options.symbols ?? {}).map(([name, value]) => `--define ${name}=${value}`),
    ...(stealTime && { stealTime }),
    ...(declared.pcpus === null ? {} : { knobs: { pcpus: declared.pcpus } }),
  }
}

function pieces(assembled: Assembled): Piece[] {
  return assembled.segments.map(({ name, address, bytes, access }) => {
    const bits =
      (access.includes('r') ? READ : 0) |
      (access.includes('w') ? WRITE : 0) |
      (access.includes('x') ? EXECUTE : 0)
    return { name, address, sizeBytes: bytes.length, bytes, access: bits }
  })
}

function withForms(file: string, { formLabels, ...site }: SiteDeclaration, { segments }: Assembled): PatchSite {
  if (formLabels === undefined) return site
  const forms = formLabels.map(({ name, address }) => {
    const segment = segments.find((one) => address >= one.address && address + site.sizeBytes <= one.address + one.bytes.length)
    if (!segment) throw new InputError(file, `.forms ${site.name}: there are no ${site.sizeBytes} bytes at ${name}`, 'a form has as many bytes as its site')
    return { name, bytes: segment.bytes.slice(address - segment.address, address - segment.address + site.sizeBytes) }
  })
  return { ...site, forms }
}

function sources(from: SourceDeclaration, vcpuCount: number): InterruptSource[] {
  const targets = from.vcpu < 0 ? Array.from({ length: vcpuCount }, (_, n) => n) : [from.vcpu]
  return targets.map((vcpu) => ({ ...from, vcpu }))
}
