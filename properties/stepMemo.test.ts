// Steps that are done again from memory are what executing them would have been: two machines side by side, one of which
// remembers nothing, along random ways back and forth.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { smallProgram } from '../src/arbitraries.ts'
import { CHOICES_MAX } from '../src/explore/explorable.ts'
import { generator } from '../src/explore/generator.ts'
import { monitorsFor } from '../src/explore/monitors/index.ts'
import { assembleImage, makeModel } from '../src/index.ts'
import { Machine } from '../src/smp/machine.ts'
import type { MachineImage } from '../src/smp/image.ts'
import { PageMap } from '../src/smp/memory.ts'
import type { Model } from '../src/smp/model.ts'
import { Sharing } from '../src/smp/sharing.ts'
import { programAt } from '../test/programs.ts'

const RUNS = Number(process.env.XMCHECK_RUNS ?? 20)
const models = [makeModel(), makeModel({ memory: 'sc' }), makeModel({ partialOverlap: 'wait' }), makeModel({ storeOrder: 'any' }), makeModel({ cpu: '486' })]

/** Makes the two machines anew, with what they have learnt about sharing. */
function pairsOf(image: MachineImage, model: Model): () => Machine[] {
  const pages = new PageMap(image.regions)
  const sharings = [0, 1].map(() => new Sharing(pages.sizeBytes / 4, image.vcpus.length))
  return () => sharings.map((sharing, k) => new Machine(image, model, { monitors: monitorsFor(image), pages, sharing, memo: k === 0 }))
}

/** All that a client can see of the last step and of the state. */
function view(machine: Machine): unknown {
  const { store, footprint, quiet, violation, coverage, eventBegins } = machine
  const vcpus = machine.cpus.map((_, v) => [machine.icount(v), machine.pending(v), machine.canContinue(v), machine.alternatives(v), machine.needsDrains(v)])
  return [store.h0, store.h1, [...footprint.words.subarray(0, footprint.length)], quiet, violation, eventBegins && [...machine.eventRegisters], [...coverage.points], vcpus, [...machine.weaknesses]]
}

/** Walks to and fro, both machines in step; three times, with more and more known to be shared. */
function walk(image: MachineImage, model: Model, seed: number, steps: number): number {
  const makePair = pairsOf(image, model)
  const random = generator(seed)
  return [1, 2, 3].reduce((hits) => hits + walkOnce(makePair(), random, steps / 3), 0)
}

function walkOnce([fast, slow]: Machine[], random: () => number, steps: number): number {
  const choices = new Int32Array(CHOICES_MAX)
  const others = new Int32Array(CHOICES_MAX)
  let taken = 0
  for (let k = 0; k < steps; k++) {
    const count = fast.enabled(choices)
    expect(slow.enabled(others)).toBe(count)
    expect(others.subarray(0, count)).toEqual(choices.subarray(0, count))
    if (count === 0 || (taken > 0 && random() % 3 === 0)) {
      for (let back = 1 + (random() % Math.min(taken, 12)); back > 0; back--, taken--) {
        fast.undo()
        slow.undo()
      }
      expect([fast.store.h0, fast.store.h1]).toEqual([slow.store.h0, slow.store.h1])
      continue
    }
    const choice = choices[random() % count]
    expect(fast.take(choice)).toBe(slow.take(choice))
    expect(view(fast)).toEqual(view(slow))
    taken++
  }
  expect(fast.store.fullHash()).toEqual([fast.store.h0, fast.store.h1])
  return fast.memo.hits
}

/** What a step can depend on besides its registers and what it loads. */
const DEPENDENCIES: Readonly<Record<string, string>> = {
  'private memory that it overwrites with the same': `.vcpu a
.vcpu b
a:
    mov eax, [x]
    mov [p], eax
    xor eax, eax
    mov ecx, [y]
    mov dword [p], 1
    mov ecx, [y]
    ret
b:
    mov dword [x], 1
    mov dword [y], 1
    ret
section .data
align 64
x: dd 0
y: dd 0
align 64
p: dd 0
`,
  'kicks, and who else is inside': `.vcpu a
.vcpu b
a:
    mov ecx, [x]
    xor ecx, ecx
    kick 1
    kick 1
    enter x
    leave x
    ret
b:
    mov dword [x], 1
    block
    mov ecx, [x]
    xor ecx, ecx
    enter x
    leave x
    ret
section .data
align 64
x: dd 0
`,
}

describe('remembered steps', () => {
  it.each(Object.keys(DEPENDENCIES))('know %s', (name) => {
    const image = assembleImage(DEPENDENCIES[name], { title: name })
    for (let seed = 1; seed <= 20; seed++) walk(image, models[seed % 2], seed, 200)
  })

  it('of generated programs are what executing them is', () => {
    let hits = 0
    fc.assert(
      fc.property(smallProgram(5), fc.constantFrom(...models), fc.nat(1000), (text, model, seed) => {
        fc.pre(model.cpu.features.has('fences') || !text.includes('mfence'))
        hits += walk(assembleImage(text, { title: 'generated' }), model, seed, 150)
      }),
      { seed: 5, numRuns: RUNS },
    )
    expect(hits).toBeGreaterThan(RUNS * 10)
  })

  it.each(['ticket', 'sb', 'spinlock', 'explore/treiber-n2', 'explore/mcs-n2-m2', 'explore/seqlock-n1-m2', 'explore/fib-n2', 'explore/dekker_try-m2-fence'])(
    'of %s are what executing them is',
    (name) => {
      const image = programAt(`examples/${name}.o`)
      for (let seed = 1; seed <= 3; seed++) walk(image, models[seed % 2], seed, 400)
    },
  )
})
