/** Machines that carry out a random program, and what of their final states counts. */
import { monitorsFor } from '../../src/explore/monitors/index.ts'
import type { MachineImage } from '../../src/smp/image.ts'
import { Machine } from '../../src/smp/machine.ts'
import { PageMap } from '../../src/smp/memory.ts'
import { Sharing, type Learnt } from '../../src/smp/sharing.ts'
import { WORDS_BYTES, type Program } from './program.ts'

const CODE_BYTES = 256

export interface MachinesOptions {
  /** Dwords that are taken for shared from the beginning. Nothing is remembered or taken at once then. */
  readonly visible?: (granule: number) => boolean
  /** What other machines have learnt, which need not be learnt again. */
  readonly learnt?: Learnt
}

/** Machines that learn together; those that are asked for with `true` forget, as the graph engine's do. */
export function machinesOf(image: MachineImage, { model, parts }: Pick<Program, 'model' | 'parts'>, { visible, learnt }: MachinesOptions = {}): (forgets?: boolean) => Machine {
  const pages = new PageMap(image.regions)
  const sharing = new Sharing(pages.sizeBytes / 4, image.vcpus.length)
  if (learnt !== undefined) sharing.learn(learnt)
  if (visible !== undefined) sharing.shareEverything(visible)
  const plain = visible !== undefined
  return (forgets = false) =>
    new Machine(image, model, { sharing, pages, forgets, monitors: parts.monitored ? monitorsFor(image) : [], ...(plain ? { memo: false, spins: false } : {}) })
}

/** The words that vCPUs wrote, the code, and what else the program names. */
export function endOf(image: MachineImage, { parts }: Program): (machine: Machine) => string {
  const places = [['words', WORDS_BYTES], ['p0', CODE_BYTES], ...(parts.watched ?? [])] as const
  const spans = places.map(([name, bytes]) => [image.symbols.find((symbol) => symbol.name === name)!.address, bytes] as const)
  return ({ memory }) => spans.map(([address, bytes]) => memory.u8.subarray(memory.index(address), memory.index(address) + bytes).join()).join(' ')
}
