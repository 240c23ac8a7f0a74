/**
 * The founding question (xen-devel, 14 May 2009): the 4-byte offset of a `call` is rewritten while other CPUs
 * execute it; can anything but the old or the new function be called? One cell is a layout of the site, a
 * rung of the fetch ladder and a number of vCPUs.
 */
import { startCheck, type Check, type CheckOptions, type CheckResult } from '../explore/check.ts'
import type { ObjectFile } from '../guest/elf/link.ts'
import { loadObjects } from '../guest/loadObjects.ts'
import type { MachineImage } from '../smp/image.ts'
import { makeModel, type KnobValue, type Model } from '../smp/model.ts'

/** How the patcher writes: entry function of examples/relink.c. */
export type Writer = 'patcher' | 'patcher_bytes' | 'patcher_copy'

export interface RelinkLayout {
  readonly name: string
  /** Physical address of the first offset byte. */
  readonly offset: number
  /** Addresses of the old and the new function. */
  readonly from: number
  readonly to: number
  readonly writer: Writer
}

/** Cache-line aligned place of the site. */
const SITE = 0x0040_0000
/**
 * Old and new displacement differ in every byte: the targets lie on both sides of the site, with different
 * low bytes. No mixture equals either, since a mixture differs from each in some byte.
 */
export const OLD_TARGET = 0x1234_5678
export const NEW_TARGET = 0xa9cb_2d10

const at = (name: string, offset: number, writer: Writer = 'patcher'): RelinkLayout => ({
  name, offset: SITE + offset, from: OLD_TARGET, to: NEW_TARGET, writer,
})

/** Every alignment class of the offset (position in a 64-byte line), and the plain copies. */
export const LAYOUTS: readonly RelinkLayout[] = [
  at('inside a dword', 4),
  at('inside 8 bytes', 18),
  at('inside 16 bytes', 22),
  at('across 16 bytes', 14),
  at('across 32 bytes', 30),
  at('across a line', 62),
  at('copy, bytewise', 4, 'patcher_bytes'),
  at('copy, dword and byte', 4, 'patcher_copy'),
]

/** Where a boundary of `unit` bytes cuts the four offset bytes: after 1 to 3 of them; 0: nowhere. */
function cutBy(offset: number, unit: number): number {
  const room = unit - (offset & (unit - 1))
  return room < 4 ? room : 0
}

/** After how many offset bytes the patcher's writes come apart, by its code and by what the CPU class stores at once. */
function writeCuts({ writer, offset }: RelinkLayout, { cpu }: Model): number[] {
  if (writer === 'patcher_bytes') return [1, 2, 3]
  // Aligned accesses are one event everywhere; from the P6 on anything inside a line is.
  const unit = cpu.atomicBytes === 0 ? cpu.lineBytes : 4
  return writer === 'patcher_copy' ? [3, cutBy(offset, unit)] : [cutBy(offset, unit)]
}

function fetchCuts({ offset }: RelinkLayout, { fetch }: Model): number[] {
  if (fetch.kind === 'coherent' || fetch.kind === 'single') return []
  return fetch.chunkBytes > 1 ? [cutBy(offset, fetch.chunkBytes)] : [1, 2, 3]
}

/**
 * What the model promises for a cell, from the layout alone: an oracle that shares nothing with the machine.
 * Violated when the offset bytes come apart, when written or when fetched, with the displacements differing on
 * both sides of the cut; on rung `strict` when they differ at all.
 */
export function predict(layout: RelinkLayout, model: Model): 'holds' | 'violated' {
  const changed = layout.from ^ layout.to
  const difference = (layout.from - layout.offset - 4) ^ (layout.to - layout.offset - 4)
  if (model.fetch.kind === 'strict') return changed === 0 ? 'holds' : 'violated'
  const tears = (bytes: number) => {
    const low = 2 ** (bytes * 8) - 1
    return bytes !== 0 && (difference & low) !== 0 && (difference & ~low) !== 0
  }
  return [...writeCuts(layout, model), ...fetchCuts(layout, model)].some(tears) ? 'violated' : 'holds'
}

export function relinkImage(objects: readonly ObjectFile[], layout: RelinkLayout, vcpus: number): MachineImage {
  return loadObjects(objects, {
    title: `relink, ${layout.name}, ${vcpus} vCPUs`,
    placements: [
      { symbol: 'relink_site', address: layout.offset - 1 },
      { section: '.text.old_target', address: layout.from },
      { section: '.text.new_target', address: layout.to },
    ],
    vcpus: [layout.writer, ...new Array<string>(vcpus - 1).fill('executor')],
  })
}

export interface Cell {
  readonly layout: RelinkLayout
  readonly fetch: string
  readonly vcpus: number
  readonly image: MachineImage
  readonly model: Model
  readonly result: CheckResult
  readonly expected: 'holds' | 'violated'
  readonly ok: boolean
}

export interface StartedCell {
  readonly check: Check
  judge(result: CheckResult): Cell
}

/** A cell at work: drive its check, then let the result be judged against the prediction. */
export function startCell(
  objects: readonly ObjectFile[], layout: RelinkLayout, vcpus: number, knobs: Readonly<Record<string, KnobValue>>, options: CheckOptions = {},
): StartedCell {
  const model = makeModel(knobs)
  const image = relinkImage(objects, layout, vcpus)
  const expected = predict(layout, model)
  return {
    check: startCheck(image, model, options),
    judge: (result) => ({
      layout, fetch: knobs.fetch as string, vcpus, image, model, result, expected,
      ok: result.verdict === expected && (expected === 'violated' || result.strength === 'complete' || isLimited(result, options)),
    }),
  }
}

/** It was the user, by an engine or a bound, who asked for less than a proof. */
function isLimited(result: CheckResult, { limits = {} }: CheckOptions): boolean {
  return result.strength === 'sampled' || limits.preemptions !== undefined || limits.seconds !== undefined || limits.states !== undefined
}

/** Judges one cell at once. */
export function runCell(
  objects: readonly ObjectFile[], layout: RelinkLayout, vcpus: number, knobs: Readonly<Record<string, KnobValue>>, options: CheckOptions = {},
): Cell {
  const { check, judge } = startCell(objects, layout, vcpus, knobs, options)
  while (check.advance());
  return judge(check.result())
}
