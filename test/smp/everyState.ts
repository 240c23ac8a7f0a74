/** Every state of a machine, by nothing but `enabled`, `take`, `undo` and a set of hashes. */
import { expect } from 'vitest'
import type { MachineImage } from '../../src/smp/image.ts'
import { Machine, type MachineOptions } from '../../src/smp/machine.ts'
import { PageMap } from '../../src/smp/memory.ts'
import type { Model } from '../../src/smp/model.ts'
import { Sharing } from '../../src/smp/sharing.ts'

export interface EveryStateOptions extends Pick<MachineOptions, 'memo'> {
  /** All memory is taken for shared from the beginning: no reduction at all. */
  readonly everything?: boolean
  /** An observer looks at each instruction. */
  readonly observed?: boolean
}

/** How executions end: `name=value` of the dwords named, or the kind of the violation; and how many states there are. */
export function everyState(image: MachineImage, model: Model, names: readonly string[], options: EveryStateOptions = {}): { outcomes: string[]; states: number } {
  const pages = new PageMap(image.regions)
  const sharing = new Sharing(pages.sizeBytes / 4, image.vcpus.length)
  if (options.everything) sharing.shareEverything()
  const addressOf = (name: string) => image.symbols.find((one) => one.name === name)!.address
  for (;;) {
    sharing.grown = false
    const machine = new Machine(image, model, { sharing, pages, memo: options.memo })
    if (options.observed) machine.observer = () => {}
    const found = new Set<string>()
    const seen = new Set<string>()
    const choices = new Int32Array(256)
    const visit = (): void => {
      const hash = [machine.store.h0, machine.store.h1]
      const key = hash.join()
      if (seen.has(key)) return
      seen.add(key)
      expect(hash).toEqual(machine.store.fullHash())
      const list = Array.from(choices.subarray(0, machine.enabled(choices)))
      if (list.length === 0) found.add(machine.violation?.kind ?? names.map((name) => `${name}=${machine.memory.load(machine.memory.index(addressOf(name)), 4)}`).join(' '))
      for (const choice of list) {
        machine.take(choice)
        visit()
        machine.undo()
        expect([machine.store.h0, machine.store.h1]).toEqual(hash)
      }
    }
    visit()
    if (!sharing.grown) return { outcomes: [...found].sort(), states: seen.size }
  }
}

/** Dwords of these names, as a section of assembly. */
export const dwords = (names: readonly string[]) => `\nsection .data\n${names.map((name) => `align 4\n${name}: dd 0`).join('\n')}\n`
