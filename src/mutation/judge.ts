/** Whether the property of a program notices what is missing in its mutants. */
import { startCheck, type Check, type CheckOptions, type CheckResult } from '../explore/check.ts'
import type { Progress } from '../explore/explorable.ts'
import type { MachineImage } from '../smp/image.ts'
import type { Model } from '../smp/model.ts'
import { instructionsOf } from './code.ts'
import { imageOf, mutantsOf, type Mutant } from './mutants.ts'
import { observe } from './observe.ts'
import { reasonOf, sameProgram, type Subject } from './reasons.ts'

/**
 * `noticed`: it is violated, or something that was declared is no longer reached; `equal`: no execution of the program tells it from the mutant;
 * `survived`: it holds, complete; `undecided`: within the budget nothing came out.
 */
export const FATES = ['noticed', 'equal', 'survived', 'undecided'] as const
export type Fate = (typeof FATES)[number]

export interface Judged {
  readonly mutant: Mutant
  readonly fate: Fate
  /** Kind of the violation; why it is equal, or holds ('' where no fact explains it), or what ran out. */
  readonly why: string
  /** The check of the mutant, where there was one. */
  readonly result: CheckResult | null
}

/** A mutant may take so many events, and so many times those of the program. */
const EVENTS = 100_000
const TIMES = 4

/** The mutants of one program that holds. */
export class Campaign {
  readonly mutants: readonly Mutant[]
  /** Instructions of functions, and how many of them no execution reaches while vCPUs run. */
  readonly instructions: number
  readonly unreached: number
  /** Why places may be missing, and reasons; empty: all executions were seen. */
  readonly unseen: readonly string[]
  readonly image: MachineImage
  readonly #subject: Subject
  readonly #options: CheckOptions
  readonly #whole: CheckResult

  constructor(image: MachineImage, model: Model, options: CheckOptions, whole: CheckResult) {
    const observation = observe(image, model)
    this.image = image
    this.#subject = { image, model, observation }
    this.#options = options
    this.#whole = whole
    this.mutants = mutantsOf(image, observation)
    const instructions = instructionsOf(image)
    this.instructions = instructions.length
    this.unreached = instructions.filter(({ address }) => !observation.places.has(address)).length
    this.unseen = observation.reasons
  }

  /** @param drive runs a check to its end, or until it has done so much (`Progress.work`) */
  async judge(mutant: Mutant, drive: (check: Check, workMax: number) => Promise<CheckResult>): Promise<Judged> {
    const same = sameProgram(this.#subject, mutant)
    if (same !== null) return { mutant, fate: 'equal', why: same, result: null }
    const changed = imageOf(this.image, mutant)
    const check = startCheck(changed, this.#subject.model, this.#options)
    const workMax = Math.max(EVENTS, this.#whole.events * TIMES)
    const result = await drive(check, workMax)
    if (result.violation !== null) return { mutant, fate: 'noticed', why: result.violation.kind, result }
    if (result.vacuous && result.strength === 'complete') return { mutant, fate: 'noticed', why: 'vacuous', result }
    if (result.verdict !== 'holds' || result.strength !== 'complete') return { mutant, fate: 'undecided', why: ranOut(check.progress(), workMax) ?? result.reasons[0] ?? result.strength, result }
    return { mutant, fate: 'survived', why: reasonOf(this.#subject, mutant, changed, this.#whole.states * TIMES + EVENTS) ?? '', result }
  }
}

/** Why a check was left. */
function ranOut({ events, work = events }: Progress, workMax: number): string | null {
  if (events > workMax) return `more than ${workMax} events`
  return work > workMax ? `${events} events, between which vCPUs run on and on by themselves` : null
}
