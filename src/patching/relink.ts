/**
 * The founding question (xen-devel, 14 May 2009): the 4-byte offset of a `call` is rewritten while other CPUs
 * execute it; can anything but the old or the new function be called? One cell is a layout of the site, a
 * rung of the fetch ladder and a number of vCPUs.
 */
import { checkImage, type CheckOptions, type CheckResult } from '../explore/check.ts'
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

/** Whether `number` lies strictly inside the four offset bytes. */
function splits(offset: number, unit: number): boolean {
  return (offset & (unit - 1)) + 4 > unit
}

/**
 * What the model promises for a cell, from the layout alone: an oracle that shares nothing with the machine.
 * Violated when the bytes reach memory in more than one event, or may be fetched in more than one piece with
 * the displacements differing on both sides of the cut.
 */
export function predict(layout: RelinkLayout, model: Model): 'holds' | 'violated' {
  const { cpu, fetch } = model
  if (layout.writer !== 'patcher') return 'violated'
  const oneStore = cpu.atomicBytes === 0 ? !splits(layout.offset, cpu.lineBytes) : layout.offset % 4 === 0
  const old = layout.from - (layout.offset + 4)
  const next = layout.to - (layout.offset + 4)
  /** Both parts differ when the offset bytes are cut after `bytes` of them. */
  const tears = (bytes: number) => {
    const low = 2 ** (bytes * 8) - 1
    return ((old ^ next) & low) !== 0 && ((old ^ next) & ~low) !== 0
  }
  const cut = (unit: number) => splits(layout.offset, unit) && tears(unit - (layout.offset & (unit - 1)))
  if (!oneStore && (cpu.atomicBytes === 0 ? cut(cpu.lineBytes) : tears(layout.offset % 2 === 0 ? 2 : 4 - (layout.offset % 4)))) return 'violated'
  switch (fetch.kind) {
    case 'coherent':
    case 'single':
      return 'holds'
    case 'ordered':
    case 'independent':
      return cut(fetch.chunkBytes) ? 'violated' : 'holds'
    case 'byte':
      return tears(1) || tears(2) || tears(3) ? 'violated' : 'holds'
    case 'strict':
      return old === next ? 'holds' : 'violated'
  }
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

/** Judges one cell; `ok` when the verdict is the predicted one and, where it holds, complete (sampled runs never prove). */
export function runCell(
  objects: readonly ObjectFile[], layout: RelinkLayout, vcpus: number, knobs: Readonly<Record<string, KnobValue>>, options: CheckOptions = {},
): Cell {
  const model = makeModel(knobs)
  const image = relinkImage(objects, layout, vcpus)
  const result = checkImage(image, model, options)
  const expected = predict(layout, model)
  const agrees = result.verdict === expected && (expected === 'violated' || result.strength === 'complete')
  const sampled = result.strength === 'sampled' && result.verdict !== 'violated'
  return { layout, fetch: knobs.fetch as string, vcpus, image, model, result, expected, ok: agrees || sampled }
}
