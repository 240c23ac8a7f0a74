/**
 * Programs too wide for brute force: several vCPUs that store, load, add and fence over a few words. The reduction must make as many
 * executions as there are classes, counted by a search of its own kind (src/explore/classes.ts). What a plan leaves out shows here only:
 * it takes several plans that have events in common.
 */
import { countClasses } from '../../src/explore/classes.ts'
import { DporSearch } from '../../src/explore/dpor/search.ts'
import { assembleImage } from '../../src/index.ts'
import { Machine } from '../../src/smp/machine.ts'
import { PageMap } from '../../src/smp/memory.ts'
import { makeModel } from '../../src/smp/model.ts'
import { Sharing } from '../../src/smp/sharing.ts'
import { Dice } from './dice.ts'

const WORDS = ['x', 'y', 'z']
const STATES_MAX = 8_000

/** As assembly. */
export function wideProgram(seed: number): string {
  const dice = new Dice(seed)
  const words = WORDS.slice(0, 1 + dice.below(WORDS.length))
  const bodies: string[][] = Array.from({ length: 3 + dice.below(2) }, () => [])
  const weights = dice.of([['store'], ['store', 'load'], ['store', 'store', 'load', 'add', 'fence']])
  for (let left = 5 + dice.below(5); left > 0; left--) {
    const word = dice.of(words)
    const line = { store: `mov dword [${word}], ${left}`, load: `mov eax, [${word}]`, add: `lock add dword [${word}], 1`, fence: 'mfence' }[dice.of(weights)]!
    dice.of(bodies).push(line)
  }
  const text = bodies.map((body, v) => `.vcpu p${v}\np${v}:\n${body.map((line) => `    ${line}\n`).join('')}    ret\n`)
  return `${text.join('')}section .data\nalign 4\n${WORDS.map((word) => `${word}: dd 0\n`).join('')}`
}

export interface WideOutcome {
  /** Null: too many to be counted. */
  readonly classes: number | null
  readonly executions: number
  readonly redundant: number
}

export function compareWide(text: string): WideOutcome {
  const image = assembleImage(text, { title: 'generated' })
  const pages = new PageMap(image.regions)
  const sharing = new Sharing(pages.sizeBytes / 4, image.vcpus.length)
  const make = () => new Machine(image, makeModel(), { sharing, pages })
  const counted = countClasses(make, { states: STATES_MAX }, () => {}, () => {})
  const none = { classes: null, executions: 0, redundant: 0 }
  if (!counted.exhausted) return none
  const search = new DporSearch(make)
  while (search.advance());
  const { complete, redundant } = search.counts()
  return { classes: counted.classes, executions: complete, redundant }
}
