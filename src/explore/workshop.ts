/** What the machines of one exploration have in common: the image and the model, and what is learnt on the way. */
import type { MachineImage } from '../smp/image.ts'
import { noCoverage } from '../smp/board.ts'
import { Machine } from '../smp/machine.ts'
import { PageMap } from '../smp/memory.ts'
import type { Model } from '../smp/model.ts'
import type { Monitor } from '../smp/monitor.ts'
import { Sharing, type Learnt } from '../smp/sharing.ts'
import { monitorsFor } from './monitors/index.ts'

export class Workshop {
  readonly image: MachineImage
  readonly model: Model
  readonly sharing: Sharing
  readonly coverage = noCoverage()
  readonly #pages: PageMap

  readonly #forgets: boolean
  readonly #watching: readonly Monitor[]

  /**
   * @param forgets states that differ in what can no longer matter are one (smp/machine.ts)
   * @param watching monitors besides those that judge
   */
  constructor(image: MachineImage, model: Model, forgets = false, watching: readonly Monitor[] = []) {
    this.#forgets = forgets
    this.#watching = watching
    this.image = image
    this.model = model
    this.#pages = new PageMap(image.regions)
    this.sharing = new Sharing(this.#pages.sizeBytes / 4, image.vcpus.length)
  }

  /** One of its own that knows just this of shared memory. */
  knowing(learnt: Learnt): Workshop {
    const other = new Workshop(this.image, this.model, this.#forgets, this.#watching)
    other.sharing.learn(learnt)
    other.sharing.grown = false
    return other
  }

  #monitors(): Monitor[] {
    return [...monitorsFor(this.image), ...this.#watching]
  }

  /** A machine in its initial state. */
  readonly make = (): Machine => {
    const { image, model, sharing, coverage } = this
    return new Machine(image, model, { monitors: this.#monitors(), sharing, pages: this.#pages, coverage, spins: true, forgets: this.#forgets })
  }
  /** One that forgets as those do, and whose executions are not counted. */
  readonly makeUncounted = (): Machine => {
    const { image, model, sharing } = this
    return new Machine(image, model, { monitors: this.#monitors(), sharing, pages: this.#pages, spins: true, forgets: this.#forgets })
  }
  /** One that forgets nothing, and whose executions are not counted: for what is shown. */
  readonly makeAside = (): Machine => {
    const { image, model, sharing } = this
    return new Machine(image, model, { monitors: this.#monitors(), sharing, pages: this.#pages, spins: true })
  }
  /** One that also takes every turn of a loop by itself, as traces do. */
  readonly makePlain = (): Machine => new Machine(this.image, this.model, { monitors: this.#monitors(), sharing: this.sharing, pages: this.#pages })
}
