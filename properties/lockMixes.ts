/** examples/locks/mix.c with other scripts and kinds of locks; bundled by locks.test.ts, as exploring from sources takes ten times as long. */
import { readFileSync } from 'node:fs'
import { checkImage } from '../src/explore/check.ts'
import { loadObjects } from '../src/guest/loadObjects.ts'
import type { MachineImage } from '../src/smp/image.ts'
import { makeModel } from '../src/smp/model.ts'

/** Operations of a script (examples/locks/mix.c). */
export const OPS = { take: 1, give: 2, off: 3, on: 4, work: 5 } as const
export type Op = readonly [op: keyof typeof OPS, lock: number]
export interface Mix {
  /** By lock: its kind, as mix.c numbers them. */
  readonly kinds: readonly number[]
  /** Of the three vCPUs, and of the interrupt on vCPU 0 (empty: there is none). */
  readonly scripts: readonly (readonly Op[])[]
}
const STEPS = 16

const loaded = new Map<string, MachineImage>()
function imageOf(name: string): MachineImage {
  if (!loaded.has(name)) loaded.set(name, loadObjects([{ name, bytes: new Uint8Array(readFileSync(new URL(`../examples/locks/objects/${name}`, import.meta.url))) }], { title: name }))
  return loaded.get(name)!
}

function mixImage({ kinds, scripts }: Mix): MachineImage {
  const image = imageOf(scripts[3].length > 0 ? 'mix-IRQ.o' : 'mix.o')
  const works = (some: Mix['scripts']) => [0, 1].map((lock) => some.flat().filter((op) => op[0] === 'work' && op[1] === lock).length)
  const tables = { mix_kinds: kinds, mix_works: [...works(scripts.slice(0, 3)), ...works(scripts.slice(3))], mix_scripts: scripts.flatMap((script) => [...script.map(([op, lock]) => (OPS[op] << 4) | lock), ...new Array<number>(STEPS - script.length).fill(0)]) }
  let { regions } = image
  for (const [name, bytes] of Object.entries(tables)) {
    const { address } = image.symbols.find((one) => one.name === name)!
    regions = regions.map((region) => {
      const at = (address >>> 0) - (region.start >>> 0)
      if (at < 0 || at >= region.sizeBytes) return region
      // Zeros at the end of a region are not written down.
      const copy = new Uint8Array(Math.max(region.bytes.length, at + bytes.length))
      copy.set(region.bytes)
      copy.set(bytes, at)
      return { ...region, bytes: copy }
    })
  }
  return { ...image, regions }
}

/** `holds`, the kind of the violation, or why neither can be said. */
export function judgeMix(mix: Mix, preemptions?: number): string {
  const { verdict, violation, reasons } = checkImage(mixImage(mix), makeModel(), { limits: { states: 300_000, ...(preemptions === undefined ? {} : { preemptions }) } })
  return violation?.kind ?? (verdict === 'holds' ? verdict : `${verdict}: ${reasons.join('; ')}`)
}
