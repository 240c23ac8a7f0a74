/** The context switch of catalogue/P/P01.c with its steps in any order: the table of steps is data, so an order is put into the image. */
import { checkImage } from '../../src/explore/check.ts'
import type { MachineImage } from '../../src/smp/image.ts'
import { makeModel } from '../../src/smp/model.ts'
import { programAt } from '../programs.ts'

/** The image with `words` at the beginning of one of its objects. */
export function withWords(image: MachineImage, object: string, words: readonly number[]): MachineImage {
  const { address } = image.symbols.find((one) => one.name === object)!
  const regions = image.regions.map((region) => {
    if (address < region.start || address >= region.start + region.sizeBytes) return region
    const bytes = new Uint8Array(region.sizeBytes)
    bytes.set(region.bytes)
    words.forEach((word, k) => new DataView(bytes.buffer).setUint32(address - region.start + k * 4, word, true))
    return { ...region, bytes }
  })
  return { ...image, regions }
}

/** What is violated; null: it holds, and completely. */
export function judge(image: MachineImage): string | null {
  const { verdict, strength, violation, reasons } = checkImage(image, makeModel(), { engine: 'graph', liveness: 'off' })
  if (verdict !== 'violated' && strength !== 'complete') throw new Error(`${verdict}, ${strength}: ${reasons.join('; ')}`)
  return violation?.message ?? null
}

/** Judges the switch with its steps in `order`. */
export function judgeOrder(order: readonly string[], queuedClts: boolean): string | null {
  const image = programAt(`catalogue/objects/P01${queuedClts ? '-CLTS_QUEUED' : ''}.o`)
  const step = (name: string) => image.symbols.find((one) => one.name === name && one.kind === 'function')!.address
  return judge(withWords(image, 'order', order.map(step)))
}

/** The same of the LDT, CR4 and DR7 (registers.c). */
export const judgeRegisterScript = (script: readonly ScriptStep[]): string | null =>
  judge(withWords(programAt('test/lazy/objects/registers.o'), 'script', [...script.flat(), 0, 0, 0]))

/** One step of the script of catalogue/P/P02.c: operation, operands. */
export type ScriptStep = readonly [op: number, a: number, b: number]

/** Judges whether the guest can tell its script carried out at once from the same in lazy mode. @param watched monitors know what is queued, and in which mode it is */
export function judgeScript(script: readonly ScriptStep[], watched = false): string | null {
  return judge(withWords(programAt(`catalogue/objects/P02${watched ? '-XM_LAZY_MARKS' : ''}.o`), 'script', [...script.flat(), 0, 0, 0]))
}

/** Judges catalogue/P/P06.c, compiled with `defines` (as the names of its objects have them), for a script of sites and forms of the sites. */
export function judgeForms(defines: string, script: readonly (readonly [site: number, argument: number])[], forms: readonly number[]): string | null {
  const image = programAt(`catalogue/objects/P06${defines}.o`)
  return judge(withWords(withWords(image, 'script', [...script.flat(), PV_END, 0]), 'forms', forms))
}
const PV_END = 9
